"""Each mistake of tests/mutations.py, put into a service, fails the test that the table names."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mutants
import pytest
from mutations import DOCS, MISTAKES, STORIES, Mistake, in_story, table
from stories import Story, clean


def texts(story: str, mistake: Mistake) -> list[tuple[str, str, str]]:
    return [(in_story(story, file), in_story(story, old), in_story(story, new)) for file, old, new in mistake.changes]


@pytest.fixture(scope="module")
def services(tell: Callable[[str], Story]) -> dict[str, Path]:
    return {name: tell(name).path for name in STORIES}


@pytest.mark.parametrize("mistake", MISTAKES)
def test(mistake) -> None: ...
