"""contract/api.txt follows from the answers; what is served otherwise is told, with what it does to clients."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from stories import Story, run

ENVIRONMENT = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
FILE = "contract/api.txt"


@pytest.fixture
def own(bistro: Story, tmp_path: Path) -> Path:
    """A bistro to break."""
    return Path(shutil.copytree(bistro.path, tmp_path / "bistro"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def report(service: Path, tools: Path) -> str:
    """What the generated test says; empty where it passes."""
    test = ["--quiet", "-p", "no:cacheprovider", "tests/test_contract.py"]
    done = run(service, tools / "python", "-m", "pytest", *test, **ENVIRONMENT)
    told = "What is served (+) differs from contract/api.txt (-)" in done.stdout
    assert done.returncode == told, done.stdout + done.stderr
    return done.stdout if done.returncode else ""


def accept(service: Path, tools: Path) -> str:
    """As `make contract` does."""
    done = run(service, tools / "python", "-m", "tests.accept", **ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_follows_from_the_answers(story: Story, tools: Path, tmp_path: Path) -> None:
    service = Path(shutil.copytree(story.path, tmp_path / "service"))
    assert accept(service, tools) == ""
    assert (service / FILE).read_text() == story.files()[FILE]


def test_it_reads_like_this(tell: Callable[[str], Story]) -> None:
    operations = [part for name in ["bistro", "clinic"] for part in tell(name).files()[FILE].strip().split("\n\n")]
    for operation in [
        """\
GET /me/bookings: Guest lists own bookings
  for guest
  query
    limit?: integer 1..100 = 20
    cursor?: uuid
    status?[]: "requested" | "confirmed" | "declined" | "cancelled"
  response 200, a page of
    id: uuid
    table.name: text
    starts_at: datetime
    party_size: integer
    status: "requested" | "confirmed" | "declined" | "cancelled"
  errors 401, 403, 422""",
        """\
DELETE /tables/{id}: Staff removes table
  for staff
  response 204
  errors 401, 403, 404, 409, 412""",
        """\
