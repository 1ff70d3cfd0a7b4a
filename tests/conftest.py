"""Each story is rendered once, from this template as it is now, uncommitted changes included."""

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rendering import render
from serving import own_server
from stories import ROOT, STORIES, Story, git, installed, interview


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagged repository, as users meet it."""
    template = tmp_path_factory.mktemp("published") / "rest-follows"
    template.mkdir()
    shutil.copy(ROOT / "copier.yml", template)
    for folder in ["hooks", "template"]:
        shutil.copytree(ROOT / folder, template / folder)
    git(template, "init")
    git(template, "add", ".")
    git(template, "commit", "-m", "first")
    git(template, "tag", "v1.0.0")
    return template


@pytest.fixture(scope="session")
def tell(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Story]:
    """A story, rendered once: that it is what Copier writes is for test_rendering to say."""

    @functools.cache
    def tell(name: str) -> Story:
        answers = interview(name)
        return Story(name, answers, render(template, answers, tmp_path_factory.mktemp(name) / "service"))

    return tell


@pytest.fixture(scope="session", params=STORIES)
def story(request: pytest.FixtureRequest, tell: Callable[[str], Story]) -> Story:
    return tell(request.param)


@pytest.fixture(scope="session")
def bistro(tell: Callable[[str], Story]) -> Story:
    return tell("bistro")


@pytest.fixture(scope="session")
def tools(tell: Callable[[str], Story]) -> Iterator[Path]:
    """Where the programs are that check a generated service: what this one depends on is enough for all."""
    with installed(tell("bistro_postgresql").path, "--all-extras") as tools:
        yield tools


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL: of TEST_DATABASE_URL, or of one for this session."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given.replace("+psycopg", "")
    else:
        with own_server() as server:
            yield server.get_uri()
