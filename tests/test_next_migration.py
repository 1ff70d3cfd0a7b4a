"""Answers change, and the data with them: the next migration is written, and keeps the rows that are there."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rendering import render
from stories import BIN, Story, git, owned, run

SOURCE = """\
import sys

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from bistro.database.engine import create_engine
from bistro.features.booking.model import Booking
from bistro.features.table.model import Table
from tests.world import World
"""
# The service before the change: a table and a booking of it, and what the database says of them later.
FILL = """
from bistro.cli import run_migrate
from bistro.settings import read_settings
settings = read_settings(environment="development")
run_migrate(settings)
world = World(settings.database_url, None)
world.make_booking(party_size=12, note="stays")
world.engine.dispose()
"""
MIGRATE = """
from bistro.cli import run_migrate
from bistro.settings import read_settings
settings = read_settings(environment="development")
run_migrate(settings)
with create_engine(settings.database_url).begin() as connection:
    rows = connection.exec_driver_sql(
        "SELECT tables.name, note, party_size, allergies FROM bookings JOIN tables ON tables.id = table_id"
    )
    print([tuple(row) for row in rows])
    connection.exec_driver_sql("UPDATE bookings SET party_size = 20, status = 'seated'")
    for wrong in ["party_size = 21", "status = 'cooked'", "allergies = '" + "x" * 201 + "'"]:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"UPDATE bookings SET {wrong}")
        except sa.exc.IntegrityError as error:
            print(re.search(r"ck_bookings_\\w+", str(error))[0])
