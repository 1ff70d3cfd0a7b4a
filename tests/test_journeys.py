"""A request is watched as it travels, and one whose response is wrong becomes a failing test."""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from serving import Service, served
from stories import Story, run

FEATURE = "src/bistro/features/booking/"
SECRET = "secret-phone-number"


@dataclass(frozen=True)
class Bug:
    """A line that is wrong, the request that shows it, and what `show last` has to say of it."""

    file: str
    right: str
    wrong: str
    asked: Callable[["Guest"], str]
    shown: list[str]
    expect: list[str]


class Guest:
    """Somebody who uses the service, and says only that it does not work."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.ann, self.eve, self.sam = (
            service.token(*who) for who in [("ann", "guest"), ("eve", "guest"), ("sam", "staff")]
        )
        made = service.ask("POST", "/tables", self.sam, {"name": "Window", "seats": 4})
        self.table = made.body["id"]

    def books(self, hour: int = 10) -> str:
        times = {"starts_at": f"2099-01-01T{hour}:00:00Z", "ends_at": f"2099-01-01T{hour + 1}:00:00Z"}
        body = {"table": self.table, "party_size": 2, "phone": SECRET, **times}
        return str((self.service.ask("POST", "/bookings", self.ann, body).body or {}).get("id"))

    def books_twice(self) -> str:
        self.books()
        return self.books()

    def is_confirmed(self) -> str:
        id = self.books()
        self.service.ask("POST", f"/bookings/{id}/confirm", self.sam)
        return id

    def is_cancelled_by_another(self) -> str:
        id = self.books()
        self.service.ask("POST", f"/me/bookings/{id}/cancel", self.eve)
        return id

    def looks_for_requests(self) -> str:
        id = self.books()
        self.service.ask("GET", "/me/bookings?status=requested", self.ann)
        return id


BUGS = {
    "a wrong condition": Bug(
        FEATURE + "repository.py",
        "listed_own.where(model.Booking.status.in_(query.status))",
        "listed_own.where(model.Booking.status.not_in(query.status))",
        Guest.looks_for_requests,
        [
            "200 GET /me/bookings  guest ann",
            "?status=requested",
            "bookings.status NOT IN",
            "0 rows",
            "booking/repository.py:",
        ],
        ["200", "--has", "ID"],
    ),
    "a wrong rule": Bug(
        FEATURE + "model.py",
        '"confirm", [BookingStatus.REQUESTED]',
        '"confirm", [BookingStatus.DECLINED]',
        Guest.is_confirmed,
        ["409 POST /bookings/", "is requested, allowed:", "BookingService.confirm", "TransitionNotAllowed at"],
        ["200"],
    ),
    "a wrong bound": Bug(
        FEATURE + "schemas.py",
        "        le=12,\n",
        "        le=1,\n",
        Guest.books,
        [
            "422 POST /bookings",
            "/party_size: Input should be less than or equal to 1",
            "RequestValidationError becomes 422",
            "✗ RequestValidationError at booking/schemas.py:",
        ],
        ["201"],
    ),
    "a lost owner": Bug(
        FEATURE + "repository.py",
        "owner: str, versions: Versions) -> Row:\n        return self._lock(versions, model.Booking.id == id, model.Booking.owner == owner)",
        "owner: str, versions: Versions) -> Row:\n        return self._lock(versions, model.Booking.id == id)",
        Guest.is_cancelled_by_another,
        ["200 POST /me/bookings/", "guest eve", "owner = eve", "BookingRepository.lock_own", "WHERE bookings.id = ?\n"],
        ["404"],
    ),
    "an unmapped constraint": Bug(
        FEATURE + "repository.py",
        '        "uq_bookings_table_id_starts_at__while_requested_confirmed": errors.BookingTableStartsAtTaken,\n',
        "",
        Guest.books_twice,
        [
            "500 POST /bookings",
            "✗ IntegrityError at booking/service.py:",
            "UNIQUE constraint failed",
            "rollback",
            "IntegrityError becomes 500",
        ],
        ["409"],
    ),
    "a crash": Bug(
        FEATURE + "service.py",
        "        if new.starts_at <= now():\n",
        "        if new.begins_at <= now():\n",
        Guest.books,
        [
            "500 POST /bookings",
            "✗ AttributeError at booking/service.py:",
            "if new.begins_at <= now():",
            "AttributeError becomes 500",
        ],
        ["201"],
    ),
    "a wrong role": Bug(
        FEATURE + "controller.py",
        'summary="Staff confirms booking",\n    dependencies=[auth.require("staff")]',
        'summary="Staff confirms booking",\n    dependencies=[auth.require("manager")]',
        Guest.is_confirmed,
        ["403 POST /bookings/", "staff sam", "Requires the role manager", "Forbidden becomes 403"],
        ["200"],
    ),
    "a wrong target": Bug(
        FEATURE + "model.py",
        '"confirm", [BookingStatus.REQUESTED], BookingStatus.CONFIRMED',
        '"confirm", [BookingStatus.REQUESTED], BookingStatus.DECLINED',
        Guest.is_confirmed,
        ["200 POST /bookings/", "UPDATE bookings SET", "status = declined", "commit"],
        ["200", "--has", '"status":"confirmed"'],
    ),
}


@pytest.fixture
def own(bistro: Story, tmp_path: Path) -> Story:
    return replace(bistro, path=Path(shutil.copytree(bistro.path, tmp_path / "bistro")))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) >= 1, old
    file.write_text(text.replace(old, new, 1))


@pytest.fixture
def serve(own: Story, tools: Path, tmp_path: Path) -> Service:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db", "ENVIRONMENT": "development", "COLUMNS": "80"}
    return Service(own, tools, tmp_path / "log", settings)


def journeys(service: Service) -> list[str]:
    lines: list[str] = []
    for file in (service.story.path / ".journeys").glob("*.jsonl"):
        # The service may have deleted it since.
        with contextlib.suppress(FileNotFoundError):
            lines += file.read_text().splitlines()
    return lines


def command(service: Service, *words: str) -> tuple[int, str]:
    main = "from bistro.cli import main; main()"
    done = run(service.story.path, service.tools / "python", "-c", main, *words, PYTHONPATH="src", **service.settings)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_seen_and_becomes_a_failing_test(name: str, serve: Service) -> None:
    bug = BUGS[name]
    file = serve.story.path / bug.file
    change(file, bug.right, bug.wrong)
    with served(serve):
        id = bug.asked(Guest(serve))
    shown = serve.run("show", "last")
    assert [text for text in bug.shown if text not in shown + "\n"] == [], shown
    assert max(len(line) for line in shown.splitlines()[1:]) <= 80

    status, told = command(serve, "test", "last", "--expect", *[word.replace("ID", id) for word in bug.expect])

    assert status == 0 and "It passes when the bug is gone" in told, told
    (test,) = (serve.story.path / "tests/journeys").glob("test_*.py")
    pytest_ = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    done = run(serve.story.path, serve.tools / pytest_[0], *pytest_[1:], PYTHONPATH="src")
    assert done.returncode == 1 and "AssertionError" in done.stdout, done.stdout
    change(
        file,
        bug.wrong or "    constraint_errors = {\n",
        bug.right if bug.wrong else "    constraint_errors = {\n" + bug.right,
    )
    done = run(serve.story.path, serve.tools / pytest_[0], *pytest_[1:], PYTHONPATH="src")
    assert done.returncode == 0, done.stdout
    for check in [["format", "--check"], ["check"]]:
        assert run(serve.story.path, serve.tools / "ruff", *check, "--no-cache", test).returncode == 0, test.read_text()


def test_the_stops_of_a_request_and_how_to_go_on(serve: Service) -> None:
    with served(serve):
        guest = Guest(serve)
        id = guest.is_confirmed()
        again = serve.ask("POST", f"/bookings/{id}/confirm", guest.sam)
        serve.ask("GET", "/bookings")
        serve.ask("GET", "/nowhere")
    whole = json.loads(serve.run("show", "last 409", "--json"))
    assert [stop["layer"] for stop in whole["stops"]] == [
        *["UI", "middleware", "auth", "controller", "transaction", "service", "repository", "SQL"],
        *["transaction", "response", "response"],
    ]
    for stop in whole["stops"][1:-1]:
        file, line = stop["where"].split(":")
        assert (serve.story.path / file).exists() and int(line) > 0, stop
    assert again.headers["X-Journey"] == again.body["journey"]
    assert again.body["journey"].endswith(f"/journeys/{whole['id']}")
    log = serve.log.read_text()
    ways_on = [
        rf"409 POST /bookings/{id}/confirm  staff sam .* is confirmed, allowed: cancel.*  bistro show {whole['id']}",
        "401 GET /bookings  nobody .*bistro token staff ann.*  bistro show ",
        "404 GET /nowhere  nobody .*not-found  bistro show ",
    ]
    assert [way for way in ways_on if not re.search(way, log)] == [], log
    # Each of them without the server, from another process.
    assert "The same status and body." in serve.run("replay", "last", "409")
    assert command(serve, "show", "nonsense")[0] == 1
    status, told = command(serve, "test", whole["id"])
    assert status == 1 and "only a person knows which status was wanted. Say it: --expect 201" in told


def test_no_secret_is_in_a_journey(serve: Service) -> None:
    with served(serve):
        guest = Guest(serve)
        guest.books()
        serve.ask("GET", f"/bookings?phone={SECRET}", guest.sam, Cookie=f"session={SECRET}", X_Api_Key=SECRET)
        body = {"table": guest.table, "phone": SECRET, "party_size": 99}
        serve.ask("POST", "/bookings", guest.ann, body, Idempotency_Key=SECRET)
    assert len(journeys(serve)) == 4
    for text in journeys(serve):
        assert SECRET not in text, text
        for token in [guest.ann, guest.sam]:
            assert token not in text and token.split(".")[2] not in text
    assert SECRET not in serve.log.read_text()


def test_only_the_last_ones_are_kept(serve: Service) -> None:
    folder = serve.story.path / ".journeys"
    folder.mkdir()
    for number in range(10):
        lines = [f'{{"saved": {number * 100 + one}, "id": "aaaaaa"}}\n' for one in range(100)]
        (folder / f"{number}-1.jsonl").write_text("".join(lines))
    with served(serve):
        serve.ask("GET", "/nowhere")
        # It is written after the response has been sent.
        deadline = time.monotonic() + 10
        while len(journeys(serve)) != 501 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(journeys(serve)) == 501
        for _ in range(150):
            serve.ask("GET", "/nowhere")
    # A file has a hundred of them.
    assert 500 <= len(journeys(serve)) <= 600
    assert not (folder / "0-1.jsonl").exists()
    assert "404 GET /nowhere" in serve.run("show")


def test_a_request_that_ends_with_the_process_leaves_the_others(serve: Service) -> None:
    """A half-written journey is none, and those of another process come in between, by their time."""
    with served(serve):
        serve.ask("GET", "/nowhere")
        (serve.story.path / ".journeys/9-1.jsonl").write_text('{"saved": 9999999999999999999, "id": ')
        serve.run("replay")
        serve.ask("GET", "/elsewhere")
    assert "404 GET /elsewhere" in serve.run("show")


def test_an_owners_function_and_a_client_are_stops(serve: Service) -> None:
    """However the service imports them."""
    package = serve.story.path / "src/bistro"
    (package / "clients").mkdir()
    (package / "clients/__init__.py").touch()
    (package / "clients/weather.py").write_text(
        "class Weather:\n    def forecast(self, day: str) -> dict[str, int]:\n        return {day: 21}\n\n\n"
        "def warn(day: str) -> bool:\n    return False\n"
    )
    (package / "features/booking/pricing.py").write_text("def price(guests: int) -> int:\n    return guests * 10\n")
    service = serve.story.path / FEATURE / "service.py"
    change(service, "from . import model,", "from ...clients import weather\nfrom ...clients.weather import warn\n"
           "from .pricing import price\nfrom . import model,")  # fmt: skip
    calls = 'weather.Weather().forecast("today"), warn(day="today"), price(new.party_size)'
    change(service, '"""Guest requests booking."""', f'"""Guest requests booking."""\n        {calls}')
    with served(serve):
        Guest(serve).books()
    stops = json.loads(serve.run("show", "--json"))["stops"]
    own = [(one["layer"], one["name"], one.get("input"), one.get("output")) for one in stops]
    assert ("client", "Weather.forecast", {"day": "today"}, {"today": 21}) in own
    assert ("client", "warn", {"day": "today"}, False) in own
    assert ("pricing", "price", {"guests": 2}, 20) in own
    shown = serve.run("show")
    assert re.search(r"client +Weather.forecast +.*clients/weather.py:2", shown), shown
    assert re.search(r"pricing +price +.*booking/pricing.py:1", shown), shown


def test_its_code_is_small(bistro: Story) -> None:
    folder = bistro.path / "src/bistro/journey"
    lines = [line for path in folder.glob("*.py") for line in path.read_text().splitlines() if line.strip()]
    # Without blank lines.
    assert len(lines) <= 716
    page = [len(path.read_text().splitlines()) for path in folder.glob("page.[chj]*")]
    assert len(page) == 3 and sum(page) <= 460


def test_production_loads_nothing_of_it(serve: Service) -> None:
    code = """
