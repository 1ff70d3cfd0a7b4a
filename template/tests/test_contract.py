"""contract/api.txt is what is served."""

import pytest
from fastapi.testclient import TestClient

from tests import contract

HELP = "If that is meant, `make contract` writes it there, where a review reads it."


def test_contract(client: TestClient) -> None:
    report = contract.report(contract.changes(client.get("/openapi.json").json()))
    if report:
        pytest.fail(f"What is served (+) differs from contract/api.txt (-).\n{report}\n{HELP}", pytrace=False)