GET /me/pets/{id}: Keeper views own pet
  for keeper
  response 200
    name: text
    favourite?.name: text
  errors 401, 403, 404""",
    ]:
        assert operation in operations


# The service, changed: the file, what is there, what comes instead, and what the test says then.
SERVED = {
    "an operation gone": (
        "features/table/controller.py",
        '    "/tables/{id:uuid}",\n    summary="Staff removes',
        '    "/tables/{id:uuid}",\n    include_in_schema=False,\n    summary="Staff removes',
        "DELETE /tables/{id}\n    - DELETE /tables/{id}: Staff removes table\n      breaks clients: it is gone\n",
    ),
    "an operation more": (
        "features/table/controller.py",
        "@router.post(",
        '@router.get("/tables/best")\ndef best_table() -> list[str]:\n    return []\n\n\n@router.post(',
        "GET /tables/best\n    + GET /tables/best: Best Table\n      fine for clients\n",
    ),
    "a role gone": (
        "features/table/controller.py",
        'auth.require("staff")',
        'auth.require("manager")',
        "    - for staff\n    + for manager\n      breaks clients: some may not call it any more\n",
    ),
    "a role more": (
        "features/booking/controller.py",
        'auth.require("guest")',
        'auth.require("guest", "staff")',
        "POST /bookings for\n    - for guest\n    + for guest, staff\n      fine for clients\n",
    ),
    "no login any more": (
        "features/table/controller.py",
        '    dependencies=[auth.require("staff")],\n',
        "",
        "POST /tables for\n    - for staff\n    + for anyone\n      fine for clients\n",
    ),
    "another status": (
        "features/booking/controller.py",
        "status_code=201",
        "status_code=200",
        "    - response 201\n    + response 200\n      breaks clients: another status, or another form\n",
    ),
    "a refusal more": (
        "features/table/controller.py",
        "problems.responses(422)",
        "problems.responses(404, 422)",
        "    + errors 404, 422\n      breaks clients: another status, or another form\n",
    ),
    "a field shown no more": (
        "features/table/schemas.py",
        "    seats: int\n\n\nclass TablePage",
        "\n\nclass TablePage",
        # Equal changes together, and not the response with a class of its own.
        "GET /tables response\nPATCH /tables/{id} response\n    - seats: integer\n",
    ),
    "a field sent no more": (
        "features/booking/schemas.py",
        "    note: Text",
        "    remark: Text",
        "POST /bookings body\n    - note?: text ..500 | null\n      breaks clients: it is gone\n",
    ),
    "a field that must be sent": (
        "features/table/schemas.py",
        "    seats: Integer",
        "    rank: Integer = Field(examples=[1])\n    seats: Integer",
        "POST /tables body\n    + rank: integer\n      breaks clients: they do not send it\n",
    ),
    "a choice more": (
        "features/booking/model.py",
        '    CANCELLED = "cancelled"\n',
        '    CANCELLED = "cancelled"\n    SEATED = "seated"\n',
        ' | "cancelled" | "seated"\n      breaks clients: they may not understand what they get\n',
    ),
}


@pytest.mark.parametrize("case", SERVED)
def test_what_is_served_otherwise(own: Path, tools: Path, case: str) -> None:
    file, old, new, said = SERVED[case]
    change(own / "src/bistro" / file, old, new)
    assert said in report(own, tools)


def test_a_change_is_accepted(own: Path, tools: Path) -> None:
    change(own / "src/bistro/features/booking/schemas.py", "le=12", "le=10")
    assert "If that is meant, `make contract` writes it there" in report(own, tools)
    before = (own / FILE).read_text()
    assert "      breaks clients: what they send may be refused\n" in accept(own, tools)
    assert report(own, tools) == ""
    # Nothing but that line is written anew, and what was said at the head stays.
    assert (own / FILE).read_text() == before.replace("integer 1..12\n    note", "integer 1..10\n    note")


# An operation of the file as it is, what it is made to say, and what the service does then.
SENT = [
    ("    party_size: integer 1..12", "    party_size: integer 1..13", "breaks"),
    ("    party_size: integer 1..12", "    party_size: integer 0..12", "breaks"),
    ("    party_size: integer 1..12", "    party_size: integer", "breaks"),
    ("    party_size: integer 1..12", "    party_size: integer 2..11", "fine"),
    ("    party_size: integer 1..12", "    party_size?: integer 1..12", "breaks"),
    ("    party_size: integer 1..12", "    party_size?: integer 1..12 = 2", "breaks"),
    ("    party_size: integer 1..12", "    party_size: decimal 1..12", "breaks"),
    ("    ends_at: datetime", "    ends_at: datetime future", "fine"),
    ("    starts_at: datetime", "    starts_at: date", "breaks"),
    ("    table: uuid\n", "", "breaks"),
    ("    note?: text ..500 | null", "    note?: text ..500", "fine"),
    ("    note?: text ..500 | null", "    note: text ..500 | null", "fine"),
    ("    note?: text ..500 | null", "    note?: text ..500 | null matching ^a*$", "fine"),
    ("    note?: text ..500 | null", "    note?: text | null", "breaks"),
    ("    note?: text ..500 | null\n", "", "fine"),
]
SHOWN = [
    ("    note: text | null", "    note: text", "breaks"),
    ("    note: text | null", "    note?: text | null", "fine"),
    ("    party_size: integer", "    party_size: integer | null", "fine"),
    ("    party_size: integer", "    party_size: text", "breaks"),
    ('    status: "requested" | ', '    status: "requested" | "asked" | ', "fine"),
    ('    status: "requested" | ', "    status: ", "breaks"),
    ("    owner: text\n", "", "fine"),
    ("    owner: text\n", "    owner: text\n    rating: integer\n", "breaks"),
]
QUERY = [
    ("    table?[]: uuid\n", "", "fine"),
    ("    table?[]: uuid\n", "    table?[]: uuid\n    party?: integer\n", "breaks"),
    ("    table?[]: uuid\n", "    table[]: uuid\n", "fine"),
    ("    table?[]: uuid\n", "    table?: uuid\n", "fine"),
    ("    limit?: integer 1..100 = 20", "    limit?: integer 1..100 = 50", "breaks"),
    ("    limit?: integer 1..100 = 20", "    limit?: integer 1..200 = 20", "breaks"),
    ('    status?[]: "requested" | ', '    status?[]: "requested" | "asked" | ', "breaks"),
    ("  response 200, a page of", "  response 200, a list of", "breaks"),
    ("  for staff", "  for anyone", "breaks"),
    ("  for staff", "  for staff, manager", "breaks"),
    ("  errors 401, 403, 422", "  errors 401, 403, 409, 422", "breaks"),
    ("Staff lists bookings", "Bookings are listed", "fine"),
]
TOLD = [
    *(("POST /bookings: ", "body", *case) for case in SENT),
    *(("POST /bookings: ", "response", *case) for case in SHOWN),
    *(("GET /bookings: ", "", *case) for case in QUERY),
]


def test_what_a_difference_does_to_clients(own: Path, tools: Path) -> None:
    """Judged all at once, in one process: each case is a contract of its own."""
    original = (own / FILE).read_text()
    cases = []
    for operation, place, old, new, mark in TOLD:
        start = original.index(f"\n{operation}")
        start = original.index(f"  {place}", start) if place else start
        at = original.index(old, start)
        cases.append((original[:at] + new + original[at + len(old) :], mark))
    judged = f"""
import pytest
from tests import contract, test_contract

CASES = {cases!r}


class Edited:
    def __init__(self, text):
        self.text = text

    def exists(self):
        return True

    def read_text(self, _):
        return self.text


@pytest.mark.parametrize(("text", "mark"), CASES)
def test_mark(client, monkeypatch, text, mark):
    monkeypatch.setattr(contract, "FILE", Edited(text))
    with pytest.raises(pytest.fail.Exception) as failed:
        test_contract.test_contract(client)
    report = str(failed.value)
    assert ("breaks clients" in report, "fine for clients" in report) == (mark == "breaks", mark == "fine"), report
"""
    (own / "tests/test_marks.py").write_text(judged)
    test = ["--quiet", "-p", "no:cacheprovider", "tests/test_marks.py"]
    done = run(own, tools / "python", "-m", "pytest", *test, **ENVIRONMENT)
    assert done.returncode == 0, done.stdout
    assert f"{len(TOLD)} passed" in done.stdout


def test_an_order_or_a_remark_is_no_difference(own: Path, tools: Path) -> None:
    file = own / FILE
    head, *operations = file.read_text().strip().split("\n\n")
    file.write_text("\n\n".join([head, *reversed(operations)]) + "\n")
    change(file, "# What clients", "# A remark of ours.\n# What clients")
    assert report(own, tools) == ""
