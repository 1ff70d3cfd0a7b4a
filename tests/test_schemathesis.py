"""Schemathesis, with every check it has, against served services: what the contract says is what they do."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Service, database_of, served
from stories import BIN, ROOT, Story, run

# A longer run: SCHEMATHESIS_EXAMPLES=100.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "10")


@pytest.fixture(scope="module")
def serving(
    request: pytest.FixtureRequest,
    tell: Callable[[str], Story],
    tools: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    story, folder = tell(request.param), tmp_path_factory.mktemp("attacked")
    settings = {"DATABASE_URL": database_of(story, folder, request)}
    with served(Service(story, tools, folder / "served.log", settings)) as service:
        yield service
        assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize(
    ("serving", "who"),
    [
        *(("bistro", who) for who in ["guest", "staff", "manager", "nobody"]),
        *(("helpdesk", who) for who in ["requester", "agent", "lead", "nobody"]),
        *(("parcels", who) for who in ["shipper", "driver", "operator", "scanner", "nobody"]),
        ("shop", "everybody"),
    ],
    indirect=["serving"],
)
def test_nothing_is_found(serving: Service, tmp_path: Path, who: str) -> None:
    roles = [] if who == "everybody" else [who]
    sent = "nonsense" if who == "nobody" else serving.token("ann", *roles)
    done = run(
        tmp_path,
        BIN / "schemathesis",
        "--config-file",
        ROOT / "tests/schemathesis.toml",
        "run",
        f"http://127.0.0.1:{serving.port}/openapi.json",
        *["--checks", "all", "--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none"],
        TOKEN=sent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9]\d* generated, [1-9]\d* passed", done.stdout), done.stdout
