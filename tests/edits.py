"""What owners of a bistro write in it, and what they and we change about it afterwards.

An edit is a list of (file, text, text instead): without a text the file is new, without another it is deleted.
Or it is what a refactoring does with all files, by their names. Both can be made again on a newer rendering.
A change is the same for the answers, or for the files of the template.
"""

from collections.abc import Callable
from pathlib import Path

from scopes import scope_at

Files = dict[str, str]
Parts = list[tuple[str, str | None, str | None]]
Edit = Parts | Callable[[Files], None]
Answers = dict[str, str]

BOOKING = "src/bistro/features/booking/"
TABLE = "src/bistro/features/table/"

# A rule as the README of a service explains it: it takes three rooms.
RULE: Parts = [
    (
        TABLE + "errors.py",
        "\n\nclass TableInUse",
        '\n\nclass TableLimitReached(Conflict):\n    title = "There are already enough tables"\n\n\nclass TableInUse',
    ),
    (
        TABLE + "repository.py",
        "",
        "\n    def count(self) -> int:\n        query = sa.select(sa.func.count(model.Table.id))\n"
        "        return int(self._execute(query).scalar_one())\n",
    ),
    (TABLE + "repository.py", "from uuid import UUID\n", "from uuid import UUID\n\nimport sqlalchemy as sa\n"),
    (
        TABLE + "service.py",
        "        values = new.model_dump()\n",
        "        if self._repository.count() >= 20:\n            raise errors.TableLimitReached\n"
        "        values = new.model_dump()\n",
    ),
    (TABLE + "service.py", "from . import repository, schemas", "from . import errors, repository, schemas"),
    (
        "tests/test_problems.py",
        '    "/problems/table-name-taken",\n',
        '    "/problems/table-limit-reached",\n    "/problems/table-name-taken",\n',
    ),
    (
        "tests/features/table/test_limit.py",
        None,
        '"""No more tables than the room has space for."""\n\n'
        "from tests.world import World, bearer\n\n\n"
        "def test_the_twenty_first_table(world: World) -> None:\n"
        "    for _ in range(20):\n        world.make_table()\n\n"
        '    answer = world.send("POST", "/tables", bearer("staff"), {"name": "Garden", "seats": 4})\n\n'
        "    assert answer.status_code == 409\n"
        '    assert answer.json()["type"] == "/problems/table-limit-reached"\n',
    ),
]

