"""The generated service keeps its promises, and its own tests are why."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from rendering import render
from serving import free_port, running, status_of
from stories import Story, clean, run

PROVIDER = {
    "AUTH_ISSUER": "https://login.example.com",
    "AUTH_AUDIENCE": "bistro",
    "AUTH_JWKS_URL": "http://127.0.0.1:1/keys",
}


@pytest.fixture(scope="session")
def installed(bistro: Story, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Bistro as its owner has it, after their first `make test` on a machine without uv."""
    service = tmp_path_factory.mktemp("installed") / "bistro"
    shutil.copytree(bistro.path, service)
    folders = clean()["PATH"].split(":")
    path = ":".join(folder for folder in folders if not (Path(folder) / "uv").exists())
    return service, run(service, "make", "test", PATH=path)


@pytest.fixture
def own(bistro: Story, tmp_path: Path) -> Path:
    """A bistro to break."""
    return Path(shutil.copytree(bistro.path, tmp_path / "bistro"))


@pytest.fixture
def grown(own: Path) -> Path:
    """A bistro with a feature and a client that no answer gave."""
    source = own / "src/bistro"
    shutil.copytree(source / "features/table", source / "features/desk")
    add(source / "clients/__init__.py", "")
    add(source / "clients/ledger.py", '"""The ledger of the house."""\n\nimport httpx2\n\nhttp = httpx2.Client()')
    return own


def add(path: Path, text: str) -> None:
    """At its end, or as a new file."""
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else ""
    path.write_text(f"{before}\n{text}\n" if before else f"{text}\n" if text else "")


