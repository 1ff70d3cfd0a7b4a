"""docs/debugging.md of each service: its steps lead from a bug to its mend, and what it names exists."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Service, served
from stories import Story, owned, run

BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ID, PORT = "3f2a91", "8000"


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The language of each, and its text."""
    for indent, language, text in BLOCK.findall(page):
        yield language, re.sub(rf"(?m)^{indent}", "", text)


def is_printed(excerpt: str, printed: str) -> bool:
    """Its lines in their order; … is anything, and so is how long something took."""
    lines = [re.sub(r"(\\ )*…(\\ )*", ".*", re.escape(line.strip())) for line in excerpt.splitlines()]
    pattern = re.sub(r"(\\ )+", " +", r".*\n(?:.*\n)*? *".join(lines))
    return re.search(re.sub(r"\d+\\.\d+ms", r"[\\d.]+ms", pattern), printed) is not None


@pytest.mark.parametrize("name", ["bistro", "notes"])
def test_the_five_steps(name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    story = Story(name, tell(name).answers, owned(tell(name), tmp_path / name))
    programs = story.path / ".venv/bin"
    programs.mkdir()
    for program in tools.iterdir():
        (programs / program.name).symlink_to(program)
    command = programs / story.answers["service_name"]
    command.write_text(f"#!{tools}/python\nfrom {story.package}.cli import main\nmain()\n")
    command.chmod(0o755)
    settings = {
        "ENVIRONMENT": "development",
        "DATABASE_URL": f"sqlite:///{tmp_path}/a.db",
        "COLUMNS": "80",
        "PYTHONPATH": "src",
    }
    service = Service(story, tools, tmp_path / "log", settings)
    page = (story.path / "docs/debugging.md").read_text()
    (language, bug), *steps = blocks(page)
    assert language == "python"
    (file,) = re.findall(r"`(src/[^`]+/service.py)`", page)
    right = (story.path / file).read_text()
    insert = "        return self._repository.insert(values"
    assert right.count(insert) == 1
    (story.path / file).write_text(right.replace(insert, bug + insert))

    id = printed = ""
    commands: list[str] = []
    with served(service):
        for language, text in steps[:-1]:
            text = text.replace(ID, id or ID)
            if language == "text":
                assert is_printed(text, printed), f"{text}\nis not in\n{printed}"
                continue
            commands.append(text)
            done = run(story.path, "bash", "-c", text.replace(PORT, str(service.port)), **settings)
            printed = done.stdout + done.stderr
            if not id:
                (id,) = re.findall(r'/journeys/(\w+)"', printed)
                printed = logged(service.log, f"show {id}")
    verbs = [command.split()[1] for command in commands[1:]]
    assert verbs == ["show", "logs", "replay", "test"]
    # The last excerpt of `show` says what the page says: that is how the layer is found.
    shown = run(story.path, command, "show", id, **settings).stdout
    (lost,) = re.findall(r"del values\[\"(\w+)\"\]", bug)
    # The lines of source around the error come after what went in.
    sent, passed = re.findall(r" new = (.*)", shown)[0], re.findall(r" values = (.*)", shown)[0]
    assert lost in sent and lost not in passed

    tests = ["bash", "-c", steps[-1][1].splitlines()[0]]
    assert run(story.path, *tests, **settings).returncode == 1
    (story.path / file).write_text(right)
    done = run(story.path, *tests, **settings)
    assert done.returncode == 0, done.stdout
    assert steps[-1] == ("sh", ".venv/bin/pytest tests/journeys\nmake test\n")


def logged(log: Path, text: str) -> str:
    """The line of a request is written after its response."""
    end = time.monotonic() + 10
    while text not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return log.read_text()


def test_what_the_table_names_exists(story: Story) -> None:
    rows = re.findall(r"^\| .* \|$", (story.path / "docs/debugging.md").read_text(), re.MULTILINE)
    assert len(rows) >= 6
    folders = [story.path, story.path / "src" / story.package, *story.path.glob("src/*/features/*")]
    for row in rows[1:]:
        *_, look_in, test = (cell.strip() for cell in row.strip("|").split("|"))
        (path,) = re.findall("^`(tests/.*py)`$", test)
        named = [path, *re.findall(r"`([\w/]+\.py)`", look_in)]
        assert [name for name in named if not any(list(folder.glob(name)) for folder in folders)] == [], row