EDITS: dict[str, Parts] = {
    "nothing": [],
    "a rule of three rooms": RULE,
    "a rule in a busy method": [
        (
            BOOKING + "service.py",
            '.check_reference(new.table, "table")\n',
            '.check_reference(new.table, "table")\n'
            "        # The kitchen closes between lunch and dinner.\n"
            "        if new.ends_at - new.starts_at > dt.timedelta(hours=6):\n"
            "            raise errors.BookingTooLong\n",
        ),
        (BOOKING + "service.py", "from uuid import UUID\n", "import datetime as dt\nfrom uuid import UUID\n"),
        (BOOKING + "service.py", "import model, repository, schemas\n", "import errors, model, repository, schemas\n"),
        (
            BOOKING + "errors.py",
            "",
            '\n\nclass BookingTooLong(Conflict):\n    title = "A booking is for six hours at most"\n',
        ),
        (
            "tests/test_problems.py",
            '    "/problems/booking-table-starts-at-taken",\n',
            '    "/problems/booking-table-starts-at-taken",\n    "/problems/booking-too-long",\n',
        ),
    ],
    "a condition of a move": [
        (
            BOOKING + "service.py",
            '        model.CONFIRM.check(row["status"], model.TRANSITIONS)\n',
            '        model.CONFIRM.check(row["status"], model.TRANSITIONS)\n'
            "        # Asked of the ledger before it is promised to the guest.\n"
            '        log.info("confirming %s", id)\n',
        ),
        (
            BOOKING + "service.py",
            "from uuid import UUID\n\nfrom ...clock",
            "import logging\nfrom uuid import UUID\n\nfrom ...clock",
        ),
        (
            BOOKING + "service.py",
            "model, repository, schemas\n",
            'model, repository, schemas\n\nlog = logging.getLogger("bookings")\n',
        ),
    ],
    "a query at the end of a repository": [
        (
            BOOKING + "repository.py",
            "",
            "\n    def busiest_size(self) -> int | None:\n"
            "        query = sa.select(sa.func.max(model.Booking.party_size))\n"
            "        return self._execute(query).scalar_one_or_none()\n",
        ),
    ],
    "a query amid a repository": [
        (
            BOOKING + "repository.py",
            "\n    def count(self",
            "\n    def seats_taken(self, table: UUID) -> int:\n"
            "        query = sa.select(sa.func.sum(model.Booking.party_size)).where(model.Booking.table == table)\n"
            "        return self._execute(query).scalar_one_or_none() or 0\n\n    def count(self",
        ),
    ],
    "a condition of an export": [
        (
            BOOKING + "repository.py",
            "        return self._stream(exported)\n",
            "        exported = exported.where(model.Booking.status != model.BookingStatus.CANCELLED)\n"
            "        return self._stream(exported)\n",
        ),
    ],
    "an endpoint more": [
        (
            BOOKING + "controller.py",
            "",
            '\n\n@router.get(\n    "/bookings/{id:uuid}/label",\n    summary="The label for the table",\n'
            '    dependencies=[auth.require("staff")],\n    responses=problems.responses(401, 403, 404),\n)\n'
            "def label_booking(id: UUID, request: Request) -> dict[str, str]:\n"
            "    with transaction.write(request) as tx:\n"
            '        return {"label": service.BookingService(tx).label(id)}\n',
        ),
        (
            BOOKING + "service.py",
            "\n    def cancel_own(self",
            "\n    def label(self, id: UUID) -> str:\n"
            '        """What stands on the table."""\n'
            "        row = self._repository.lock(id, None)\n"
            "        return f\"Reserved ({row['status']})\"\n\n"
            "    def cancel_own(self",
        ),
        ("tests/test_security.py", '    "list_bookings": {', '    "label_booking": {"staff"},\n    "list_bookings": {'),
        (
            "tests/examples.py",
            '    "list_bookings": [',
            '    "label_booking": [("booking", {"id": ID})],\n    "list_bookings": [',
        ),
        (
            "contract/api.txt",
            "\nPOST /tables: ",
            "\nGET /bookings/{id}/label: The label for the table\n  for staff\n  response 200\n    all: object\n"
            "  errors 401, 403, 404\n\nPOST /tables: ",
        ),
    ],
    "an error's text": [
        (BOOKING + "errors.py", '"Booking not found"', '"We know of no such booking"'),
        (TABLE + "errors.py", "Something still refers to this table", "Move its bookings first"),
    ],
    "a renamed test": [
        (
            "tests/features/booking/test_use_cases.py",
            "def test_create_booking(world",
            "def test_a_guest_asks_for_a_table(world",
        ),
        (
            "tests/features/booking/test_service.py",
            "def test_transitions_that_the_state_does_not_allow(",
            "def test_a_booking_that_is_over_stays_as_it_is(",
        ),
    ],
    "tests at the end of a file": [
        (
            "tests/features/booking/test_use_cases.py",
            "",
            "\n\ndef test_a_booking_needs_a_table(world: World) -> None:\n    world.make_booking()\n\n"
            "    assert world.count(model.Booking) == 1\n",
        ),
        (
            "tests/features/table/test_use_cases.py",
            "",
            '\n\ndef test_a_table_has_one_name(world: World) -> None:\n    world.make_table(name="Window")\n\n'
            "    assert world.count(model.Table) == 1\n",
        ),
    ],
    "a dependency": [
        ("pyproject.toml", '    "uvicorn>=0.54,<1",\n', '    "uvicorn>=0.54,<1",\n    "typing-extensions>=4.12",\n'),
        ("pyproject.toml", '    "httpx2>=2.16,<3",\n', '    "httpx2>=2.16,<3",\n    "idna>=3",\n'),
    ],
    "a README of one's own": [
        (
            "README.md",
            "Guests book a table without phoning the restaurant.\n",
            "Guests book a table without phoning the restaurant. Anna and Ben keep it running; ask them first.\n",
        ),
        ("README.md", "## Debug it\n", "## Who is on call\n\nSee the list in the kitchen.\n\n## Debug it\n"),
        ("README.md", "make run     # for development: http", "make run     # on your own machine: http"),
    ],
    "prose in the docs": [
        (
            "docs/use-cases.md",
            "### Staff confirms booking\n",
            "### Staff confirms booking\n\nThe guest gets a letter. Nobody confirms on a Sunday.\n",
        ),
    ],
    "a summary and a log line": [
        (BOOKING + "controller.py", 'summary="Staff confirms booking"', 'summary="Staff promises a table"'),
        (
            BOOKING + "controller.py",
            "as tx:\n        key = ",
            'as tx:\n        log.info("%s asks for a table", caller.name)\n        key = ',
        ),
        (
            BOOKING + "controller.py",
            "\n\n\n@router.post(  # create_booking\n",
            '\nlog = logging.getLogger("bookings")\n\n\n@router.post(  # create_booking\n',
        ),
        (BOOKING + "controller.py", "from typing import", "import logging\nfrom typing import"),
        ("contract/api.txt", "/confirm: Staff confirms booking", "/confirm: Staff promises a table"),
    ],
    "another row in the tests' world": [
        ("tests/world.py", '            "seats": 1,\n', '            "seats": 2,\n'),
    ],
    "a setting": [
        (
            "src/bistro/settings.py",
            "\n    @pydantic.model_validator",
            '    house: str = pydantic.Field(default="Chez nous", min_length=1)\n\n    @pydantic.model_validator',
        ),
        (".env.example", "", "\n# What the house is called on letters.\n# HOUSE=Chez nous\n"),
    ],
    "a migration": [
        (
            "migrations/versions/0002_round_tables.py",
            None,
            '"""Round tables."""\n\nfrom alembic import op\n\nrevision = "0002"\ndown_revision = "0001"\n'
            "branch_labels = None\ndepends_on = None\n\n\ndef upgrade() -> None:\n"
            "    op.execute(\"UPDATE tables SET name = 'Round' WHERE name = 'round'\")\n\n\n"
            "def downgrade() -> None:\n    pass\n",
        ),
        ("migrations/versions/0001_first.py", '"""', '"""As it was in the first summer. '),
    ],
    "deleted files": [
        ("tests/test_csv.py", "", None),
        ("tests/features/booking/test_repository.py", "", None),
        ("tests/features/table/test_controller.py", "", None),
    ],
    "a router of one's own": [
        ("tests/test_security.py", 'UNLISTED = {"/health/live"', 'UNLISTED = {"/menu", "/health/live"'),
        (
            "src/bistro/features/menu/__init__.py",
            None,
            "",
        ),
        (
            "src/bistro/features/menu/controller.py",
            None,
            '"""The menu of the day."""\n\nfrom fastapi import APIRouter\n\nrouter = APIRouter(include_in_schema=False)\n\n\n'
            '@router.get("/menu")\ndef show_menu() -> dict[str, str]:\n    return {"soup": "of the day"}\n',
        ),
    ],
    "a description of a field": [
        (
            BOOKING + "schemas.py",
            "        le=12,\n        examples=[1],\n",
            '        le=12,\n        examples=[1],\n        title="Children count, too",\n',
        ),
    ],
    "a column's comment and an index": [
        (
            BOOKING + "model.py",
            '        sa.Index("ix_bookings_starts_at", "starts_at"),\n',
            '        sa.Index("ix_bookings_starts_at", "starts_at"),\n'
            "        # The list on the kitchen's wall.\n"
            '        sa.Index("ix_bookings_party_size_starts_at", "party_size", "starts_at"),\n',
        ),
        (
            BOOKING + "model.py",
            "    party_size: orm.Mapped[int]\n",
            "    # Without the babies.\n    party_size: orm.Mapped[int]\n",
        ),
    ],
    "a target of make": [
        (
            "Makefile",
            "\nmigrate: setup",
            "\nfixtures: setup ## tables to play with\n\t@$(BIN)/python tests/fixtures.py\n\nmigrate: setup",
        ),
        ("Makefile", " migration migrate\n", " migration fixtures migrate\n"),
        ("tests/fixtures.py", None, '"""Tables to play with."""\n'),
    ],
}


