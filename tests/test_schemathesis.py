"""Schemathesis, with every check it has, against served services: what the contract says is what they do."""

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stories import BIN, ROOT, Story, clean, run

# A longer run: SCHEMATHESIS_EXAMPLES=100.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "10")


@contextmanager
def served(service: Path, package: str, tools: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    main = f"from {package}.cli import main; main()"
    command = [str(tools / "python"), "-c", main, "dev", "--port", port]
    if (service / "tests/postgres.py").exists():
        command = [command[0], "tests/postgres.py", *command]
    log = service / "served.log"
    with log.open("w") as file:
        environment = clean() | {"PYTHONPATH": "src"}
        process = subprocess.Popen(command, cwd=service, env=environment, stdout=file, stderr=file)
    try:
        for _ in range(150):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready").close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(30)


def token(service: Path, package: str, tools: Path, roles: str) -> str:
    code = f"from {package}.web import identity; print(identity.make_token('ann', {roles}))"
    return run(service, tools / "python", "-c", code, PYTHONPATH="src").stdout.strip()


@pytest.fixture(scope="module")
def serving(
    request: pytest.FixtureRequest,
    tell: Callable[[str], Story],
    tools: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Story, Path, str]]:
    story = tell(request.param)
    service = Path(shutil.copytree(story.path, tmp_path_factory.mktemp("attacked") / story.name))
    with served(service, story.package, tools) as url:
        yield story, service, url


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
def test_nothing_is_found(serving: tuple[Story, Path, str], tools: Path, tmp_path: Path, who: str) -> None:
    story, service, url = serving
    roles = "*identity.ROLES" if who == "everybody" else repr(who)
    sent = "nonsense" if who == "nobody" else token(service, story.package, tools, roles)
    done = run(
        tmp_path,
        BIN / "schemathesis",
        "--config-file",
        ROOT / "tests/schemathesis.toml",
        "run",
        f"{url}/openapi.json",
        *["--checks", "all", "--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none"],
        TOKEN=sent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9]\d* generated, [1-9]\d* passed", done.stdout), done.stdout
