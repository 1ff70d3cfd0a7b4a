"""docs/language.md and docs/recipes.md: whole interviews, which give services, and all that the language has."""

import json
import re
from pathlib import Path

import pytest
import yaml
from rendering import render
from stories import BIN, ROOT, run

from rest_follows.hooks import Hooks

PAGES = {name: (ROOT / f"docs/{name}.md").read_text() for name in ["language", "recipes"]}
INTERVIEWS = {
    answers["service_name"]: answers
    for page in PAGES.values()
    for answers in map(yaml.safe_load, re.findall("```yaml\n(.*?)```", page, re.DOTALL))
}
LANGUAGE = json.loads((ROOT / "hooks/tables/language.json").read_text())


@pytest.mark.parametrize("name", INTERVIEWS)
def test_each_interview_gives_a_service(template: Path, tmp_path: Path, name: str) -> None:
    assert Hooks().faults(INTERVIEWS[name]) == []
    service = render(template, INTERVIEWS[name], tmp_path / name)
    for command in [["format", "--check"], ["check", "--no-cache"]]:
        done = run(service, BIN / "ruff", *command, "--quiet")
        assert done.returncode == 0, done.stdout


def test_what_is_explained_stands_in_an_interview() -> None:
    """A line of the tables is one that was tried."""
    tried = {line.strip() for answers in INTERVIEWS.values() for text in answers.values() for line in text.split("\n")}
    explained = [
        line.replace("\\|", "|")
        for table in re.findall(r"\| line \| what follows \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGES["language"])
        for line in re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)
    ]
    assert len(explained) >= 20
    assert [line for line in explained if line not in tried] == []


@pytest.mark.parametrize("words", ["kinds", "clauses", "types", "flags"])
def test_nothing_of_the_language_is_left_out(words: str) -> None:
    found = {clause for clauses in LANGUAGE["clauses"].values() for clause in clauses}
    wanted = found if words == "clauses" else set(LANGUAGE[words])
    assert [word for word in wanted if not re.search(rf"\b{word}\b", PAGES["language"])] == []