LAST_USE = "manager exports bookings by starts_at"
LAST_RULE = "always: starts_at < ends_at"


def answers(*replaced: tuple[str, str, str]) -> Callable[[Answers], Answers]:
    def change(given: Answers) -> Answers:
        given = dict(given)
        for question, old, new in replaced:
            assert old in given[question], (question, old)
            given[question] = given[question].replace(old, new)
        return given

    return change


CANCEL = "guest cancels own booking: requested or confirmed -> cancelled"
STATES = "status: requested | confirmed | declined | cancelled"

CHANGES: dict[str, Callable[[Answers], Answers]] = {
    "a thing more": answers(
        ("use_cases", LAST_USE, LAST_USE + "\nguest adds review with booking, stars, words\nanyone lists reviews"),
        (
            "data",
            LAST_RULE,
            LAST_RULE + "\n\nreview:\n  booking: ref booking\n  stars: integer 1..5\n  words: text ..1000 optional",
        ),
    ),
    "a use case more": answers(
        ("use_cases", LAST_USE, LAST_USE + "\nstaff views booking\nguest views own booking"),
    ),
    "a field more": answers(
        ("data", "  note: text", "  occasion: text ..100 optional\n  note: text"),
        ("use_cases", "party_size, note, phone once", "party_size, occasion, note, phone once"),
    ),
    "a wider field": answers(("data", "party_size: integer 1..12", "party_size: integer 1..20")),
    "a field less": answers(
        ("data", "  note: text ..500 optional\n", ""),
        ("use_cases", "party_size, note, phone once", "party_size, phone once"),
        ("use_cases", "with note, phone", "with phone"),
        ("outputs", "party_size, note, status", "party_size, status"),
    ),
    "a field renamed": answers(
        ("data", "  note: text", "  wish: text"),
        ("use_cases", "party_size, note, phone once", "party_size, wish, phone once"),
        ("use_cases", "with note, phone", "with wish, phone"),
        ("outputs", "party_size, note, status", "party_size, wish, status"),
    ),
    "a state and a move more": answers(
        ("data", STATES, STATES + " | seated"),
        ("use_cases", LAST_USE, LAST_USE + "\nstaff seats booking: confirmed -> seated"),
    ),
    "an actor more": answers(
        ("use_cases", "staff confirms booking", "host, staff confirms booking"),
        ("use_cases", "\nmanager counts", "\nhost views booking\nmanager counts"),
    ),
    "a use case more for the other thing": answers(
        ("use_cases", "\nstaff removes table", "\nstaff views table\nstaff removes table"),
    ),
    "states for what had none": answers(
        ("data", "  seats: integer 1..12", "  seats: integer 1..12\n  use: free | closed"),
        (
            "use_cases",
            "\nstaff removes table",
            "\nstaff closes table: free -> closed\nstaff opens table: closed -> free\nstaff removes table",
        ),
    ),
    "a use case less": answers(("use_cases", "\nstaff changes table", "")),
    "a move less": answers(
        ("use_cases", "\nstaff declines booking with reason: requested -> declined", ""),
    ),
    "no more exports": answers(
        ("use_cases", "\nmanager exports bookings by starts_at", ""),
        ("outputs", "\nmanager exports bookings: table.name, owner, starts_at, party_size, status", ""),
    ),
    "another output": answers(
        (
            "outputs",
            "guest lists own bookings: id, table.name, starts_at,",
            "staff confirms booking: id, status\nguest lists own bookings: id, table.name, table.seats, starts_at,",
        ),
    ),
    "another problem": answers(("problem", "without phoning the restaurant", "at any hour")),
    "all at once": answers(
        ("data", "  note: text", "  occasion: text ..100 optional\n  note: text"),
        ("data", STATES, STATES + " | seated"),
        ("use_cases", "party_size, note, phone once", "party_size, occasion, note, phone once"),
        ("use_cases", "\nmanager counts", "\nstaff views booking\nmanager counts"),
        ("use_cases", "\nstaff declines", "\nstaff seats booking: confirmed -> seated\nstaff declines"),
        ("use_cases", LAST_USE, LAST_USE + "\nguest adds review with booking, stars"),
        ("data", LAST_RULE, LAST_RULE + "\n\nreview:\n  booking: ref booking\n  stars: integer 1..5"),
    ),
    "PostgreSQL": answers(("database", "sqlite", "postgresql")),
}

