"""What is stale stops `make test` before anything else runs, in one line that names the command."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from stories import Story, git, owned, run

ENVIRONMENT = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
FEATURES = "src/bistro/features/"
MIGRATION = 'A migration is missing (bookings). Run: make migration name="what changes"'


@pytest.fixture
def own(bistro: Story, tmp_path: Path) -> Path:
    """A bistro to break, installed and in git."""
    return owned(bistro, tmp_path / "bistro")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def make(service: Path, tools: Path, target: str = "test") -> list[str]:
    """What it prints, but for make's own last line."""
    done = run(service, "make", target, f"BIN={tools}", **ENVIRONMENT)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if not line.startswith("make: ***")]


def failing(service: Path, tools: Path, *which: str) -> str:
    done = run(service, tools / "pytest", "--quiet", "-p", "no:cacheprovider", *which, **ENVIRONMENT)
    assert done.returncode == 1, done.stdout
    return done.stdout


# ---- a missing migration

DATABASES = pytest.mark.parametrize("name", ["bistro", "bistro_postgresql"])
MODELS = {
    "a column": ("    note: orm", "    allergies: orm.Mapped[str | None]\n    note: orm"),
    "a bound": ('"party_size").between(1, 12)', '"party_size").between(1, 20)'),
    "a choice": ('    CANCELLED = "cancelled"\n', '    CANCELLED = "cancelled"\n    SEATED = "seated"\n'),
    "an index": ('        sa.Index("ix_bookings_owner_id", "owner", "id"),\n', ""),
    "what a reference does": ('ondelete="RESTRICT"', 'ondelete="CASCADE"'),
    "what is unique": (
        '            "table",\n            "starts_at",\n            unique=True',
        '            "table",\n            "ends_at",\n            unique=True',
    ),
}


