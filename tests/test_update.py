"""`copier update` keeps what the owner wrote. All pairs of edit and change are in tests/gauntlet.md."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from copier.errors import UnsafeTemplateError
from edits import BETTER, BOOKING, CHANGES, EDITS, RULE, TABLE, Edit, apply, edited
from edits import answers as changing
from gauntlet import CONTEXT_LINES, MANY, Gauntlet, files, judged, meeting, publish, reason, unclean, updated
from owners import OWNERS, WHOLE
from rendering import compiling_once
from stories import BIN, ROOT, clean, git, interview, run, written
from sweep import sweep

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
# The changes after which code leaves or moves most, of each service.
PART = {
    "bistro": ["a move less", "no more exports", "a field less", "two use cases swapped"],
    "helpdesk": ["a move less", "a field less", "a state and a move more", "the things swapped"],
    "alike": ["no more changes by leads", "a move less", "no more own list", "a field more"],
}
# Where one who has made all edits of the table at once has nothing to decide.
CLEAN = ["a thing more", "a field renamed", "a state and a move more", "all at once", "a better template"]


@pytest.fixture(scope="module", autouse=True)
def _compiled_once() -> Iterator[None]:
    with compiling_once():
        yield


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Gauntlet:
    return Gauntlet(tmp_path_factory.mktemp("owners"))


@pytest.fixture
def service(owners: Gauntlet, tmp_path: Path) -> Path:
    """A bistro whose owner has given it a rule."""
    return owners.edited(RULE, tmp_path / "bistro")


def update(
    service: Path, answers: dict[str, str] | None = None, version: str = "v1.0.0", trusted: bool = False
) -> None:
    how: dict[str, Any] = {"defaults": True, "overwrite": True, "unsafe": trusted}
    copier.run_update(service, data=answers, vcs_ref=version, context_lines=CONTEXT_LINES, **how)


def read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def changed(service: Path) -> list[str]:
    return git(service, "status", "--porcelain").splitlines()


def commit(service: Path) -> None:
    git(service, "add", ".")
    git(service, "commit", "-m", "more")


# ---- no edit is lost


@pytest.mark.parametrize("change", CLEAN)
def test_one_who_has_edited_everything(owners: Gauntlet, change: str, tmp_path: Path) -> None:
    everything = [part for edit in EDITS.values() for part in edit]
    outcome = owners.meet(everything, change, tmp_path / "bistro")
    assert outcome.wrong == []
    assert outcome.conflicts == []
    # What the tests below, and the gauntlet, take for Copier.
    mine = edited(owners.base, everything)
    (ours,) = updated([(owners.base, mine, owners.new(change))], CONTEXT_LINES)
    assert {name for name in ours if ours[name] != read(tmp_path / "bistro" / name)} == set()


@pytest.mark.parametrize("change", ["all at once", "PostgreSQL"])
def test_one_who_has_edited_nothing(owners: Gauntlet, change: str, tmp_path: Path) -> None:
    """Each file is as in a new service, but for those that the end of the update names."""
    service = owners.edited([], tmp_path / "bistro")
    owners.update(service, change)
    assert files(service) == owners.new(change)
    assert unclean(service) == []


@pytest.fixture(scope="module", params=OWNERS)
def owner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gauntlet:
    return Gauntlet(tmp_path_factory.mktemp(request.param), OWNERS[request.param])


@pytest.mark.parametrize("context_lines", [CONTEXT_LINES, MANY])
def test_each_line_stays_in_what_it_stood_in(owner: Gauntlet, context_lines: int) -> None:
    """A part of the gauntlet: `python tests/gauntlet.py` is the whole of it."""
    outcomes = meeting(owner, context_lines, PART[owner.owner.story])
    wrong = [f"{' x '.join(pair)}: {line}" for pair, outcome in outcomes.items() for line in outcome.wrong]
    assert wrong == []
    conflicts = [pair for pair, outcome in outcomes.items() if outcome.conflicts and pair[0] not in WHOLE]
    assert [pair for pair in conflicts if not reason(pair)] == []


def test_a_line_at_any_place_stays_in_what_it_stood_in(owner: Gauntlet) -> None:
    for change in PART[owner.owner.story][:2]:
        swept = sweep(owner.base, owner.new(change), CONTEXT_LINES)
        assert swept.places > 500
        assert swept.wrong == []


@pytest.mark.parametrize("context_lines", [CONTEXT_LINES, MANY])
def test_the_oracle_sees_a_line_that_went_elsewhere(tmp_path: Path, context_lines: int) -> None:
    """As if classes stood in the order of the answers, and did not repeat their names: two that are alike swap."""
    tickets = Gauntlet(tmp_path, OWNERS["alike"])
    name = "src/tickets/features/ticket/schemas.py"
    former = re.sub(r"  # \w+$", "", tickets.base[name], flags=re.MULTILINE)
    names = {"TicketDropIn": "TicketTakeIn", "TicketTakeIn": "TicketDropIn"}
    newer = re.sub("|".join(names), lambda found: names[found[0]], former)
    old, new = tickets.base | {name: former}, tickets.base | {name: newer}
    (block,) = re.findall(r"(?s)class TicketDropIn.*?examples=\[", former)
    edit: Edit = [(name, f'{block}"First note"', f'{block}"Not ours"')]
    (found,) = updated([(old, edited(old, edit), new)], context_lines)
    tickets.base, tickets.rendered["swapped"] = old, new

    outcome = judged(tickets, edit, "swapped", found)

    assert outcome.conflicts == []
    assert any('"Not ours"], of class TicketTakeIn / note' in line for line in outcome.misplaced), outcome
    # So does the sweep: their fields, the lines between them, and what is behind each.
    assert len(sweep({name: former}, {name: newer}, context_lines).misplaced) > 5


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
        (
            "PostgreSQL",
            ["set DATABASE_URL", "move yourself", "has sqlite_where", "(postgresql_where)"],
            ["contract/api.txt", "lost", "make migration"],
        ),
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
    with pytest.raises(ValueError, match=r"what you wrote is in src/bistro\. Rename it by hand"):
        update(service, {"service_name": "tavern"})
    assert changed(service) == []


def test_a_service_renamed_by_hand_is_updated(owners: Gauntlet, service: Path) -> None:
    """As the refusal says."""
    git(service, "mv", "src/bistro", "src/tavern")
    for path in written(service):
        if ".git" not in path.parts:
            path.write_text(path.read_text().replace("bistro", "tavern").replace("Bistro", "Tavern"))
    edit_answers(service, CHECKSUM, "")
    update(service, CHANGES["a use case more for the other thing"](owners.answers) | {"service_name": "tavern"})
    rules = (service / TABLE.replace("bistro", "tavern") / "service.py").read_text()
    assert "raise errors.TableLimitReached" in rules and "def view" in rules
    assert not (service / "src/bistro").exists()
    assert [line for line in changed(service) if line[0] != " "] == []


def test_it_names_a_moved_or_deleted_file_for_which_something_new_came(
    owners: Gauntlet, service: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    git(service, "mv", TABLE + "service.py", TABLE + "rules.py")
    git(service, "rm", "--quiet", TABLE + "errors.py", "tests/features/table/test_use_cases.py")
    commit(service)
    capfd.readouterr()
    update(service, CHANGES["a use case more for the other thing"](owners.answers))
    told = capfd.readouterr().err
    files = f"{TABLE}service.py, tests/features/table/test_use_cases.py"
    assert f"You have moved or deleted these, so what is new in them was not written: {files}.\n" in told
    (command,) = re.findall(r"Take it from a copy beside this one:\n\n  copier (.*) \.\./anew\n", told)
    done = run(service, BIN / "copier", *command.split(), tmp_path / "anew")
    assert done.returncode == 0, done.stderr
    assert "def view" in (tmp_path / "anew" / TABLE / "service.py").read_text()


def test_it_says_nothing_of_a_moved_file_in_which_nothing_is_new(
    owners: Gauntlet, service: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    git(service, "mv", TABLE + "service.py", TABLE + "rules.py")
    commit(service)
    capfd.readouterr()
    update(service, CHANGES["a state and a move more"](owners.answers))
    assert "not written" not in capfd.readouterr().err


def test_it_names_what_a_newer_template_no_longer_has(
    published: Path, follower: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of a former version: a file that hooks/tables/dropped_files.json names, and the owner has edited."""
    former = published / "template/src/{{ model.package }}/web/edge.py"
    former.write_text("# What former versions had.\n")
    publish(published, "v1.1.0")
    update(follower, version="v1.1.0")
    (follower / "src/bistro/web/edge.py").write_text("# What former versions had.\n# And a line of ours.\n")
    commit(follower)
    former.unlink()
    next_version(published, "v1.2.0", longer)
    capfd.readouterr()
    update(follower, version="v1.2.0")
    told = capfd.readouterr().err
    assert "Deleted with all that you wrote in them: src/bistro/web/edge.py.\n" in told
    assert "Where the newer template serves something else:\n\n  make contract" in told
    # Whoever keeps it is not told again.
    git(follower, "restore", "src/bistro/web/edge.py")
    commit(follower)
    next_version(published, "v1.3.0", better)
    capfd.readouterr()
    update(follower, version="v1.3.0")
    assert "Deleted" not in capfd.readouterr().err


