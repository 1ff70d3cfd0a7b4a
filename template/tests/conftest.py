"""What the tests stand on: the whole service in this process, on a real and migrated database."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.world import World, make_app


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    app = make_app(f"sqlite:///{tmp_path_factory.mktemp('database')}/test.db", migrated=True)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client)


@pytest.fixture
def world(_served: World) -> Iterator[World]:
    """An empty one for each test."""
    yield _served
    _served.empty()


@pytest.fixture(scope="session")
def edge() -> Iterator[TestClient]:
    """The service without a database: what it refuses, it has refused before asking for data."""
    app = make_app("sqlite:////nowhere/at/all.db", migrated=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