@DATABASES
def test_a_missing_migration(name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    service = owned(tell(name), tmp_path / "bistro")
    # Once more, since what was found equal is remembered.
    for _ in range(2):
        assert run(service, tools / "python", "-m", "tests.stale", **ENVIRONMENT).stderr == ""
    change(service / FEATURES / "booking/model.py", *MODELS["a column"])
    assert make(service, tools) == [MIGRATION]
    # By hand: one line instead of a failure of each test.
    said = failing(service, tools, "tests/features")
    assert f"Exit: {MIGRATION}" in said and "FAILED" not in said and len(said.splitlines()) < 5


@DATABASES
@pytest.mark.parametrize("edit", MODELS)
def test_what_a_model_says_and_no_migration(
    name: str, edit: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path
) -> None:
    service = Path(shutil.copytree(tell(name).path, tmp_path / "bistro"))
    change(service / FEATURES / "booking/model.py", *MODELS[edit])
    assert run(service, tools / "python", "-m", "tests.stale", **ENVIRONMENT).stderr == f"{MIGRATION}\n"


# ---- a stale contract


def test_a_stale_contract(own: Path, tools: Path) -> None:
    change(own / FEATURES / "booking/schemas.py", "        le=12,", "        le=10,")
    counted = "changes: 1, of which break clients: 1"
    assert make(own, tools) == [
        f"contract/api.txt is not what is served ({counted}). Read `git diff` after you run: make contract"
    ]
    said = make(own, tools, "contract")
    assert "      breaks clients: what they send may be refused" in said
    assert run(own, tools / "python", "-m", "tests.stale", **ENVIRONMENT).stderr == ""
    assert git(own, "diff", "--stat", "contract").count("|") == 1


# ---- a field by hand, and what is made of it

FIELD = ("    reason: str", "    allergies: str | None\n    reason: str")
SENT = '    allergies: Text | None = Field(default=None, examples=["Nuts"])\n'


def with_a_field(service: Path, tools: Path) -> None:
    """As an owner adds one: no line of docs/ or contract/ is written by hand."""
    change(service / FEATURES / "booking/model.py", *MODELS["a column"])
    schemas = service / FEATURES / "booking/schemas.py"
    change(schemas, "    party_size: Integer = Field(", SENT + "    party_size: Integer = Field(")
    for name in ["BookingCreateOut", "BookingOut", "OwnBookingOut"]:
        head, out = schemas.read_text().split(f"\nclass {name}(", 1)
        schemas.write_text(f"{head}\nclass {name}({out.replace(*FIELD, 1)}")
    assert make(service, tools, "contract") == [MIGRATION]
    done = run(service, tools / "python", "-m", "tests.migration", "allergies", **ENVIRONMENT)
    assert done.returncode == 0, done.stderr


@DATABASES
def test_a_field_by_hand(name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    service = owned(tell(name), tmp_path / "bistro")
    # Their values come from the rows of the tests, those of the template from the answers.
    make(service, tools, "contract")
    git(service, "commit", "-am", "examples")
    with_a_field(service, tools)
    (line,) = make(service, tools)
    assert line.startswith("contract/api.txt is not what is served (changes: ") and line.endswith("make contract")

    said = make(service, tools, "contract")

    assert "    + allergies: text | null" in said
    files = git(service, "diff", "--numstat", "docs", "contract").splitlines()
    added = {path: (int(new), int(gone)) for new, gone, path in map(str.split, files)}
    assert added == {"contract/api.txt": (6, 0), "docs/examples.md": (6, 0)}
    examples = (service / "docs/examples.md").read_text()
    # What was sent comes back; of rows that are there, none has a value.
    assert examples.count('"allergies": "Nuts"') == 2 and examples.count('"allergies": null') == 4
    assert run(service, tools / "python", "-m", "tests.stale", **ENVIRONMENT).stderr == ""
    done = run(service, tools / "pytest", "--quiet", "-p", "no:cacheprovider", "tests/test_docs.py", **ENVIRONMENT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["bistro", "shop", "parcels", "clinic"])
def test_what_is_rendered_is_what_is_served(
    name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path
) -> None:
    """But for values of examples, which come from the rows of the tests."""
    service = owned(tell(name), tmp_path / "service")
    assert make(service, tools, "contract") == []
    assert git(service, "diff", "contract") == ""
    lines = [line for line in git(service, "diff", "docs").splitlines() if re.match(r"[+-][^+-]", line)]
    before, after = ([re.split('(?<=":) ', line)[0][1:] for line in lines if line[0] == sign] for sign in "-+")
    assert before == after and before


EXAMPLES = {
    "a name less": ('      "name": "First name",\n      "seats": 1', '      "seats": 1', '+      "name": …'),
    "a name more": ('  "party_size": 1,\n  "note"', '  "size": 1,\n  "party_size": 1,\n  "note"', '-  "size": …'),
    "another path": ("POST /tables\n", "POST /table\n", "-POST /table\n+POST /tables\n"),
    "another role": ("<token of staff>", "<token of cook>", "+Authorization: Bearer <token of staff>"),
    "another status": ("Response 204", "Response 200", "+Response 204"),
    "a use case less": ("## Staff adds table\n", "## Staff brings table\n", "--- docs/examples.md, Staff adds table\n"),
}


@pytest.mark.parametrize("edit", EXAMPLES)
def test_stale_examples(own: Path, tools: Path, edit: str) -> None:
    old, new, said = EXAMPLES[edit]
    change(own / "docs/examples.md", old, new)
    reported = failing(own, tools, "tests/test_docs.py")
    assert "--- docs/examples.md, " in reported and said in reported and "\nRun: make contract\n" in reported
    make(own, tools, "contract")
    done = run(own, tools / "pytest", "--quiet", "-p", "no:cacheprovider", "tests/test_docs.py", **ENVIRONMENT)
    assert done.returncode == 0, done.stdout


def test_an_endpoint_by_hand(own: Path, tools: Path) -> None:
    """Its example is made of the response, as soon as the rows are there that it needs."""
    controller = own / FEATURES / "table/controller.py"
    text = '@router.get("/tables/{id}/label", summary="The label")\ndef label_table(id: UUID) -> dict[str, str]:\n'
    text += '    return {"label": str(id)}\n'
    controller.write_text(f"{controller.read_text()}\n\n{text}")
    make(own, tools, "contract")
    example = (own / "docs/examples.md").read_text().split("## The label\n")[1].split("\n## ")[0]
    assert "GET /tables/01980000-0000-7000-8000-000000000001/label\n" in example
    assert '"label": "01980000-0000-7000-8000-000000000001"' in example
    change(controller, '    return {"label"', '    raise errors.TableNotFound\n    return {"label"')
    change(controller, "from . import ", "from . import errors, ")
    (line,) = make(own, tools, "contract")
    assert line.endswith("Add the rows that it needs to ROWS of tests/examples.py: label_table")


# ---- a conflict

CONFLICT = "<<<<<<< before updating\nours\n=======\ntheirs\n>>>>>>> after updating\n"


@pytest.mark.parametrize("files", [["README.md"], ["pyproject.toml"], ["src/bistro/app.py", "tests/conftest.py"]])
def test_a_conflict(own: Path, tools: Path, files: list[str]) -> None:
    for file in files:
        (own / file).write_text(CONFLICT + (own / file).read_text())
    # A file that is newer than what was installed would be installed first.
    named = f"Conflicts, {len(files)}: {' '.join(files)}."
    assert make(own, tools) == [f"{named} Keep what is right. Run: git grep '^<<<<<<< '"]


@pytest.mark.parametrize("file", ["contract/api.txt", "docs/examples.md"])
def test_a_conflict_in_what_is_derived(own: Path, tools: Path, file: str) -> None:
    make(own, tools, "contract")
    path = own / file
    before = path.read_text()
    path.write_text(before.replace("\nPOST /tables", f"\n{CONFLICT}POST /tables"))
    if file == "contract/api.txt":
        (line,) = make(own, tools)
        assert line.startswith(f"{file} is not what is served") and line.endswith("make contract")
    else:
        assert "\nRun: make contract\n" in failing(own, tools, "tests/test_docs.py")
    make(own, tools, "contract")
    assert path.read_text() == before


# ---- nothing stale


def test_what_cannot_be_imported_is_for_the_linters(own: Path, tools: Path) -> None:
    change(own / "src/bistro/app.py", "def create_app(", "nowhere.at_all()\n\n\ndef create_app(")
    assert any("F821" in line for line in make(own, tools))


# ---- a connection

CLIENT = '''"""The ledger of the house."""

import socket
import urllib.request


def balance() -> bytes:
    with socket.socket() as plain:
        HOW
    return b""
'''
ROUTE = """
@router.get("/balance")
def balance() -> str:
    return ledger.balance().decode()
"""
OPENED = """
from bistro.clients import ledger
from tests.world import NOBODY, World


def test_balance(world: World) -> None:
    assert world.send("GET", "/balance", NOBODY).status_code == STATUS


def test_faked(world: World, monkeypatch) -> None:
    monkeypatch.setattr(ledger, "balance", lambda: b"12")
    assert world.send("GET", "/balance", NOBODY).json() == "12"
"""


@pytest.mark.parametrize(
    ("how", "where"),
    [
        ('urllib.request.urlopen("http://ledger.example.com/balance")', "ledger.example.com:80"),
        ('socket.create_connection(("192.0.2.1", 443))', "192.0.2.1:443"),
        ('plain.connect(("192.0.2.1", 25))', "192.0.2.1:25"),
        ('plain.connect_ex(("192.0.2.1", 25))', "192.0.2.1:25"),
    ],
)
@pytest.mark.parametrize("status", [500, 200])
def test_a_connection(own: Path, tools: Path, how: str, where: str, status: int) -> None:
    """It fails the test, whatever the service makes of it, and whatever the test expects of the service."""
    (own / "src/bistro/clients").mkdir()
    (own / "src/bistro/clients/ledger.py").write_text(CLIENT.replace("HOW", how))
    controller = own / FEATURES / "table/controller.py"
    change(controller, "from . import", "from ...clients import ledger\nfrom . import")
    controller.write_text(f"{controller.read_text()}\n{ROUTE}")
    (own / "tests/test_ledger.py").write_text(OPENED.replace("STATUS", str(status)))

    said = failing(own, tools, "tests/test_ledger.py")

    assert f"tests/test_ledger.py::test_balance opened a connection to {where}.\n" in said
    assert "clients/" in said and "monkeypatch.setattr" in said
    assert "1 failed, 1 passed" in said


# ---- tables


def test_an_error_that_no_table_lists(own: Path, tools: Path) -> None:
    errors = own / FEATURES / "table/errors.py"
    errors.write_text(f'{errors.read_text()}\n\nclass TableLimitReached(Conflict):\n    title = "Too many tables"\n')
    said = failing(own, tools, "tests/test_problems.py")
    assert '\nAdd "/problems/table-limit-reached" to TYPES of tests/test_problems.py\n' in said
    assert "1 failed" in said


def test_an_operation_that_no_table_lists(own: Path, tools: Path) -> None:
    controller = own / FEATURES / "table/controller.py"
    controller.write_text(f'{controller.read_text()}\n\n@router.get("/menu")\ndef menu() -> str:\n    return ""\n')
    said = failing(own, tools, "tests/test_security.py")
    assert '\nAdd "menu" to MAY of tests/test_security.py, with the roles that may call it\n' in said