def plain(path: str) -> str:
    """A path of template/ as hooks/tables name it."""
    path = re.sub(r"\{% yield .*?endyield %\}", "THING", path.removeprefix("template/").removesuffix(".jinja"))
    return re.sub(r"\{%.*?%\}", "", path.replace("{{ model.package }}", "PACKAGE"))


def test_each_file_that_left_the_template_is_in_the_table_of_those() -> None:
    assert git(ROOT, "rev-parse", "--is-shallow-repository") == "false\n", "A whole clone has the history."
    log = git(ROOT, "log", "--no-renames", "--diff-filter=D", "--name-only", "--format=", "--", "template")
    there = {plain(str(path.relative_to(ROOT))) for path in (ROOT / "template").rglob("*")}
    left = {plain(path) for path in log.splitlines() if path} - there
    assert left == set(json.loads((ROOT / "hooks/tables/dropped_files.json").read_text()))


def test_the_files_of_a_thing_are_those_of_the_template() -> None:
    paths = [str(path.relative_to(ROOT)) for path in (ROOT / "template").rglob("*") if path.is_file()]
    files = {plain(path): "".join(re.findall(r"\{% if feature\.(\w+) %\}", path)) for path in paths}
    of_things = {path: reason for path, reason in files.items() if "THING" in path and "__init__" not in path}
    assert json.loads((ROOT / "hooks/tables/thing_files.json").read_text()) == of_things