def check(service: Path, tools: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return run(service, tools / command[0], *command[1:], PYTHONPATH="src", PYTHONDONTWRITEBYTECODE="1", COLUMNS="200")


# ---- each story


def test_types(story: Story, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    done = check(story.path, tools, "mypy", "--cache-dir", tmp_path_factory.getbasetemp() / "mypy")
    assert done.returncode == 0, done.stdout


def test_layers(story: Story, tools: Path) -> None:
    done = check(story.path, tools, "lint-imports", "--no-cache")
    assert done.returncode == 0 and " 0 broken." in done.stdout, done.stdout


def test_its_own_tests(story: Story, tools: Path) -> None:
    done = check(story.path, tools, "pytest", "--quiet", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed in", done.stdout) and "skipped" not in done.stdout


def test_every_type_and_rule_holds_on_both_databases(
    tell: Callable[[str], Story], template: Path, tools: Path, tmp_path: Path
) -> None:
    """The shop of the stories lives in SQLite; its tests differ by nothing but where they find the database."""
    answers = tell("shop").answers | {"database": "postgresql"}
    test_its_own_tests(Story("shop", answers, render(template, answers, tmp_path / "shop")), tools)


UTTERED = """
import traceback

from bistro.features.booking import model, schemas
from tests.world import bearer

def test_nothing_is_repeated(world):
    secret, said = "0170 7654321", []
    table = world.make_table()
    for wrong in [{"party_size": 99}, {"status": None}, {"owner": None}, {"table": None}, {"note": "x" * 501}]:
        try:
            world.make_booking(phone=secret, **{"table": table, **wrong})
        except Exception:
            said.append(traceback.format_exc())
    try:
        schemas.BookingOut.model_validate({"phone": secret, "status": secret})
    except ValueError:
        said.append(traceback.format_exc())
    answer = world.send("POST", "/bookings", bearer("guest"), {"phone": [secret], "party_size": secret, "table": secret})
    assert (len(said), answer.status_code) == (6, 422)
    assert not [text for text in [*said, answer.text] if "7654321" in text]
"""


@pytest.mark.parametrize("name", ["bistro", "bistro_postgresql"])
def test_no_error_repeats_a_secret(name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    service = Path(shutil.copytree(tell(name).path, tmp_path / "service"))
    (service / "tests/test_uttered.py").write_text(UTTERED)
    done = check(service, tools, "pytest", "--quiet", "tests/test_uttered.py")
    assert done.returncode == 0, done.stdout


IDS = """
import pytest
from tests.world import bearer

@pytest.mark.parametrize(
    ("form", "status"),
    [
        (str, 200),
        (lambda id: str(id).upper(), 200),
        (lambda id: id.hex, 200),
        (lambda id: id.hex[:8] + "-" + id.hex[8:], 200),
        (lambda id: id.hex[:-1], 404),
        (lambda id: id.hex + "0", 404),
        (lambda id: "x" + id.hex[1:], 404),
        (lambda id: "{%s}" % id, 404),
        (lambda id: id.urn, 404),
        (lambda id: "%%20%s" % id, 404),
        (lambda id: "nonsense", 404),
    ],
)
def test_id(world, form, status):
    id = world.make_table()
    answer = world.send("PATCH", f"/tables/{form(id)}", bearer("staff"), {"seats": 2})
    assert answer.status_code == status
"""


def test_an_id_may_be_in_capitals_and_without_hyphens(own: Path, tools: Path) -> None:
    """As Starlette reads a UUID. Whatever else stands in its place is not found, in every feature."""
    (own / "tests/test_ids.py").write_text(IDS)
    done = check(own, tools, "pytest", "--quiet", "tests/test_ids.py")
    assert done.returncode == 0, done.stdout


def test_make_test_is_all_that_an_owner_needs(
    installed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = installed
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed in", done.stdout)


# ---- what its tests would notice


@pytest.mark.parametrize(
    ("file", "line", "room"),
    [
        ("features/booking/service.py", "import fastapi", "controller.py"),
        ("features/booking/repository.py", "from ...web import problems", "controller.py"),
        ("features/booking/controller.py", "import sqlalchemy", "repository.py"),
        ("features/booking/service.py", "import sqlite3", "repository.py"),
        ("features/booking/controller.py", "from . import repository", "service.py"),
        ("features/booking/controller.py", "from ...database import base", "service.py"),
        ("features/table/service.py", "from ..booking import repository as bookings", "that feature's service.py"),
        ("app.py", "from .features.booking import repository", "that feature's service.py"),
        ("features/booking/repository.py", "from . import service", "controller, service, repository"),
        ("web/auth.py", "from ..features.table import errors as them", "features know web"),
        # In a folder made by hand.
        ("features/desk/service.py", "import fastapi", "controller.py"),
        ("features/desk/controller.py", "import sqlalchemy", "repository.py"),
        ("features/desk/controller.py", "from . import repository", "service.py"),
        ("features/desk/service.py", "from ..booking import repository as bookings", "that feature's service.py"),
        ("features/table/repository.py", "from ..desk import repository as desks", "that feature's service.py"),
        ("features/desk/repository.py", "from . import service", "controller, service, repository"),
        ("features/desk/helpers.py", "", "controller, service, repository"),
        ("clients/ledger.py", "from ..web import problems", "features know web and clients"),
        ("web/health.py", "from ..clients import ledger", "features know web and clients"),
    ],
)
def test_a_line_in_the_wrong_room(grown: Path, tools: Path, file: str, line: str, room: str) -> None:
    add(grown / "src/bistro" / file, line)
    done = check(grown, tools, "lint-imports", "--no-cache")
    assert done.returncode != 0
    assert room in "".join(line for line in done.stdout.splitlines() if line.endswith(" BROKEN")), done.stdout


def test_what_is_made_by_hand_is_in_its_rooms(grown: Path, tools: Path) -> None:
    add(grown / "src/bistro/features/desk/service.py", 'from ...clients import ledger\n\n__all__ = ["ledger"]')
    done = check(grown, tools, "lint-imports", "--no-cache")
    assert done.returncode == 0 and " 0 broken." in done.stdout, done.stdout
    add(
        grown / "src/bistro/clients/mail.py", 'import smtplib\nimport urllib.request\n\n__all__ = ["smtplib", "urllib"]'
    )
    done = check(grown, tools, "ruff", "check", "--no-cache", "src/bistro/clients")
    assert done.returncode == 0, done.stdout


def test_a_feature_in_one_file(grown: Path, tools: Path) -> None:
    """It would be no folder of any contract."""
    add(grown / "src/bistro/features/reports.py", "import sqlalchemy")
    done = check(grown, tools, "lint-imports", "--no-cache")
    assert done.returncode != 0 and "bistro.features.reports.service does not exist" in done.stdout, done.stdout


ENDPOINT = """

@router.get("/tables/size")
def size(request: Request) -> object:
    with transaction.read(request) as tx:
        return %s
"""
RULE = """
    def size(self) -> object:
        return %s
"""
CLIENTS = "TID251 `%s` is banned: other services are called in clients/"


@pytest.mark.parametrize(
    ("file", "line", "tool", "message"),
    [
        # What a controller or a service holds leads to no connection.
        ("controller.py", ENDPOINT % 'tx.exec_driver_sql("SELECT 1")', "mypy", '"Transaction" has no attribute'),
        ("controller.py", ENDPOINT % "tx._connection", "ruff", "SLF001 Private member accessed: `_connection`"),
        ("controller.py", ENDPOINT % 'getattr(tx, "_connection")', "ruff", "B009"),
        ("controller.py", ENDPOINT % "service.TableService(tx)._repository", "ruff", "SLF001"),
        ("controller.py", ENDPOINT % "request.app.state.database._engine", "ruff", "SLF001"),
        ("controller.py", ENDPOINT % "service.repository", "mypy", "explicitly export"),
        ("service.py", RULE % "self._repository._connection", "ruff", "SLF001 Private member accessed: `_connection`"),
        ("service.py", RULE % 'self._repository._execute("SELECT 1")', "ruff", "SLF001"),
        ("service.py", RULE % "repository.model", "mypy", "explicitly export"),
        # Another service is called in one place.
        ("service.py", "import httpx", "ruff", CLIENTS % "httpx"),
        ("service.py", "import httpx2", "ruff", CLIENTS % "httpx2"),
        ("service.py", "import urllib.request", "ruff", CLIENTS % "urllib.request"),
        ("service.py", "from urllib import request", "ruff", CLIENTS % "urllib.request"),
        (
            "service.py",
            "def ask() -> None:\n    from http.client import HTTPConnection",
            "ruff",
            CLIENTS % "http.client",
        ),
        ("repository.py", "import socket", "ruff", CLIENTS % "socket"),
        ("controller.py", "import requests", "ruff", CLIENTS % "requests"),
        ("controller.py", "import smtplib", "ruff", "mail is sent in clients/"),
        # import-linter does not see a folder that has no such file.
        ("__init__.py", None, "ruff", "INP001"),
    ],
)
def test_a_way_around_the_layers(
    grown: Path,
    tools: Path,
    tmp_path_factory: pytest.TempPathFactory,
    file: str,
    line: str | None,
    tool: str,
    message: str,
) -> None:
    path = grown / "src/bistro/features/desk" / file
    if line is None:
        path.unlink()
    else:
        add(path, line)
    commands: dict[str, list[str | Path]] = {
        "ruff": ["ruff", "check", "--no-cache", "--output-format=concise"],
        "mypy": ["mypy", "--cache-dir", tmp_path_factory.getbasetemp() / "mypy", "src"],
    }
    done = check(grown, tools, *commands[tool])
    assert message in done.stdout, done.stdout


# ---- its contract


def fields(contract: dict[str, Any], schema: dict[str, Any]) -> str:
    """The fields of a payload, with a star where they must be there."""
    if "$ref" in schema:
        return fields(contract, contract["components"]["schemas"][schema["$ref"].split("/")[-1]])
    if schema.get("type") == "array":
        return f"[{fields(contract, schema['items'])}]"
    if "anyOf" in schema:
        return fields(contract, next(one for one in schema["anyOf"] if one.get("type") != "null"))
    shown = []
    for name, part in schema.get("properties", {}).items():
        inner = fields(contract, part)
        mark = "*" if name in schema.get("required", []) else ""
        shown.append(f"{name}{mark}({inner})" if inner and inner != "[]" else f"{name}{mark}")
    return " ".join(shown)


def told(contract: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Each operation: what is sent, and the status and fields of its success."""
    operations = {}
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            query = ["?" + each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            (status,) = (status for status in operation["responses"] if status < "400")
            content = operation["responses"][status].get("content", {}).get("application/json", {}).get("schema", {})
            operations[f"{method.upper()} {path}"] = (
                " ".join([*query, fields(contract, body)]).strip(),
                f"{status} {fields(contract, content)}".strip(),
            )
    return operations


TABLE = "id* created_at* updated_at* name* seats*"
OWN_BOOKING = "id* created_at* updated_at* table* starts_at* ends_at* party_size* note* reason* status*"
BOOKING = f"{OWN_BOOKING} owner*"


def test_the_contract_of_bistro_follows_from_its_answers(bistro: Story, tools: Path) -> None:
    assert told(contract_of(bistro, tools)) == {
        "POST /bookings": ("table* starts_at* ends_at* party_size* note phone", f"201 {BOOKING}"),
        "GET /bookings/counts": ("", "200 [status* count*]"),
        "GET /bookings.csv": ("?starts_at_from ?starts_at_to", "200"),
        "GET /me/bookings": (
            "?limit ?cursor ?status",
            "200 items*([id* table*(name*) starts_at* party_size* status*]) next*",
        ),
        "PATCH /me/bookings/{id}": ("note phone", f"200 {OWN_BOOKING}"),
        "POST /me/bookings/{id}/cancel": ("", f"200 {OWN_BOOKING}"),
        "POST /bookings/{id}/confirm": ("", f"200 {BOOKING}"),
        "POST /bookings/{id}/decline": ("reason", f"200 {BOOKING}"),
        "GET /bookings": (
            "?limit ?cursor ?table ?status ?starts_at_from ?starts_at_to",
            "200 items*([id* owner* phone* table*(name*) starts_at* party_size* note* status*]) next*",
        ),
        "POST /tables": ("name* seats*", f"201 {TABLE}"),
        "PATCH /tables/{id}": ("name seats", f"200 {TABLE}"),
        "DELETE /tables/{id}": ("", "204"),
        "GET /tables": ("?limit ?cursor ?seats_from ?seats_to", f"200 items*([{TABLE}]) next*"),
    }


def test_the_contract_of_the_clinic_follows_from_its_answers(tell: Callable[[str], Story], tools: Path) -> None:
    operations = told(contract_of(tell("clinic"), tools))
    assert len(operations) == len(tell("clinic").answers["use_cases"].splitlines())
    visit = "id* created_at* updated_at* pet* room* vet* starts_at* urgent* finding* next_on* status*"
    assert (
        operations.items()
        >= {
            "POST /pets": (
                "name* born kind chip*",
                "201 id* created_at* updated_at* name* born* kind* chip* favourite* last_visit* owner*".replace(
                    " last_visit*", ""
                ),
            ),
            "GET /me/pets/{id}": ("", "200 name* favourite*(name*)"),
            "DELETE /me/pets/{id}": ("", "204"),
            "GET /visits": (
                "?limit ?cursor ?status ?starts_at_from ?starts_at_to ?vet",
                "200 items*([id* pet*(name* chip*) room*(name* floor*) vet* reason* starts_at* status* owner*]) next*",
            ),
            "POST /me/visits/{id}/withdraw": ("", "204"),
            "POST /visits/{id}/pass": ("", f"200 {visit} owner*"),
            "POST /visits/{id}/accept": ("room urgent", "200 id* room*(name*) status*"),
            "POST /visits/{id}/close": ("finding next_on", f"200 {visit} owner*"),
            "POST /orders": ("visit* drug* amount* repeat*", "204"),
            "PATCH /rooms/{id}": ("name floor", "200 id* created_at* updated_at* name* floor* last_pet*"),
        }.items()
    )


def contract_of(story: Story, tools: Path) -> dict[str, Any]:
    main = f"from {story.package}.cli import main; main()"
    done = check(story.path, tools, "python", "-c", main, "openapi")
    assert done.returncode == 0, done.stderr
    contract: dict[str, Any] = json.loads(done.stdout)
    return contract


STAYS = """
import sqlalchemy as sa

from pet_clinic.features.visit import model
from tests.world import bearer

def test_what_is_not_sent_stays(world):
    visit = world.make_visit(urgent=True)
    answer = world.send("POST", f"/visits/{visit}/accept", bearer("vet"), {})
    assert answer.status_code == 200
    with world.engine.connect() as connection:
        assert connection.execute(sa.select(model.Visit.urgent)).scalar_one() is True
"""


LATE = """
import datetime as dt
import time

from bistro.features.booking import model, schemas
from tests.world import bearer, example, wrong_fields

def test_what_was_in_the_future_at_first(world):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    body = example(schemas.BookingCreateIn) | {"table": str(world.make_table()), "starts_at": soon.isoformat()}
    headers = {**bearer("guest"), "Idempotency-Key": "one"}
    first = world.send("POST", "/bookings", headers, body)
    time.sleep(1.1)
    again = world.send("POST", "/bookings", headers, body)
    assert (first.status_code, again.status_code, again.text) == (201, 201, first.text)
    assert world.count(model.Booking) == 1
    for late in [bearer("guest"), {**headers, "Idempotency-Key": "two"}, {**headers, **bearer("guest", "bob")}]:
        assert wrong_fields(world.send("POST", "/bookings", late, body)) == ["/starts_at"]
    other = world.send("POST", "/bookings", headers, body | {"note": "another"})
    assert other.json()["type"] == "/problems/key-reused"
"""


@pytest.mark.parametrize("name", ["bistro", "bistro_postgresql"])
def test_what_is_sent_again_is_judged_as_it_was_at_first(
    tell: Callable[[str], Story], tools: Path, tmp_path: Path, name: str
) -> None:
    service = Path(shutil.copytree(tell(name).path, tmp_path / "bistro"))
    (service / "tests/test_late.py").write_text(LATE)
    done = check(service, tools, "pytest", "--quiet", "-p", "no:cacheprovider", "tests/test_late.py")
    assert done.returncode == 0, done.stdout


def test_a_move_leaves_what_is_not_sent(tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    """A default is for what is made, and counts for nothing afterwards."""
    service = Path(shutil.copytree(tell("clinic").path, tmp_path / "clinic"))
    (service / "tests/test_stays.py").write_text(STAYS)
    done = check(service, tools, "pytest", "--quiet", "-p", "no:cacheprovider", "tests/test_stays.py")
    assert done.returncode == 0, done.stdout
    accept = (service / "contract/api.txt").read_text().split("/visits/{id}/accept:")[1].split("\n\n")[0]
    assert "    urgent?: boolean\n" in accept


@pytest.mark.parametrize(
    ("viewers", "led"), [("guest", False), ("guest, clerk", True), ("clerk, guest, cook", True), ("anyone", True)]
)
def test_a_location_is_for_each_who_may_create(template: Path, tmp_path: Path, viewers: str, led: bool) -> None:
    answers = {
        "use_cases": f"guest, clerk adds card\n{viewers} views card",
        "data": "card:\n  name: text",
        "outputs": "",
        "service_name": "cards",
    }
    service = render(template, answers, tmp_path / "cards")
    controller = (service / "src/cards/features/card/controller.py").read_text()
    assert ('response.headers["Location"] = f"/cards/{result.id}"' in controller) is led


def test_settings_of_one_that_runs_are_not_for_tests(own: Path, tools: Path) -> None:
    """Whoever copies .env.example can go on developing; whoever fills it in is tested like anybody else."""
    shutil.copy(own / ".env.example", own / ".env")
    main = "from bistro.cli import main; main()"
    assert check(own, tools, "python", "-c", main, "openapi").returncode == 0
    settings = "RATE_LIMIT=1/minute\nCORS_ORIGINS=https://a.example.com\nAUTH_ISSUER=https://login.example.com\n"
    (own / ".env").write_text((own / ".env").read_text() + settings)
    done = check(own, tools, "pytest", "--quiet", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout


# ---- its commands


def test_the_contract_says_what_headers_do(tell: Callable[[str], Story], tools: Path) -> None:
    paths = contract_of(tell("shop"), tools)["paths"]
    once = "A repeat with the same `Idempotency-Key` and body gets the first response, and does nothing."
    version = "With `If-Match`, responds with 412 unless the ETag is the current one."

    assert paths["/products"]["post"]["description"] == once
    assert paths["/me/products/{id}/publish"]["post"]["description"] == f"{version} {once}"
    assert paths["/me/products/{id}"]["patch"]["description"] == version


@pytest.fixture
def command(installed: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    return installed[0] / ".venv/bin/bistro"


@pytest.mark.parametrize(
    ("verb", "settings", "says"),
    [
        (
            "migrate",
            {},
            f"bistro: DATABASE_URL: Field required; {'; '.join(f'{name}: Field required' for name in PROVIDER)}.",
        ),
        ("serve", PROVIDER, "bistro: DATABASE_URL: Field required."),
        (
            "serve",
            {**PROVIDER, "DATABASE_URL": "sqlite:///a.db", "AUTH_AUDIENCE": ""},
            "bistro: AUTH_AUDIENCE: Field required.",
        ),
        (
            "serve",
            {**PROVIDER, "DATABASE_URL": "sqlite:///a.db", "AUTH_JWKS_URL": "file:///etc/passwd"},
            "bistro: AUTH_JWKS_URL: Has the wrong form.",
        ),
        (
            "serve",
            {**PROVIDER, "DATABASE_URL": "mysql://root@db/bistro"},
            "bistro: DATABASE_URL: Must be like sqlite:///NAME.db, or sqlite:////FOLDER/NAME.db for an absolute path.",
        ),
    ],
)
def test_production_needs_its_settings(
    command: Path, tmp_path: Path, verb: str, settings: dict[str, str], says: str
) -> None:
    done = run(tmp_path, command, verb, **settings)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr == f"{says} The settings are explained in .env.example.\n"


@contextmanager
def served(service: Path, *verb: str, first: str = "", **environment: str) -> Iterator[str]:
    """The running service, when it is ready; `first` is done in its process before."""
    base = f"http://127.0.0.1:{free_port()}"
    main = f"{first}; from bistro.cli import main; main()"
    program = [service / ".venv/bin/python", "-c", main] if first else [service / ".venv/bin/bistro"]
    port = base.rpartition(":")[2]
    with running(service, f"{base}/health/live", *program, *verb, "--port", port, **environment):
        yield base


def token(command: Path, *who: str) -> str:
    done = run(command.parent, command, "token", *who)
    assert done.stderr == ""
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)
    return f"Bearer {done.stdout.strip()}"


def test_development(installed: tuple[Path, subprocess.CompletedProcess[str]], command: Path) -> None:
    with served(installed[0], "dev") as base:
        assert status_of(f"{base}/health/ready") == 200
        assert status_of(f"{base}/docs") == 200
        assert status_of(f"{base}/tables") == 200
        assert status_of(f"{base}/me/bookings") == 401
        assert status_of(f"{base}/me/bookings", Authorization=token(command, "guest", "ann")) == 200
        assert status_of(f"{base}/me/bookings", Authorization=token(command, "staff", "sam")) == 403


def test_production(installed: tuple[Path, subprocess.CompletedProcess[str]], command: Path, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/production.db", **PROVIDER}
    with served(installed[0], "serve", **settings) as base:
        assert status_of(f"{base}/tables") == 500
        assert run(installed[0], command, "migrate", **settings).returncode == 0
        assert status_of(f"{base}/tables") == 200
        assert status_of(f"{base}/docs") == status_of(f"{base}/openapi.json") == 404
        assert status_of(f"{base}/me/bookings") == 401
        # Nobody answers for the provider, so that no token can be judged.
        assert status_of(f"{base}/me/bookings", Authorization=token(command, "guest", "ann")) == 503


def test_production_logs_json(
    installed: tuple[Path, subprocess.CompletedProcess[str]], command: Path, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/production.db", **PROVIDER}
    with served(installed[0], "serve", "--workers", "2", **settings) as base:
        assert status_of(f"{base}/tables") == 500
        assert status_of(f"{base}/tables?token=secret") == 422
    lines = [json.loads(line) for line in (installed[0] / "served.log").read_text().splitlines()]
    (crash,) = [line for line in lines if line["message"] == "crashed"]
    # By the status: a crash is logged after its response has been sent.
    (access,) = [line for line in lines if line.get("status") == 500]
    (refused,) = [line for line in lines if line.get("status") == 422]
    assert crash["request_id"] == access["request_id"] != refused["request_id"]
    assert "no such table" in crash["exception"]
    assert (access["method"], access["status"], refused["status"]) == ("GET", 500, 422)
    assert access["logger"] == crash["logger"] == "bistro.web.middleware"
    assert (refused["operation"], refused["problem"]) == ("list_tables", "/problems/invalid-request")
    assert "secret" not in str(lines)


@contextmanager
def begun(base: str, token: str) -> Iterator[socket.socket]:
    """A request whose body does not end, of one who may send it."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        head = ["POST /tables HTTP/1.1", "Host: a", "Content-Type: application/json", "Content-Length: 2"]
        head.append(f"Authorization: {token}")
        client.sendall("\r\n".join([*head, "", "{"]).encode())
        yield client


def answered(client: socket.socket) -> bytes:
    answer = b""
    while more := client.recv(65536):
        answer += more
    return answer


def test_slow_clients_hold_nobody_up(installed: tuple[Path, subprocess.CompletedProcess[str]], command: Path) -> None:
    sam = token(command, "staff", "sam")
    hurry = "from bistro.web import middleware; middleware.BODY_TIMEOUT = 3"
    with served(installed[0], "dev", "--no-reload", first=hurry) as base, ExitStack() as clients:
        slow = [clients.enter_context(begun(base, sam)) for _ in range(100)]
        started = time.monotonic()
        assert status_of(f"{base}/tables") == 200
        assert time.monotonic() - started < 2
        for client in slow:
            answer = answered(client)
            assert answer.startswith(b"HTTP/1.1 408 ") and b"/problems/too-slow" in answer


def test_what_was_begun_is_finished_before_it_stops(
    installed: tuple[Path, subprocess.CompletedProcess[str]], command: Path
) -> None:
    sam = token(command, "staff", "sam")
    with ExitStack() as running, ThreadPoolExecutor() as threads:
        base = running.enter_context(served(installed[0], "dev", "--no-reload"))
        with begun(base, sam) as client:
            time.sleep(0.5)
            stopping = threads.submit(running.close)
            time.sleep(0.5)
            assert status_of(f"{base}/health/live") == 0
            client.sendall(b"}")
            assert answered(client).startswith(b"HTTP/1.1 422 ")
        stopping.result()


def test_a_token_is_for_somebody_who_is_known(command: Path, tmp_path: Path) -> None:
    done = run(tmp_path, command, "token", "cook", "ann")
    assert done.returncode != 0
    assert done.stdout == "" and "invalid choice: 'cook'" in done.stderr
