"""docs/recipes.md of a service: who does what it says has a service whose `make test` is green."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from recipes import Recipe, read
from stories import Story, git, owned, run

ENVIRONMENT = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
FIELD, HOLD, MAIL = "A field", "One service asks another", "An e-mail afterwards"
JOIN, TRAIL = "A query with a join", "A trail of transitions"
TITLES = [FIELD, "A rule", "An endpoint", JOIN, HOLD, MAIL, TRAIL, "A call of another service"]
# Where no thing refers to another, and none has states.
OF_ONE_THING = [title for title in TITLES if title not in [HOLD, JOIN, TRAIL]]

LISTS = ["tests/test_problems.py", "tests/test_security.py"]

# When a task runs, and when not: `seen` is what others see of the booking meanwhile.
TASKS = """\
import pytest
import sqlalchemy as sa
from bistro.clients import mail
from bistro.features.booking import model
from tests.world import World, bearer


def fail(connection: sa.Connection) -> None:
    raise RuntimeError("The disk is full")


@pytest.mark.parametrize(
    ("state", "commits", "status", "expected"),
    [
        ("requested", True, 200, ["confirmed"]),
        ("requested", False, 500, []),
        ("declined", True, 409, []),
    ],
)
def test_a_task(
    world: World, monkeypatch: pytest.MonkeyPatch, state: str, commits: bool, status: int, expected: list[str]
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(mail, "send", lambda *_: seen.append(world.stored(model.Booking)["status"]))
    id = world.make_booking(status=state)
    if not commits:
        sa.event.listen(sa.Engine, "commit", fail)
    try:
        response = world.send("POST", f"/bookings/{id}/confirm", bearer("staff"))
    finally:
        if not commits:
            sa.event.remove(sa.Engine, "commit", fail)

    assert (response.status_code, seen) == (status, expected)
"""

READING = """\
from tests.world import NOBODY, World


def test_the_reason_can_be_read(world: World) -> None:
    world.make_table(hold_reason="Until next week")
    (table,) = world.send("GET", "/tables", NOBODY).json()["items"]
    assert table["hold_reason"] == "Until next week"
"""


@pytest.fixture
def own(bistro: Story, tmp_path: Path) -> Path:
    return owned(bistro, tmp_path / "bistro")


def recipes(service: Path) -> list[Recipe]:
    return read((service / "docs/recipes.md").read_text())


def make(service: Path, tools: Path, *targets: str, **environment: str) -> None:
    (service / ".venv/ready").touch()
    done = run(service, "make", *targets, f"BIN={tools}", **ENVIRONMENT, **environment)
    assert done.returncode == 0, f"make {targets[0]}\n{done.stdout}{done.stderr}"


def follow(recipe: Recipe, service: Path, tools: Path, **environment: str) -> None:
    recipe.apply(service)
    if recipe.migration:
        make(service, tools, "migration", f"name={recipe.migration}", **environment)


@pytest.mark.parametrize(("name", "titles"), [("bistro", TITLES), ("notes", OF_ONE_THING), ("helpdesk", TITLES)])
def test_all_of_them(
    name: str, titles: list[str], tell: Callable[[str], Story], tools: Path, postgres: str, tmp_path: Path
) -> None:
    service = owned(tell(name), tmp_path / name)
    environment = {"MYPY_CACHE_DIR": str(tmp_path.parent / "mypy")}
    if tell(name).answers["database"] == "postgresql":
        environment["TEST_DATABASE_URL"] = postgres
    assert [recipe.title for recipe in recipes(service)] == titles
    for recipe in recipes(service):
        follow(recipe, service, tools, **environment)
    for target in ["format", "contract", "test"]:
        make(service, tools, target, **environment)


@pytest.mark.parametrize("title", TITLES)
def test_each_alone(own: Path, tools: Path, title: str) -> None:
    """But for one that says that it comes after the first."""
    for recipe in recipes(own):
        if recipe.title in [title, *([FIELD] if title == HOLD else [])]:
            follow(recipe, own, tools)
    make(own, tools, "format")
    assert (check := run(own, tools / "ruff", "check", "--quiet")).returncode == 0, check.stdout
    assert (layers := run(own, tools / "lint-imports", **ENVIRONMENT)).returncode == 0, layers.stdout
    changed = git(own, "status", "--porcelain", "--untracked-files=all", "tests").split()
    # `LISTS` name all errors and endpoints that there are.
    tests = {*(path for path in changed if re.search(r"/test_\w+\.py$", path)), *LISTS}
    done = run(own, tools / "pytest", "--quiet", "-p", "no:cacheprovider", *tests, **ENVIRONMENT)
    assert done.returncode == 0, done.stdout


def test_a_field_can_be_read(own: Path, tools: Path) -> None:
    follow(next(recipe for recipe in recipes(own) if recipe.title == FIELD), own, tools)
    (own / "tests/test_reading.py").write_text(READING)
    done = run(own, tools / "pytest", "--quiet", "-p", "no:cacheprovider", "tests/test_reading.py", **ENVIRONMENT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("where", ["after the block", "in the block"])
def test_a_task_runs_after_the_commit(own: Path, tools: Path, where: str) -> None:
    """And never without one, wherever the endpoint adds it."""
    next(recipe for recipe in recipes(own) if recipe.title == MAIL).apply(own)
    controller = own / "src/bistro/features/booking/controller.py"
    text = controller.read_text()
    assert "\n    tasks.add_task" in text
    if where == "in the block":
        controller.write_text(text.replace("\n    tasks.add_task", "\n        tasks.add_task"))
    (own / "tests/test_tasks.py").write_text(TASKS)
    done = run(own, tools / "pytest", "--quiet", "-p", "no:cacheprovider", "tests/test_tasks.py", **ENVIRONMENT)
    assert done.returncode == 0, done.stdout


def test_the_code_is_in_form(story: Story, tools: Path, tmp_path: Path) -> None:
    """At any length of names: `make format` leaves new files as they are, and nothing that is wrong."""
    service = tmp_path / "service"
    shutil.copytree(story.path, service)
    for recipe in recipes(service):
        recipe.apply(service)
    files = {path: path.read_text() for path in service.rglob("*.py")}
    done = run(service, tools / "ruff", "check", "--quiet", "--fix")
    assert done.returncode == 0, done.stdout
    run(service, tools / "ruff", "format", "--quiet")
    for path, text in files.items():
        if not (story.path / path.relative_to(service)).exists():
            assert path.read_text() == text