"""


def changed(answers: dict[str, str]) -> dict[str, str]:
    """A field and a thing more, one field less, a wider bound, a choice more, a name that need not be unique."""
    uses, data = answers["use_cases"], answers["data"]
    for old, new in [
        ("note, phone once", "note, phone, allergies once"),
        ("declines booking with reason:", "declines booking:"),
        ("by table, status, starts_at", "by table, status, starts_at, party_size"),
    ]:
        assert old in uses
        uses = uses.replace(old, new)
    for old, new in [
        ("party_size: integer 1..12", "party_size: integer 1..20"),
        ("note: text ..500 optional", "note: text ..500 optional\n  allergies: text ..200 optional"),
        ("  reason: text ..200 optional system\n", ""),
        ("| cancelled", "| cancelled | seated"),
        ("text 1..40 unique", "text 1..40"),
    ]:
        assert old in data
        data = data.replace(old, new)
    uses += "\nstaff seats booking: confirmed -> seated\nstaff adds menu\nanyone lists menus"
    data += "\nmenu:\n  title: text 1..80\n  table: ref table optional\n"
    return answers | {"use_cases": uses, "data": data}


class Owner:
    """Somebody in their service."""

    def __init__(self, home: Path, tools: Path) -> None:
        self.home, self.tools = home, tools

    def runs(self, *command: str | Path, **environment: str) -> tuple[int, str]:
        environment = {"PYTHONPATH": "src:.", "PYTHONDONTWRITEBYTECODE": "1"} | environment
        done = run(self.home, self.tools / command[0], *command[1:], **environment)
        return done.returncode, done.stdout + done.stderr

    def tests(self, *which: str) -> tuple[int, str]:
        return self.runs("python", "-m", "pytest", "--quiet", "-p", "no:cacheprovider", *which)

    def migration(self, name: str) -> str:
        """As `make migration` does."""
        status, told = self.runs("python", "-m", "tests.migration", name)
        assert status == 0, told
        for command in [["check", "--fix"], ["format"]]:
            assert run(self.home, BIN / "ruff", *command, "--quiet", "migrations").returncode == 0
        return told

    def versions(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.home / "migrations/versions").glob("*.py")}


@pytest.fixture(scope="session")
def owners(
    tell: Callable[[str], Story], template: Path, tools: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Owner]:
    """Both after the change, with the first migration as it was before, and the second one written."""
    owners = {}
    for name in ["bistro", "bistro_postgresql"]:
        story = tell(name)
        home = tmp_path_factory.mktemp(name) / "bistro"
        render(template, changed(story.answers), home)
        # An update writes no migration.
        first = "migrations/versions/0001_first.py"
        shutil.copy(story.path / first, home / first)
        owners[name] = Owner(home, tools)
        status, told = owners[name].tests("tests/test_migrations.py")
        assert status == 1
        line = 'A migration is missing (bookings, menus, tables). Run: make migration name="what changes"'
        assert line in told, told
        assert "0002_seats_and_menus.py\n" in owners[name].migration("seats and menus")
    return owners


BOTH = pytest.mark.parametrize("name", ["bistro", "bistro_postgresql"])


@BOTH
def test_it_says_all_that_changed(owners: dict[str, Owner], name: str) -> None:
    status, told = owners[name].tests()
    assert status == 0, told
    assert "Nothing to write" in owners[name].migration("nothing")
    assert len(owners[name].versions()) == 2
    for check in [["format", "--check"], ["check"]]:
        assert run(owners[name].home, BIN / "ruff", *check, "--no-cache").returncode == 0


@BOTH
def test_it_says_where_to_decide(owners: dict[str, Owner], name: str) -> None:
    upgrade = owners[name].versions()["0002_seats_and_menus.py"].split("def downgrade")[0]
    asked = re.findall(r"# ([A-Z].*)\n +batch_op\.(\w+)\(\s*(?:batch_op\.f\()?\"(\w+)", upgrade)
    broken = "A row that breaks this stops the migration: if it is narrower than before, mend the rows first."
    locked = "Writers wait while it is built: on a big table, build it concurrently in an autocommit_block()."
    assert [note for note in asked if note[1] != "create_index"] == [
        (broken, "create_check_constraint", "ck_bookings_party_size"),
        (broken, "create_check_constraint", "ck_bookings_status"),
        (
            "What it holds is lost. If it only has a new name: rename it, in a batch of its own before this one.",
            "drop_column",
            "reason",
        ),
    ]
    assert "ix_bookings_party_size" in upgrade
    # Of the new table the index is built before anybody writes to it.
    assert "ix_menus_table_id" in upgrade
    indexes = [(locked, "create_index", "ix_bookings_party_size")] if name == "bistro_postgresql" else []
    assert [note for note in asked if note[1] == "create_index"] == indexes


BEFORE = {
    "use_cases": "staff adds shelf\nstaff lists shelves\nstaff adds tool\nstaff lists tools by shelf",
    "data": "shelf (shelves):\n  name: text\n\ntool:\n  shelf: ref shelf\n  size: text 1..4\n  low: integer\n  high: integer",
    "outputs": "",
    "service_name": "tools",
}
AFTER = BEFORE | {
    "use_cases": "staff adds tool\nstaff lists tools",
    "data": "tool:\n  size: integer\n  low: integer\n  high: integer\n  always: low < high",
}


@BOTH
def test_a_thing_goes_to_which_others_refer(
    template: Path, tell: Callable[[str], Story], tools: Path, name: str, tmp_path: Path
) -> None:
    database = {"database": tell(name).answers["database"]}
    for folder, answers in [("before", BEFORE), ("after", AFTER)]:
        render(template, answers | database, tmp_path / folder)
    first = "migrations/versions/0001_first.py"
    shutil.copy(tmp_path / "before" / first, tmp_path / "after" / first)
    owner = Owner(tmp_path / "after", tools)
    owner.migration("no shelves")
    (path,) = (owner.home / "migrations/versions").glob("0002*")
    upgrade = path.read_text().split("def downgrade")[0]
    assert upgrade.index('drop_column("shelf_id")') < upgrade.index('drop_table("shelves")')
    broken = "# A row that breaks this stops the migration: if it is narrower than before, mend the rows first.\n"
    assert re.search(rf'{broken} +batch_op.create_check_constraint\(\s*(batch_op.f\()?"ck_tools_low', upgrade)
    retyped = "# What the rows hold is of the former type, and a cast may spoil it: say how it becomes the new one.\n"
    assert re.search(rf'{retyped} +batch_op.alter_column\(\s*"size"', upgrade)
    if name == "bistro_postgresql":
        # As the comment asks.
        text = path.read_text().replace(
            "type_=sa.BigInteger(),", 'type_=sa.BigInteger(), postgresql_using="size::bigint",'
        )
        path.write_text(text)
    status, told = owner.tests("tests/test_migrations.py", "tests/features")
    assert status == 0, told


def test_a_history_moves_to_the_other_database(owners: dict[str, Owner], tmp_path: Path) -> None:
    """Whoever changes the answer takes along what was written on the former one, and does what the update says."""
    for to, of in [("bistro", "bistro_postgresql"), ("bistro_postgresql", "bistro")]:
        moved = Owner(tmp_path / to, owners[to].tools)
        shutil.copytree(owners[to].home, moved.home)
        for name, text in owners[of].versions().items():
            where = re.sub(r"(?m)^( +)(?:sqlite|postgresql)(_where=.*)$", r"\1sqlite\2\n\1postgresql\2", text)
            (moved.home / "migrations/versions" / name).write_text(where)
        status, told = moved.tests("tests/test_migrations.py", "tests/features")
        assert status == 0, told


@BOTH
def test_rows_stay(
    owners: dict[str, Owner], tell: Callable[[str], Story], tools: Path, name: str, tmp_path: Path
) -> None:
    """Of the table, too, that SQLite makes anew, and of those that refer to it."""
    before = Owner(Path(shutil.copytree(tell(name).path, tmp_path / "before")), tools)
    after = owners[name]
    wrapped: list[str | Path] = ["python", "-c"]
    if name == "bistro":
        environment = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db"}
        status, told = before.runs(*wrapped, SOURCE + FILL, **environment)
        assert status == 0, told
        status, told = after.runs(*wrapped, "import re\n" + SOURCE + MIGRATE, **environment)
    else:
        # One server for both, which lives as long as the second one needs it.
        script = f'{before.tools}/python -c "$FILL" && cd {after.home} && {after.tools}/python -c "$MIGRATE"'
        environment = {"FILL": SOURCE + FILL, "MIGRATE": "import re\n" + SOURCE + MIGRATE}
        status, told = before.runs("python", "tests/postgres.py", "sh", "-c", script, **environment)
    assert status == 0, told
    # A server that had to be stopped by force says so, too.
    assert [line for line in told.splitlines() if line.startswith(("[(", "ck_"))] == [
        "[('000000', 'stays', 12, None)]",
        "ck_bookings_party_size",
        "ck_bookings_status",
        "ck_bookings_allergies",
    ]


# ---- two branches

COLUMNS = {"seen": ("booking", "    note: orm"), "round": ("table", "    seats: orm")}


@BOTH
def test_two_branches_that_each_have_a_migration(
    tell: Callable[[str], Story], tools: Path, name: str, tmp_path: Path
) -> None:
    owner = Owner(owned(tell(name), tmp_path / "bistro"), tools)
    for branch, (thing, line) in COLUMNS.items():
        git(owner.home, "checkout", "-b", branch, "main")
        path = owner.home / f"src/bistro/features/{thing}/model.py"
        path.write_text(path.read_text().replace(line, f"    {branch}: orm.Mapped[str | None]\n{line}"))
        owner.migration(f"adds {branch}")
        git(owner.home, "add", ".")
        git(owner.home, "commit", "-m", branch)
    database = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db", "ENVIRONMENT": "development"}
    migrate = ["python", "-c", "from bistro.cli import main; main()", "migrate"]
    if name == "bistro":
        assert owner.runs(*migrate, **database)[0] == 0
        git(owner.home, "checkout", "seen")
        status, told = owner.runs(*migrate, **database)
        assert status == 1 and "Traceback" not in told
        last = told.splitlines()[-1]
        assert re.search("at migration [0-9a-f]{12}, which migrations/versions does not have: another branch", last)
    else:
        git(owner.home, "checkout", "seen")

    git(owner.home, "merge", "--quiet", "round", "-m", "both")

    line = "0002_adds_round.py and 0002_adds_seen.py are of different branches. "
    line += 'Join them: make migration name="both branches"'
    assert owner.runs("python", "-m", "tests.stale") == (1, f"{line}\n")
    status, told = owner.tests("tests/features")
    assert f"Exit: {line}" in told and len(told.splitlines()) < 5
    if name == "bistro":
        status, told = owner.runs(*migrate, **database)
        assert (status, told.splitlines()[-1]) == (1, f"bistro: {line}")
    owner.migration("both branches")
    assert sorted(owner.versions())[1:] == ["0002_adds_round.py", "0002_adds_seen.py", "0003_both_branches.py"]
    assert owner.runs("python", "-m", "tests.stale") == (0, "")
    if name == "bistro":
        status, told = owner.runs(*migrate, **database)
        assert status == 0, told


def test_the_number_after_a_squashed_history(bistro: Story, tools: Path, tmp_path: Path) -> None:
    owner = Owner(owned(bistro, tmp_path / "bistro"), tools)
    versions = owner.home / "migrations/versions"
    (versions / "0001_first.py").rename(versions / "0007_all_of_last_year.py")
    path = owner.home / "src/bistro/features/table/model.py"
    path.write_text(path.read_text().replace("    seats: orm", "    round: orm.Mapped[bool | None]\n    seats: orm"))
    owner.migration("round tables")
    assert sorted(owner.versions()) == ["0007_all_of_last_year.py", "0008_round_tables.py"]
