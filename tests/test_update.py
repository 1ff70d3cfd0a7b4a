"""`copier update` keeps what the owner wrote. All pairs of edit and change are in tests/gauntlet.md."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import copier
import gauntlet
import pytest
import yaml
from copier.errors import UnsafeTemplateError
from edits import BETTER, BOOKING, CHANGES, EDITS, RULE, TABLE, apply
from edits import answers as changing
from gauntlet import Gauntlet, publish, unclean
from rendering import compiling_once
from stories import BIN, ROOT, clean, git, interview, run, written

FOUR_HOURS = """\
from bistro.features.booking import schemas

from tests.world import World, bearer, example, wrong_fields


def test_four_hours_at_most(world: World) -> None:
    body = example(schemas.BookingCreateIn) | {"ends_at": "2099-01-31T16:00:00Z"}
    body["table"] = str(world.make_table())

    assert wrong_fields(world.send("POST", "/bookings", bearer("guest"), body)) == ["/ends_at"]
"""
# What any service has of web/.
BARE = {
    *["__init__.py", "health.py", "logging.py", "middleware.py", "problems.py", "rate_limit.py", "responses.py"],
    "transaction.py",
}
# Where one who has made all edits of the table at once has to decide.
DECISIONS = {
    "a thing more": ["src/bistro/app.py", "tests/examples.py", "tests/test_security.py"],
    "a field renamed": [],
    "a state and a move more": [],
    "all at once": ["src/bistro/app.py", "tests/examples.py", "tests/test_security.py"],
    "a better template": [],
}


@pytest.fixture(scope="module", autouse=True)
def _compiled_once() -> Iterator[None]:
    with compiling_once():
        yield


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Gauntlet:
    prepared = Gauntlet(tmp_path_factory.mktemp("owners"))
    prepared.prepare()
    return prepared


@pytest.fixture
def service(owners: Gauntlet, tmp_path: Path) -> Path:
    """A bistro whose owner has given it a rule."""
    return owners.edited(RULE, tmp_path / "bistro")


def update(
    service: Path, answers: dict[str, str] | None = None, version: str = "v1.0.0", trusted: bool = False
) -> None:
    how: dict[str, Any] = {"defaults": True, "overwrite": True, "unsafe": trusted}
    copier.run_update(service, data=answers, vcs_ref=version, context_lines=gauntlet.CONTEXT_LINES, **how)


def changed(service: Path) -> list[str]:
    return git(service, "status", "--porcelain").splitlines()


def commit(service: Path) -> None:
    git(service, "add", ".")
    git(service, "commit", "-m", "more")


# ---- no edit is lost


@pytest.mark.parametrize("change", DECISIONS)
def test_one_who_has_edited_everything(owners: Gauntlet, change: str, tmp_path: Path) -> None:
    outcome = owners.meet([part for edit in EDITS.values() for part in edit], change, tmp_path / "bistro")
    assert outcome.wrong == []
    assert outcome.conflicts == DECISIONS[change]


@pytest.mark.parametrize("change", ["all at once", "PostgreSQL"])
def test_one_who_has_edited_nothing(owners: Gauntlet, change: str, tmp_path: Path) -> None:
    outcome = owners.meet([], change, tmp_path / "bistro")
    assert (outcome.conflicts, outcome.wrong) == ([], [])
    assert unclean(tmp_path / "bistro") == []


def test_where_both_changed_a_line_both_are_shown(owners: Gauntlet, tmp_path: Path) -> None:
    service = owners.edited([(BOOKING + "schemas.py", "        le=12,", "        le=16,")], tmp_path / "bistro")
    update(service, CHANGES["a wider field"](owners.answers))
    schemas = (service / BOOKING / "schemas.py").read_text()
    both = "<<<<<<< before updating\n        le=16,\n=======\n        le=20,\n>>>>>>> after updating\n"
    assert both in schemas
    assert [line for line in changed(service) if line.startswith("U")] == [f"UU {BOOKING}schemas.py"]


# ---- nothing changes that need not


def test_unchanged_answers_and_template_change_nothing(service: Path) -> None:
    update(service)
    assert changed(service) == []


def test_the_second_update_changes_nothing(owners: Gauntlet, service: Path) -> None:
    answers = CHANGES["all at once"](owners.answers)
    update(service, answers, "v1.1.0")
    assert changed(service) != []
    commit(service)
    update(service, answers, "v1.1.0")
    assert changed(service) == []


def test_history_stays_as_it_is(owners: Gauntlet, service: Path) -> None:
    versions = service / "migrations/versions"
    (versions / "0001_first.py").unlink()
    (versions / "0001_all_of_last_year.py").write_text("# all of last year\n")
    commit(service)
    update(service, CHANGES["a thing more"](owners.answers), "v1.1.0")
    assert [path.name for path in versions.iterdir()] == ["0001_all_of_last_year.py"]
    assert (versions / "0001_all_of_last_year.py").read_text() == "# all of last year\n"


# ---- what it says


def test_it_says_what_went_with_a_thing(owners: Gauntlet, service: Path, capfd: pytest.CaptureFixture[str]) -> None:
    update(service, CHANGES["a thing more"](owners.answers))
    review = service / "src/bistro/features/review/service.py"
    review.write_text(review.read_text() + "\n# A rule of ours.\n")
    (review.parent / "stars.py").write_text('"""Of our own."""\n')
    commit(service)
    capfd.readouterr()

    update(service, owners.answers)

    told = capfd.readouterr().err
    gone = ["src/bistro/features/review", "tests/features/review"]
    assert f"Deleted with all that you wrote in them: {', '.join(gone)}." in told
    assert "What review held will be lost." in told
    assert not review.exists()
    # What never was ours stays, and what was comes back from git.
    assert (review.parent / "stars.py").exists()
    git(service, "restore", *gone)
    assert review.read_text().endswith("# A rule of ours.\n")


def test_it_names_each_file_that_went(owners: Gauntlet, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """From all that a service may have to what any service has."""
    service = tmp_path / "bistro"
    answers = interview("bistro_postgresql")
    copier.run_copy(str(owners.template), service, data=answers, vcs_ref="v1.0.0", defaults=True, quiet=True)
    git(service, "init")
    commit(service)

    fewest = {
        "use_cases": "anyone adds booking\nanyone counts bookings",
        "data": "booking:\n  paid: boolean",
        "outputs": "anyone adds booking: nothing",
    }
    update(service, fewest | {"database": "sqlite"})

    told = capfd.readouterr().err.split("Deleted with all that you wrote in them: ")[1].split(".\n")[0].split(", ")
    deleted = [line[3:] for line in changed(service) if line.startswith(" D")]
    assert [path for path in deleted if not any(path == gone or path.startswith(f"{gone}/") for gone in told)] == []
    assert [gone for gone in told if (service / gone).exists()] == []
    assert {path.name for path in (service / "src/bistro/web").iterdir()} == BARE
    left = {path.name for path in (service / "tests/features/booking").iterdir()}
    assert left == {"test_controller.py", "test_use_cases.py"}


def test_each_file_that_can_go_is_in_the_table_of_those() -> None:
    conditions = re.findall(
        r"\{% if model\.(?:has\.)?(\w+) %\}([\w.]+)\{% endif %\}",
        "\n".join(str(path) for path in (ROOT / "template").rglob("*")),
    )
    rare = json.loads((ROOT / "hooks/tables/rare_files.json").read_text())["service"]
    assert {(reason, name) for reason, name in conditions if name != "clients"} == {
        (reason, Path(path).name) for reason, paths in rare.items() for path in paths
    }


@pytest.mark.parametrize(
    ("change", "said", "unsaid"),
    [
        (
            "a field renamed",
            ["What booking.note held will be lost", "make migration", "contract/api.txt"],
            ["DATABASE"],
        ),
        ("another output", ["contract/api.txt"], ["make migration", "lost"]),
        ("another problem", [], ["make migration", "contract/api.txt"]),
        ("PostgreSQL", ["set DATABASE_URL", "move yourself"], ["contract/api.txt", "lost"]),
    ],
)
def test_it_says_what_to_do(
    owners: Gauntlet, service: Path, capfd: pytest.CaptureFixture[str], change: str, said: list[str], unsaid: list[str]
) -> None:
    update(service, CHANGES[change](owners.answers))
    told = capfd.readouterr().err
    assert [text for text in [*said, "bistro follows your answers again", "make test"] if text not in told] == []
    assert [text for text in unsaid if text in told] == []


STAKES = {
    "another type": (
        changing(("data", "seats: integer 1..12", "seats: money 1..12")),
        ["What table.seats held is of another type now", "make migration"],
        ["lost"],
    ),
    "another plural": (
        changing(("use_cases", "lists tables", "lists boards"), ("data", "table:\n", "table (boards):\n")),
        ["What table held will be lost", "make migration"],
        ["another type"],
    ),
    "nobody's own any more": (
        changing(
            ("use_cases", "guest lists own bookings by status\n", ""),
            ("use_cases", "guest changes own booking with note, phone\n", ""),
            ("use_cases", "guest cancels own booking", "guest cancels booking"),
            ("outputs", "guest lists own bookings: id, table.name, starts_at, party_size, status\n", ""),
            ("outputs", "table.name, owner, starts_at", "table.name, starts_at"),
            ("outputs", "id, owner, phone", "id, phone"),
        ),
        ["What booking.owner held will be lost", "make migration"],
        ["another type"],
    ),
    "not once": (changing(("use_cases", "phone once", "phone")), ["make migration"], ["lost"]),
    "another order": (
        changing(
            (
                "data",
                "  name: text 1..40 unique\n  seats: integer 1..12\n",
                "  seats: integer 1..12\n  name: text 1..40 unique\n",
            ),
            ("use_cases", "staff adds table\n", ""),
            ("use_cases", "\nmanager counts", "\nstaff adds table\nmanager counts"),
        ),
        [],
        ["make migration", "git diff contract/api.txt"],
    ),
}


@pytest.mark.parametrize("case", STAKES)
def test_it_says_what_is_at_stake(
    owners: Gauntlet, service: Path, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    change, said, unsaid = STAKES[case]
    update(service, change(owners.answers))
    told = capfd.readouterr().err
    assert [text for text in [*said, "bistro follows your answers again"] if text not in told] == []
    assert [text for text in unsaid if text in told] == []


def test_a_service_keeps_its_name(service: Path) -> None:
    with pytest.raises(ValueError, match=r"what you wrote is in src/bistro\. Rename it by hand first"):
        update(service, {"service_name": "tavern"})
    assert changed(service) == []


def test_a_service_renamed_by_hand_is_updated(owners: Gauntlet, service: Path) -> None:
    """As the refusal says."""
    git(service, "mv", "src/bistro", "src/tavern")
    for path in written(service):
        if ".git" not in path.parts:
            path.write_text(path.read_text().replace("bistro", "tavern").replace("Bistro", "Tavern"))
    commit(service)
    update(service, CHANGES["a use case more for the other thing"](owners.answers) | {"service_name": "tavern"})
    rules = (service / TABLE.replace("bistro", "tavern") / "service.py").read_text()
    assert "raise errors.TableLimitReached" in rules and "def view" in rules
    assert not (service / "src/bistro").exists()
    assert [line for line in changed(service) if line[0] != " "] == []


# ---- versions


@pytest.fixture
def published(owners: Gauntlet, tmp_path: Path) -> Path:
    """The template at v1.0.0, with room for more versions."""
    template = tmp_path / "published"
    git(tmp_path, "clone", "--quiet", "--branch", "v1.0.0", str(owners.template), str(template))
    git(template, "tag", "--delete", "v1.1.0")
    return template


@pytest.fixture
def follower(published: Path, owners: Gauntlet, tmp_path: Path) -> Path:
    service = tmp_path / "follower"
    copier.run_copy(str(published), service, data=owners.answers, defaults=True, quiet=True)
    git(service, "init")
    apply(RULE, service)
    commit(service)
    return service


def next_version(template: Path, version: str, change: Callable[[Path], None]) -> None:
    change(template)
    publish(template, version)


def better(template: Path) -> None:
    apply(BETTER, template / "template")


def longer(template: Path) -> None:
    path = template / "template/Makefile.jinja"
    path.write_text(path.read_text().replace("## the next", "## the very next") + "\n# the end\n")


def check_update(service: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads(run(service, BIN / "copier", "check-update", "--output-format", "json").stdout)
    return told


def test_two_versions_at_once_and_nobody_at_the_keyboard(published: Path, follower: Path) -> None:
    assert check_update(follower)["update_available"] is False
    next_version(published, "v1.1.0", better)
    next_version(published, "v2.0.0", longer)
    # Nobody is given what is not yet released.
    next_version(published, "v3.0.0rc1", longer)
    told = check_update(follower)
    assert [told[key] for key in ["update_available", "current_version", "latest_version"]] == [True, "1.0.0", "2.0.0"]
    assert run(follower, BIN / "copier", "check-update", "--quiet").returncode == 2

    done = run(follower, BIN / "copier", "update", "--defaults")

    assert done.returncode == 0, done.stderr
    assert (follower / "Makefile").read_text().count("# the end") == 1
    assert 'RETRY_AFTER = "3"' in (follower / "src/bistro/web/problems.py").read_text()
    assert "raise errors.TableLimitReached" in (follower / TABLE / "service.py").read_text()
    assert yaml.safe_load((follower / ".copier-answers.yml").read_text())["_commit"] == "v2.0.0"
    commit(follower)
    assert run(follower, BIN / "copier", "check-update", "--quiet").returncode == 0


def with_a_migration(template: Path) -> None:
    text = (template / "copier.yml").read_text()
    migration = "\"{{ _copier_python }}\", \"-c\", \"open('migrated', 'w').write('{{ _version_from }}')\""
    (template / "copier.yml").write_text(text + f"\n_migrations:\n  - version: v2.0.0\n    command: [{migration}]\n")


def test_a_version_with_a_migration(published: Path, follower: Path) -> None:
    """We have none so far; whoever does not trust it is told, and nothing is changed."""
    next_version(published, "v2.0.0", with_a_migration)
    with pytest.raises(UnsafeTemplateError, match="potentially unsafe feature: migrations"):
        update(follower, version="v2.0.0")
    assert changed(follower) == []
    update(follower, version="v2.0.0", trusted=True)
    assert (follower / "migrated").read_text() == "v1.0.0"
    assert [line for line in changed(follower) if line[0] != "?"] == [" M .copier-answers.yml"]


# ---- the walk in the README


def examples(language: str) -> list[str]:
    section = (ROOT / "README.md").read_text().split("## When you change your mind")[1].split("\n## ")[0]
    return re.findall(rf"(?s)```{language}\n(.*?)```", section)


def replaced(text: str, change: str) -> str:
    """Each line that is gone by the one that follows it; any other new one is put after the line above it."""
    for above, line in pairwise(change.splitlines()):
        if line.startswith("+"):
            assert text.count(above[1:] + "\n") == 1, above
            kept = "" if above.startswith("-") else above[1:] + "\n"
            text = text.replace(above[1:] + "\n", kept + line[1:] + "\n")
    return text


def test_the_walk_in_the_readme(owners: Gauntlet, tmp_path: Path) -> None:
    service = owners.edited([], tmp_path / "bistro")
    rule, answers = examples("diff")
    uses, data = answers.split("\n\n")
    (tmp_path / "rule.diff").write_text(rule)
    git(service, "apply", str(tmp_path / "rule.diff"))
    (service / "tests/features/booking/test_hours.py").write_text(FOUR_HOURS)
    commit(service)
    former = {name: owners.answers[name] + "\n" for name in ["use_cases", "data"]}
    changed = {"use_cases": replaced(former["use_cases"], uses), "data": replaced(former["data"], data)}
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(changed))

    done = run(
        service, BIN / "copier", "update", "--defaults", "--vcs-ref", "v1.0.0", "--data-file", tmp_path / "answers.yml"
    )

    assert done.returncode == 0, done.stderr
    migration, contract, test, commit_all = examples("sh")[0].splitlines()
    assert migration.split(" name=")[0] in done.stderr
    path = f"{BIN}:{clean()['PATH']}"
    before = run(service, "make", "test", PATH=path)
    assert before.returncode != 0 and "make migration" in before.stderr
    for line in [migration, contract, test]:
        done = run(service, "sh", "-c", line, PATH=path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert commit_all.startswith("git add --all && git commit")
    rules = (service / BOOKING / "service.py").read_text()
    assert 'raise InvalidRequest("Must be at most four hours after starts_at"' in rules and "def seat(" in rules
    assert (service / "migrations/versions/0002_seats_and_allergies.py").exists()