import sys
from bistro.cli import main
import uvicorn
def run(*_, **__):
    from bistro.app import create_app
    create_app()
    print([name for name in sys.modules if "journey" in name])
uvicorn.run = run
sys.argv = ["bistro", "serve"]
main()
"""
    settings = serve.settings | {"ENVIRONMENT": "production", "AUTH_ISSUER": "i", "AUTH_AUDIENCE": "a"}
    settings |= {"AUTH_JWKS_URL": "https://login.example.com/keys"}
    done = run(serve.story.path, serve.tools / "python", "-c", code, PYTHONPATH="src", **settings)
    assert done.stdout == "[]\n", done.stderr


def test_its_folder_may_be_deleted(serve: Service) -> None:
    shutil.rmtree(serve.story.path / "src/bistro/journey")
    with served(serve):
        assert serve.ask("GET", "/nowhere").headers["X-Journey"] is None
    assert journeys(serve) == []
    assert command(serve, "show")[0] == 2
    for tool in [["mypy"], ["lint-imports", "--no-cache"]]:
        done = run(serve.story.path, serve.tools / tool[0], *tool[1:], PYTHONPATH="src")
        assert done.returncode == 0, done.stdout


def test_each_service_can_be_watched(story: Story, tools: Path) -> None:
    code = f"""
from {story.package}.app import create_app
from {story.package}.journey.watch import watch
from {story.package}.settings import read_settings
print(watch(create_app(read_settings(environment="development")), 8000))
"""
    done = run(story.path, tools / "python", "-c", code, PYTHONPATH="src")
    assert "Recorder" in done.stdout, done.stderr
