"""Each mistake of tests/mutations.py, put into a service, fails the test that the table names."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mutations import DOCS, MISTAKES, STORIES, Mistake, in_story, table
from stories import ROOT, Story, clean

# By the number of the mistake and the story: the status of pytest, and what it wrote.
Outcomes = dict[tuple[int, str], tuple[int, str]]

NAMES = [f"{number} {mistake.layer}: {mistake.says}" for number, mistake in enumerate(MISTAKES)]
# In the tests of a service that needs a migration, no test of the database is run.
MIGRATION_IS_MISSING = "make migration"


def changed(story: str, mistake: Mistake, files: dict[str, str]) -> dict[str, str]:
    """The files with the mistake; none where this service has no such lines, or no such test."""
    path, _, test = in_story(story, mistake.noticed_by).partition("::")
    if mistake.only not in ("", story) or f"def {test}(" not in files.get(path, ""):
        return {}
    found: dict[str, str] = {}
    for change in mistake.changes:
        file, old, new = (in_story(story, text) for text in change)
        text = found.get(file, files.get(file, ""))
        if old not in text:
            return {}
        found[file] = text.replace(old, new, 1)
    return found


@pytest.fixture(scope="module")
def places(tell: Callable[[str], Story]) -> dict[tuple[int, str], dict[str, str]]:
    """Where each mistake is put, and what it makes of the files."""
    files = {story: tell(story).files() for story in STORIES}
    found: dict[tuple[int, str], dict[str, str]] = {}
    for number, mistake in enumerate(MISTAKES):
        for story in STORIES:
            # The last one is for what the others do not have.
            spare = story == "shop" and any((number, other) in found for other in STORIES)
            texts = {} if spare else changed(story, mistake, files[story])
            if texts:
                found[number, story] = texts
    return found


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    places: dict[tuple[int, str], dict[str, str]],
    tell: Callable[[str], Story],
    tools: Path,
    postgres: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcomes:
    """Of those that are selected."""
    items = request.session.items
    wanted = {number for number, name in enumerate(NAMES) if any(f"[{name}]" in each.name for each in items)}
    folder = tmp_path_factory.mktemp("mutations")

    def run(jobs: list[dict[str, object]]) -> list[int]:
        done = subprocess.run(
            [tools / "python", ROOT / "tests/mutants.py"],
            env=clean() | {"TEST_DATABASE_URL": postgres},
            input=json.dumps(jobs),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        statuses: list[int] = json.loads(done.stdout)
        return statuses

    originals = {story: Path(shutil.copytree(tell(story).path, folder / story)) for story in STORIES}
    # Their modules are compiled now, and the copies have that, too.
    assert run([{"folder": str(path), "tests": ["--collect-only"]} for path in originals.values()]) == [0, 0, 0]
    selected = [place for place in places if place[0] in wanted]
    jobs: list[dict[str, object]] = []
    for number, story in selected:
        service = folder / f"{number}-{story}"
        shutil.copytree(originals[story], service)
        for file, text in places[number, story].items():
            (service / file).write_text(text)
        jobs.append({"folder": str(service), "tests": [in_story(story, MISTAKES[number].noticed_by)]})
    statuses = run(jobs)
    texts = [Path(f"{job['folder']}/out.txt").read_text() for job in jobs]
    return dict(zip(selected, zip(statuses, texts, strict=True), strict=True))


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=NAMES)
def test_a_mistake_fails_the_test_of_its_layer(number: int, outcomes: Outcomes) -> None:
    found = {story: outcomes[number, story] for story in STORIES if (number, story) in outcomes}
    assert found, "no service has these lines and this test"
    for story, (status, out) in found.items():
        test = in_story(story, MISTAKES[number].noticed_by)
        noticed = f"FAILED {test}" in out or MIGRATION_IS_MISSING in out
        assert status == 1 and noticed, f"{story}: not noticed by {test}\n{out[-3000:]}"


def test_there_are_many_in_each_service(places: dict[tuple[int, str], dict[str, str]]) -> None:
    for story in ["bistro", "parcels"]:
        assert len([place for place in places if place[1] == story]) >= 60


def test_the_table_is_published() -> None:
    assert DOCS.read_text() == table(), "python tests/mutations.py"