SRC = "src/{{ model.package }}/"
FEATURE = SRC + "features/{% yield feature from model.features %}{{ feature.name }}{% endyield %}/"
# A newer template: a changed file in each layer. (Of an edit, the first text is what the template has today.)
BETTER: Parts = [
    (FEATURE + "controller.py.jinja", "No rules, no SQL.", "Neither rules nor SQL."),
    (
        FEATURE + "service.py.jinja",
        "Service:\n    def __init__",
        'Service:\n    """Made for each request."""\n\n    def __init__',
    ),
    (FEATURE + "repository.py.jinja", "The SQL of", "The statements about"),
    (FEATURE + "model.py.jinja", "The columns and constraints of", "The columns, constraints and indexes of"),
    (FEATURE + "schemas.py.jinja", "in requests and responses.", "of requests and responses."),
    (FEATURE + "errors.py.jinja", "What can go wrong with", "What can be wrong with"),
    (SRC + "web/problems.py.jinja", 'RETRY_AFTER = "5"', 'RETRY_AFTER = "3"'),
    (SRC + "web/transaction.py.jinja", "Writers do not block it.", "No writer blocks it."),
    (SRC + "database/repository.py.jinja", "class Repository", "# Each feature has one of these.\nclass Repository"),
    (SRC + "app.py.jinja", '"""The application: settings,', '"""The application with its settings,'),
    (SRC + "settings.py.jinja", '"""Settings from environment', '"""The settings: environment'),
    ("Makefile.jinja", "## serve for development, with /docs", "## serve for development; /docs explains it"),
    ("README.md.jinja", "It is your code; edit any of it.", "It is your code: edit all of it."),
    ("pyproject.toml.jinja", "sqlalchemy>=2.1,<2.2", "sqlalchemy>=2.1.1,<2.2"),
    ("tests/conftest.py.jinja", "What the tests stand on", "What all tests stand on"),
    ("tests/test_problems.py.jinja", "and nothing else.", "and no more."),
    (".env.example.jinja", "or set in the environment.", "or export them."),
]


