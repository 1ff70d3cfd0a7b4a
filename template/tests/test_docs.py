"""The examples of docs/examples.md work as they stand there."""

import pytest
from fastapi.testclient import TestClient

from tests import examples
from tests.accept import send
from tests.world import World, contract


def test_each_use_case_has_its_example(edge: TestClient) -> None:
    if faults := examples.faults(contract(edge)):
        pytest.fail("\n".join([*faults, "Run: make contract"]), pytrace=False)


@pytest.mark.parametrize("summary", examples.read())
def test_an_example(world: World, summary: str) -> None:
    names = {summary: name for summary, name, _ in examples.served(contract(world.client))}
    example = examples.read()[summary]

    response = send(world, names[summary], example)

    assert response.status_code == example.status
    if isinstance(example.response, str):
        assert response.text.startswith(example.response)
    elif example.response is not None:
        found = list(examples.differences("response", example.response, response.json()))
        assert found == [], f"docs/examples.md, {summary}"