# ---- answers edited by hand

CHECKSUM = "^_checksum: .*\n"
BY_HAND = ("seats: integer 1..12", "seats: integer 1..20")


def edit_answers(service: Path, pattern: str, new: str) -> None:
    path = service / ".copier-answers.yml"
    text, number = re.subn(f"(?m){pattern}", new, path.read_text())
    assert number == 1
    path.write_text(text)
    commit(service)


def test_an_answer_edited_by_hand_is_refused(service: Path) -> None:
    edit_answers(service, *BY_HAND)
    done = run(service, BIN / "copier", "update", "--defaults", "--vcs-ref", "v1.0.0")
    assert done.returncode != 0
    (last,) = done.stderr.splitlines()[-1:]
    assert ".copier-answers.yml was edited by hand. Nothing is generated from that: take it back" in last
    assert changed(service) == []


def test_an_answer_edited_by_hand_is_given_as_the_refusal_says(owners: Gauntlet, service: Path) -> None:
    edit_answers(service, *BY_HAND)
    git(service, "checkout", "HEAD~", ".copier-answers.yml")
    commit(service)
    update(service, owners.answers | {"data": owners.answers["data"].replace(*BY_HAND)})
    assert "between(1, 20)" in (service / TABLE / "model.py").read_text()
    commit(service)
    update_is_done(service)


def test_answers_of_two_branches_are_merged(owners: Gauntlet, service: Path) -> None:
    git(service, "checkout", "-b", "other")
    update(service, CHANGES["a wider field"](owners.answers))
    commit(service)
    git(service, "checkout", "main")
    update(service, CHANGES["a use case more for the other thing"](owners.answers))
    commit(service)
    done = run(service, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "merge", "other")
    assert "CONFLICT" in done.stdout
    path = service / ".copier-answers.yml"
    # Each branch has a checksum of its own.
    assert len(re.findall("^<<<<<<<", path.read_text(), re.MULTILINE)) == 1
    path.write_text(re.sub(r"(?ms)^<<<<<<<.*?>>>>>>>[^\n]*\n", "", path.read_text()))
    commit(service)
    update_is_done(service)


def update_is_done(service: Path) -> None:
    """The same answers again change nothing but for their checksum."""
    update(service)
    assert [line[3:] for line in changed(service)] in [[], [".copier-answers.yml"]]