def apply(edit: Parts, folder: Path) -> None:
    names = {name for name, _, _ in edit}
    files = {name: (folder / name).read_text() for name in names if (folder / name).exists()}
    write(folder, files, edited(files, edit))


def write(folder: Path, before: Files, after: Files) -> None:
    for name in before.keys() - after.keys():
        (folder / name).unlink()
    for name, text in after.items():
        if before.get(name) != text:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def edited(files: Files, edit: Edit) -> Files:
    """AssertionError where the place of the edit is not there."""
    after = dict(files)
    if callable(edit):
        edit(after)
        return after
    for name, old, new in edit:
        if new is None:
            assert after.pop(name, None) is not None, name
        elif old is None:
            after[name] = new
        else:
            assert name in after and old in after[name], f"{name}: {old}"
            after[name] = after[name].replace(old, new, 1) if old else after[name] + new
    return after


def again(before: Files, files: Files, edit: Edit) -> tuple[Files, set[str]]:
    """The edit that was made `before`, made on newer files, each text in what it stands in; and where it cannot be."""
    if callable(edit):
        try:
            return edited(files, edit), set()
        except AssertionError:
            return files, edited(before, edit).keys() | before.keys()
    after, impossible = dict(files), set()
    for part in edit:
        name, old, new = part
        try:
            if old and new is not None:
                at = _in_scope(name, before[name], after.get(name, ""), old)
                after[name] = after[name][:at] + new + after[name][at + len(old) :]
            else:
                after = edited(after, [part])
            before = edited(before, [part])
        except AssertionError:
            impossible.add(name)
    return after, impossible


def _in_scope(name: str, before: str, text: str, old: str) -> int:
    """Where the text is, in the scope in which it was before."""

    def scope(whole: str, at: int) -> tuple[str, ...]:
        """Of its first line; blank lines at its beginning have none."""
        blank = len(old) - len(old.lstrip("\n"))
        return scope_at(name, whole, whole.count("\n", 0, at + blank))

    wanted, found, at = scope(before, before.index(old)), [], text.find(old)
    while at >= 0:
        if scope(text, at) == wanted:
            found.append(at)
        at = text.find(old, at + 1)
    assert len(found) == 1, f"{name}: {old}"
    return found[0]
