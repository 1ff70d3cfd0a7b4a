"""The order of code does not follow the order of the answers: lines that change places move nothing of an owner's."""

import re
from pathlib import Path
from random import Random

import pytest
from rendering import render
from stories import interview, written

# They follow the answers: the README its sentences, its example and whose token it prints, the docs their columns of
# actors, the recipes, the examples of debugging and those for frontends the thing that they are about.
TOLD = {".copier-answers.yml", "README.md"}
TOLD |= {f"docs/{page}.md" for page in ["debugging", "frontend", "recipes", "use-cases"]}
STORIES = {
    "bistro": 4,
    "bistro_postgresql": 1,
    "parcels": 4,
    "helpdesk": 3,
    "shop": 3,
    "clinic": 3,
    "awkward": 2,
}


def orders(answers: dict[str, str], seed: int) -> dict[str, str]:
    """The same answers, their lines in another order: of data the things, since the order of fields is the owner's."""
    lines = {name: answers.get(name, "").strip().splitlines() for name in ["use_cases", "outputs"]}
    parts = {**lines, "data": re.split(r"\n+(?=\S)", answers["data"].strip())}
    for found in parts.values():
        # The first time each is turned round, so that no two stay in their order.
        found.reverse() if seed == 0 else Random(seed).shuffle(found)
    return answers | {name: "\n".join(found) for name, found in parts.items()}


@pytest.mark.parametrize("name", STORIES)
def test_answers_in_another_order_are_the_same_code(name: str, template: Path, tmp_path: Path) -> None:
    answers = interview(name)
    expected = files(template, answers, tmp_path / "expected")
    for seed in range(STORIES[name]):
        found = files(template, orders(answers, seed), tmp_path / str(seed))
        differ = {path for path in expected | found if expected.get(path) != found.get(path)}
        assert differ - TOLD == set(), f"order {seed}"


def files(template: Path, answers: dict[str, str], service: Path) -> dict[str, str]:
    render(template, answers, service)
    return {str(path.relative_to(service)): path.read_text() for path in written(service)}