# ---- a copy over a service that is there


@pytest.mark.parametrize("verb", ["copy", "recopy"])
def test_history_is_left_alone_by_a_copy_over_it(
    owners: Gauntlet, service: Path, capfd: pytest.CaptureFixture[str], verb: str
) -> None:
    answers = CHANGES["a field more"](owners.answers)
    first = service / "migrations/versions/0001_first.py"
    before = first.read_text()
    how: dict[str, Any] = {"data": answers, "vcs_ref": "v1.0.0", "defaults": True, "overwrite": True}
    if verb == "copy":
        copier.run_copy(str(owners.template), service, **how)
    else:
        copier.run_recopy(service, **how)
    told = capfd.readouterr().err
    assert first.read_text() == before
    assert "occasion" in (service / BOOKING / "model.py").read_text()
    assert [text for text in ["bistro is written anew", "git restore", "make migration"] if text not in told] == []
    assert "Two commands to go" not in told


# ---- a new name


def test_a_thing_renamed_by_hand_first_keeps_what_was_written_in_it(owners: Gauntlet, service: Path) -> None:
    """As README says. The other way, the folder of the former name goes with all that was written in it."""
    for folder in ["src/bistro/features", "tests/features"]:
        git(service, "mv", f"{folder}/table", f"{folder}/stool")
    names = [path for path in git(service, "ls-files").splitlines() if not path.startswith("migrations/versions")]
    for path in [service / name for name in names]:
        text = path.read_text()
        for old, new in [("table_", "stool_"), ("TABLE_", "STOOL_"), ("Table", "Stool"), ("table", "stool")]:
            text = re.sub(rf"(?<![a-z]){old}(?!name)", new, text)
        path.write_text(text)
    edit_answers(service, CHECKSUM, "")
    answers = {name: text.replace("table", "stool") for name, text in owners.answers.items()}
    update(service, answers)
    assert changed(service) == [" M .copier-answers.yml"]
    commit(service)
    uses = answers["use_cases"].replace("\nstaff removes stool", "\nstaff views stool\nstaff removes stool")
    update(service, answers | {"use_cases": uses})
    rules = (service / "src/bistro/features/stool/service.py").read_text()
    assert "raise errors.StoolLimitReached" in rules and "def view" in rules
    assert [line for line in changed(service) if line[0] != " "] == []


# ---- an interruption, and the line ends of Windows


def test_an_interrupted_update_is_taken_back(owners: Gauntlet, service: Path, tmp_path: Path) -> None:
    """With the commands of README, after which the same update does what it would have done."""
    undisturbed = Path(shutil.copytree(service, tmp_path / "undisturbed"))
    answers = CHANGES["a thing more"](owners.answers)
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    command = ["update", "--defaults", "--vcs-ref", "v1.0.0", "--data-file", str(tmp_path / "answers.yml")]
    with subprocess.Popen([BIN / "copier", *command], cwd=service, stderr=subprocess.DEVNULL) as copier_itself:
        while "TableLimit" in (service / TABLE / "service.py").read_text():
            assert copier_itself.poll() is None, "The update was over before it could be interrupted."
        copier_itself.kill()
    assert changed(service) != []
    assert run(service, BIN / "copier", *command).returncode != 0, "Nothing may be merged into half an update."
    (line,) = re.findall(r"git reset --hard && git clean [^`]*", (ROOT / "README.md").read_text())
    assert run(service, "sh", "-c", line).returncode == 0
    assert changed(service) == []
    for folder in [service, undisturbed]:
        done = run(folder, BIN / "copier", *command)
        assert done.returncode == 0, done.stderr
    assert git(service, "diff", "HEAD") == git(undisturbed, "diff", "HEAD")
    assert changed(service) == changed(undisturbed)


def test_git_that_writes_the_line_ends_of_windows(
    owners: Gauntlet, service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.autocrlf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    git(tmp_path, "clone", "--quiet", str(service), "clone")
    update(tmp_path / "clone", CHANGES["a field more"](owners.answers))
    assert [line for line in changed(tmp_path / "clone") if line[0] != " "] == []
    assert b"\r" not in (tmp_path / "clone" / TABLE / "service.py").read_bytes()
    assert "TableLimitReached" in (tmp_path / "clone" / TABLE / "service.py").read_text()


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
