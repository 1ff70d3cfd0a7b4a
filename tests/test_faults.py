"""What a served bistro does while its database is slow, silent, read-only, behind a pooler, or another one."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest
from rendering import render
from serving import (
    HTTP,
    Answer,
    Service,
    database_of,
    free_port,
    new_database,
    own_server,
    provider,
    served,
    status_of,
)
from stories import Story, run
from test_durability import House, a_house


@contextmanager
def bistro_on(url: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> Iterator[Service]:
    """On PostgreSQL. None of this is a crash."""
    service = Service(tell("bistro_postgresql"), tools, tmp_path / "served.log", {"DATABASE_URL": url})
    with served(service) as bistro:
        yield bistro
        assert "Traceback" not in bistro.log.read_text()


def execute(url: str, *statements: str) -> list[Any]:
    """The rows of the last one."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def export(bistro: Service, token: str) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{bistro.port}/bookings.csv"
    try:
        with HTTP.open(urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=30) as file:
            return file.status, file.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def timed(call: Callable[[], Answer]) -> tuple[int, float]:
    """The status, and the seconds that it took."""
    began = time.monotonic()
    return call().status, time.monotonic() - began


# ---- many expired keys

EXPIRED = """
    INSERT INTO idempotency_keys (caller, operation, key, body_hash, created_at)
    SELECT 'bob', 'POST /bookings', number::text, '', now() - interval '2 days' FROM generate_series(1, 200000) number
"""


def test_expired_keys_lock_nobody_out(tell: Callable[[str], Story], tools: Path, postgres: str, tmp_path: Path) -> None:
    with bistro_on(url := new_database(postgres), tell, tools, tmp_path) as bistro:
        house = a_house(bistro)
        execute(url, EXPIRED)
        with psycopg.connect(url.replace("+psycopg", "")) as other:
            other.execute("SELECT key FROM idempotency_keys ORDER BY created_at, key LIMIT 50 FOR UPDATE")
            booked = [timed(lambda n=n: house.book(f"booking {n}", n)) for n in range(5)]  # type: ignore[misc]
        assert [status for status, _ in booked] == [201] * 5
        assert max(seconds for _, seconds in booked) < 2
        ((left,),) = execute(url, "SELECT count(*) FROM idempotency_keys WHERE caller = 'bob'")
        assert left == 200_000 - 5 * 100


# ---- a database that falls silent


class Way(Protocol):
    """To the database. While it is silent, nothing says that a connection is gone, and new ones lead nowhere."""

    @property
    def url(self) -> str: ...

    def fall_silent(self) -> None: ...

    def lead_on(self) -> None:
        """For new connections."""


@dataclass
class Proxy:
    """Accepts whatever is sent, as far as its kernel does, and forwards nothing while it is silent."""

    target: str
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    silent: threading.Event = field(default_factory=threading.Event)
    held: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.held.append(client)
            if not self.silent.is_set():
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.target)
                self.held.append(server)
                # A way that has been silent once does not come back.
                for pair in [(client, server), (server, client)]:
                    threading.Thread(target=self.forward, args=(*pair, self.silent), daemon=True).start()

    def forward(self, source: socket.socket, target: socket.socket, silent: threading.Event) -> None:
        try:
            while (data := source.recv(65536)) and not silent.is_set():
                target.sendall(data)
            if not silent.is_set():
                target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def fall_silent(self) -> None:
        self.silent.set()

    def lead_on(self) -> None:
        self.silent = threading.Event()


FORWARDER = """
import asyncio, sys

async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()

async def accept(reader, writer):
    there, back = await asyncio.open_unix_connection(sys.argv[2])
    await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

async def main():
    async with await asyncio.start_server(accept, sys.argv[1], 5432) as server:
        await server.serve_forever()

asyncio.run(main())
"""


@dataclass
class Namespace:
    """A machine of its own, as far as the network knows; its address vanishes, and later another machine has it."""

    target: str
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")
    # Of a network for tests (RFC 2544), another one for each test.
    network: str = field(default_factory=lambda: f"198.18.{Random().randrange(256)}")
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@{self.network}.2:5432"

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def make(self) -> None:
        self.ip("netns", "add", self.name)
        self.ip("link", "add", f"{self.name}a", "type", "veth", "peer", "name", f"{self.name}b", "netns", self.name)
        self.ip("address", "add", f"{self.network}.1/30", "dev", f"{self.name}a")
        self.ip("link", "set", f"{self.name}a", "up")
        self.ip("-n", self.name, "link", "set", f"{self.name}b", "up")
        self.lead_on()

    def lead_on(self) -> None:
        self.ip("-n", self.name, "address", "add", f"{self.network}.2/30", "dev", f"{self.name}b")
        command = ["ip", "netns", "exec", self.name, sys.executable, "-c", FORWARDER, f"{self.network}.2", self.target]
        self.process = subprocess.Popen(command)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                return socket.create_connection((f"{self.network}.2", 5432), 1).close()
            except OSError:
                time.sleep(0.05)
        raise AssertionError("nothing listens in the namespace")

    def fall_silent(self) -> None:
        assert self.process
        self.ip("-n", self.name, "address", "del", f"{self.network}.2/30", "dev", f"{self.name}b")
        # What its end would send has nowhere to come from.
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)


@contextmanager
def way_to(kind: str, server: Any) -> Iterator[Way]:
    target = f"{parse_qs(urlsplit(server.get_uri()).query)['host'][0]}/.s.PGSQL.5432"
    if kind == "proxy":
        proxy = Proxy(target)
        with closing(proxy.listener):
            threading.Thread(target=proxy.serve, daemon=True).start()
            yield proxy
        for each in proxy.held:
            each.close()
    else:
        namespace = Namespace(target)
        try:
            namespace.make()
        except (OSError, subprocess.CalledProcessError) as error:
            namespace.remove()
            pytest.skip(f"no network namespaces here: {error}")
        try:
            yield namespace
        finally:
            namespace.remove()


@dataclass
class Sent:
    status: int
    began: float
    ended: float


@contextmanager
def asking(house: House, several: int) -> Iterator[list[Sent]]:
    """Bookings one after the other, by so many; each with its times."""
    sent: list[Sent] = []
    ended = threading.Event()

    def ask(first: int) -> None:
        number = first
        while not ended.is_set():
            began = time.monotonic()
            status = house.book(f"booking {number}", number).status
            sent.append(Sent(status, began, time.monotonic()))
            number += several
            time.sleep(0.02)

    with ThreadPoolExecutor(several) as pool:
        asked = [pool.submit(ask, first) for first in range(several)]
        try:
            yield sent
        finally:
            ended.set()
    for each in asked:
        each.result()


@pytest.mark.parametrize("kind", ["proxy", "namespace"])
def test_a_database_that_falls_silent(kind: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    """As one whose address vanishes, or that is behind a proxy which forwards nothing."""
    with own_server() as server, way_to(kind, server) as way:
        database = urlsplit(new_database(server.get_uri())).path
        with bistro_on(way.url + database, tell, tools, tmp_path) as bistro:
            house = a_house(bistro)
            with asking(house, 20) as sent:
                time.sleep(2)
                way.fall_silent()
                silent = time.monotonic()
                time.sleep(14)
                assert bistro.ask("GET", "/health/ready").status == 503
                assert bistro.ask("GET", "/health/live").status == 200
                way.lead_on()
                there = time.monotonic()
                time.sleep(17)
            assert {one.status for one in sent} == {201, 503}
            assert {one.status for one in sent if one.ended < silent} == {201}
            assert max(one.ended - one.began for one in sent) < 20
            assert {one.status for one in sent if one.began > there + 15} == {201}


# ---- a database that is read-only


def make_standby(server: Any, url: str) -> None:
    server.stop()
    (Path(server.pgdata) / "standby.signal").touch()
    server.ensure_postgres_running()


def make_primary(server: Any, url: str) -> None:
    server.stop()
    (Path(server.pgdata) / "standby.signal").unlink()
    server.ensure_postgres_running()


def default_to(value: str) -> Callable[[Any, str], None]:
    def switch(server: Any, url: str) -> None:
        name = urlsplit(url).path[1:]
        alter = f"ALTER DATABASE {name} SET default_transaction_read_only = {value}"
        others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        execute(server.get_uri(), alter, others)

    return switch


@pytest.mark.parametrize(
    ("off", "on"), [(make_standby, make_primary), (default_to("on"), default_to("off"))], ids=["standby", "default"]
)
def test_a_read_only_database(
    off: Callable[[Any, str], None],
    on: Callable[[Any, str], None],
    tell: Callable[[str], Story],
    tools: Path,
    tmp_path: Path,
) -> None:
    with own_server() as server, bistro_on(url := new_database(server.get_uri()), tell, tools, tmp_path) as bistro:
        house = a_house(bistro)
        # Its connections have begun transactions of both kinds.
        assert (house.book("first", 0).status, len(house.booked())) == (201, 1)
        off(server, url)
        bistro.wait_for("/health/ready", 503)
        for number in range(3):
            refused = house.book("refused", number)
            assert (refused.status, refused.body["type"]) == (503, "/problems/unavailable")
            assert bistro.ask("GET", "/bookings", house.staff).status == 200
        assert bistro.ask("GET", "/health/ready").status == 503
        on(server, url)
        bistro.wait_for("/health/ready", 200)
        # A connection that was lost meanwhile costs a 503, and is thrown away.
        end = time.monotonic() + 15
        while (again := house.book("second", 1)).status == 503 and time.monotonic() < end:
            time.sleep(0.1)
        assert again.status == 201


# ---- what the operator has set

SETTINGS = """
import json, sys
from bistro.database.engine import create_engine
names = ["search_path", "statement_timeout", "lock_timeout", "transaction_read_only", "application_name", "TimeZone"]
engine = create_engine(sys.argv[1])
with engine.execution_options(read_only=True).begin() as connection:
    pass
with engine.begin() as connection:
    print(json.dumps([connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]))
"""


@pytest.mark.parametrize(
    ("statement", "options", "environment", "expected"),
    [
        ("", "", "", ['"$user", public', "10s", "5s", "off", "bistro", "UTC"]),
        ("", "-csearch_path=app -clock_timeout=2s", "", ["app", "10s", "2s", "off", "bistro", "UTC"]),
        ("", "", "-csearch_path=app -cstatement_timeout=30s", ["app", "30s", "5s", "off", "bistro", "UTC"]),
        ("SET default_transaction_read_only = on", "", "", ['"$user", public', "10s", "5s", "on", "bistro", "UTC"]),
        ("SET statement_timeout = 0", "", "", ['"$user", public', "0", "5s", "off", "bistro", "UTC"]),
        ("SET TimeZone = 'Asia/Tokyo'", "", "", ['"$user", public', "10s", "5s", "off", "bistro", "UTC"]),
    ],
)
def test_what_the_operator_has_set(
    statement: str,
    options: str,
    environment: str,
    expected: list[str],
    tell: Callable[[str], Story],
    tools: Path,
    postgres: str,
) -> None:
    url = new_database(postgres)
    if statement:
        execute(postgres, f"ALTER DATABASE {urlsplit(url).path[1:]} {statement}")
    separator = "&" if "?" in url else "?"
    url += f"{separator}options={quote(options)}" if options else ""
    more = {"PGOPTIONS": environment} if environment else {}
    story = tell("bistro_postgresql")
    done = run(story.path, tools / "python", "-c", SETTINGS, url, PYTHONPATH="src", **more)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


# ---- a pooler


@contextmanager
def pgbouncer(server: Any, folder: Path) -> Iterator[str]:
    """A real one, in transaction mode, with fewer connections than its clients have; its URL without a database."""
    program = pgbouncer_program(folder)
    target = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
    port = free_port()
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(f"""
[databases]
* = host={target} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
""")
    # It refuses to run as root, and has to reach the socket of the server.
    user = ["setpriv", f"--reuid={server.system_user}", "--clear-groups"] if os.geteuid() == 0 else []
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([*user, *program, str(folder / "pgbouncer.ini")], stdout=log, stderr=log)
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def pgbouncer_program(folder: Path) -> list[str]:
    """The one that is installed; else that of Debian, unpacked for this test only."""
    if found := shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"):
        return [found]
    packages = folder / "packages"
    packages.mkdir()
    try:
        for command in [["apt-get", "update", "-qq"], ["apt-get", "download", "-qq", "pgbouncer", "libc-ares2"]]:
            subprocess.run(command, cwd=packages, check=True, capture_output=True, timeout=120)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, folder / "root"], check=True, capture_output=True)
        (library,) = {path.parent for path in (folder / "root").rglob("libcares.so.2")}
        program = ["env", f"LD_LIBRARY_PATH={library}", str(folder / "root/usr/sbin/pgbouncer")]
        subprocess.run([*program, "--version"], check=True, capture_output=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        pytest.skip(f"no PgBouncer is installed, and Debian's cannot be fetched: {error}")
    return program


def test_behind_a_pooler(tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    """Thirty clients of two processes share five sessions of the database."""
    roles = {"ann": ["guest"], "sam": ["staff"], "max": ["manager"]}
    with (
        tempfile.TemporaryDirectory() as folder,
        own_server() as server,
        provider(tools, roles) as known,
    ):
        Path(folder).chmod(0o755)
        database = urlsplit(new_database(server.get_uri())).path
        with pgbouncer(server, Path(folder)) as url:
            settings = {"DATABASE_URL": url + database, "DATABASE_POOLER": "transaction", **known.settings}
            story, log = tell("bistro_postgresql"), tmp_path / "served.log"
            service = Service(story, tools, log, settings, ("serve", "--workers", "2"))
            service.run("migrate")
            service.run("migrate")
            with served(service) as bistro:
                ann, sam, max = (known.tokens[name] for name in ["ann", "sam", "max"])
                table = bistro.ask("POST", "/tables", sam, {"name": "Window", "seats": 4}).body["id"]
                house = House(bistro, table, ann, sam)
                paths = [("/bookings?limit=5", sam), ("/tables", ""), ("/bookings/counts", max)]

                def call(client: int) -> set[int]:
                    statuses = set()
                    for number in range(client, 450, 30):
                        statuses.add(house.book(f"booking {number}", number).status)
                        statuses |= {bistro.ask("GET", path, token).status for path, token in paths}
                        statuses.add(export(bistro, max)[0])
                    return statuses

                with ThreadPoolExecutor(30) as several:
                    statuses = set().union(*several.map(call, range(30)))
                assert {200, 201} <= statuses <= {200, 201, 503}
                assert sum(house.booked().values()) == 450
        assert "Traceback" not in log.read_text()


# ---- exports that nobody reads

TOOLS = {
    "use_cases": "anyone adds tool\nanyone lists tools\nanyone exports tools",
    "data": "tool:\n  name: text 1..200",
    "outputs": "",
    "service_name": "tools",
}
MANY = {
    "sqlite": """
        WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 100000)
        INSERT INTO tools (id, version, created_at, updated_at, name)
        SELECT lower(hex(randomblob(16))), 1, '2030-01-01 00:00:00', '2030-01-01 00:00:00', hex(zeroblob(100))
        FROM numbers
    """,
    "postgresql": """
        INSERT INTO tools (id, version, created_at, updated_at, name)
        SELECT gen_random_uuid(), 1, now(), now(), repeat('n', 200) FROM generate_series(1, 100000)
    """,
}


@pytest.mark.parametrize("database", MANY)
def test_who_does_not_read_an_export_takes_from_a_share_for_exports(
    database: str, template: Path, tools: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """More of them than there are connections, each amid an export of which the kernel holds only a part."""
    answers = TOOLS | {"database": database}
    story = Story("tools", answers, render(template, answers, tmp_path / "tools"))
    url = database_of(story, tmp_path, request)
    impatient = "from tools.web import middleware; middleware.PART_TIMEOUT = 3"
    service = Service(story, tools, tmp_path / "log", {"DATABASE_URL": url}, ("serve",), impatient)
    service.run("migrate")
    if database == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(MANY[database])
    else:
        execute(url, MANY[database])
    with served(service), ExitStack() as clients:
        statuses = []
        began = time.monotonic()
        for _ in range(11):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", service.port))
            client.sendall(b"GET /tools.csv HTTP/1.1\r\nHost: a\r\n\r\n")
            statuses.append(client.recv(12))
        refused = service.ask("GET", "/tools.csv")
        assert service.ask("GET", "/tools").status == 200
        assert service.ask("POST", "/tools", body={"name": "saw"}).status == 201
        assert time.monotonic() - began < 2
        assert statuses == [b"HTTP/1.1 200"] * 3 + [b"HTTP/1.1 503"] * 8
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        # The exports of those who do not read end.
        while status_of(f"http://127.0.0.1:{service.port}/tools.csv") != 200:
            assert time.monotonic() - began < 20
            time.sleep(0.1)
    written = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    cut = [line for line in written if line["message"] == 'cut: attachment; filename="tools.csv"']
    assert len({line["request_id"] for line in cut}) >= 3
    assert "Traceback" not in service.log.read_text()


# ---- a file that is removed, replaced, backed up and restored


@pytest.fixture
def on_file(tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db"}
    with served(Service(tell("bistro"), tools, tmp_path / "served.log", settings)) as bistro:
        yield bistro
        assert "Traceback" not in bistro.log.read_text()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_removed_or_replaced(replaced: bool, on_file: Service, tmp_path: Path) -> None:
    house, file = a_house(on_file), tmp_path / "bistro.db"
    assert house.book("first", 0).status == 201
    file.rename(tmp_path / "moved.db")
    if replaced:
        shutil.copy(tmp_path / "moved.db", file)
    refused = house.book("refused", 1)
    assert (refused.status, refused.body["type"]) == (503, "/problems/unavailable")
    assert on_file.ask("GET", "/bookings", house.staff).status == 503
    on_file.wait_for("/health/ready", 503)
    assert f"not ready: {file} has been removed or replaced: restart the service" in on_file.log.read_text()
    (tmp_path / "moved.db").rename(file)
    on_file.wait_for("/health/ready", 200)
    assert house.book("second", 2).status == 201
    assert house.booked() == {"first": 1, "second": 1}


def test_a_backup_and_a_restore_while_it_runs(on_file: Service, tools: Path, tmp_path: Path) -> None:
    """By the commands of docs/database.md, while others write."""
    text = (on_file.story.path / "docs/database.md").read_text()
    back_up, restore = re.findall(r"^    (python -c .*)$|^(python -c .*)$", text, re.MULTILINE)
    house = a_house(on_file)

    def command(line: str) -> None:
        done = run(tmp_path, "sh", "-c", line, PATH=f"{tools}:{os.environ['PATH']}")
        assert done.returncode == 0, done.stderr

    with asking(house, 4) as sent:
        time.sleep(1)
        before = house.booked()
        command("".join(back_up))
        time.sleep(1)
        after = house.booked()
        command("".join(restore))
        time.sleep(1)
    assert {one.status for one in sent} == {201}
    restored = house.booked()
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        there = {note for (note,) in backup.execute("SELECT note FROM bookings")}
    assert before.keys() <= there < after.keys()
    assert there <= restored.keys() and not after.keys() <= restored.keys()
    assert on_file.ask("GET", "/health/ready").status == 200
    with closing(sqlite3.connect(tmp_path / "bistro.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# ---- what batch mode would lose

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "second"
down_revision = "{first}"


def upgrade() -> None:
{before}
    with op.batch_alter_table("tables") as batch:
        batch.alter_column("name", existing_type=sa.String(), type_=sa.String(50))
{after}


def downgrade() -> None:
    pass
"""
TRIGGER = "CREATE TRIGGER seen AFTER INSERT ON tables BEGIN UPDATE tables SET version = 7 WHERE id = new.id; END"


@pytest.mark.parametrize(
    ("statement", "lost", "heeded"),
    [
        (TRIGGER, "the trigger seen", False),
        (
            "CREATE TRIGGER seen AFTER INSERT ON bookings BEGIN DELETE FROM tables WHERE seats = 99; END",
            "the trigger seen",
            False,
        ),
        ("CREATE VIEW seen AS SELECT name FROM tables", "the view seen", False),
        ("CREATE UNIQUE INDEX seen ON tables (lower(name))", "the index seen", False),
        ("CREATE INDEX seen ON tables (name COLLATE NOCASE)", "the index seen", False),
        ("CREATE INDEX seen ON tables (seats DESC)", "the index seen", False),
        ("CREATE INDEX seen ON tables (seats) WHERE seats > 3", "", False),
        ("CREATE VIEW seen AS SELECT note FROM bookings", "", False),
        (TRIGGER, "the trigger seen", True),
        ("CREATE VIEW seen AS SELECT name FROM tables", "the view seen", True),
    ],
)
def test_what_batch_mode_would_lose(
    statement: str, lost: str, heeded: bool, bistro: Story, tools: Path, tmp_path: Path
) -> None:
    story = Story("bistro", bistro.answers, Path(shutil.copytree(bistro.path, tmp_path / "bistro")))
    file = tmp_path / "bistro.db"
    service = Service(
        story, tools, tmp_path / "log", {"DATABASE_URL": f"sqlite:///{file}", "ENVIRONMENT": "development"}
    )
    service.run("migrate")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
    versions = story.path / "migrations/versions"
    (first,) = re.findall(r'^revision = "(\w+)"', (versions / "0001_first.py").read_text(), re.MULTILINE)
    kind = statement.replace("UNIQUE ", "").split()[1]
    before = f'    op.execute("DROP {kind} seen")' if heeded else ""
    after = f'    op.execute("{statement}")' if heeded else ""
    (versions / "0002_second.py").write_text(MIGRATION.format(first=first, before=before, after=after))
    main = "from bistro.cli import main; main()"
    done = run(story.path, tools / "python", "-c", main, "migrate", PYTHONPATH="src", **service.settings)
    if lost and not heeded:
        remedy = "drop it by op.execute(...) in the migration before, and create it again after"
        assert done.stderr.splitlines()[-1] == f"bistro: to change tables is to lose {lost}: {remedy}"
        assert done.returncode == 1 and "Traceback" not in done.stderr
    else:
        assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT sql FROM sqlite_master WHERE name = 'seen'").fetchall() == [(statement,)]
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
    assert (revision == "second") == (done.returncode == 0)


# ---- a feed


def test_who_follows_what_is_created(tell: Callable[[str], Story], tools: Path, postgres: str, tmp_path: Path) -> None:
    """By the function of docs/database.md; by the last id alone, what is committed late is missed."""
    with bistro_on(url := new_database(postgres), tell, tools, tmp_path) as bistro:
        (code,) = re.findall(r"```python\n(.*?)```", (bistro.story.path / "docs/database.md").read_text(), re.DOTALL)
        exec(code, follow := {})  # type: ignore[var-annotated]
        house = a_house(bistro)
        known: set[str] = set()

        def page(cursor: str) -> Any:
            return bistro.ask("GET", f"/bookings?limit=2&cursor={cursor}", house.staff).body

        def poll(last: float) -> list[str]:
            return [item["note"] for item in follow["created_since"](last, page, known)]

        began = time.time()
        for number in range(3):
            house.book(f"early {number}", number)
        with psycopg.connect(url.replace("+psycopg", "")) as late:
            id = uuid.UUID(int=int(time.time() * 1000) << 80)
            late.execute("CREATE TEMP TABLE copied AS SELECT * FROM bookings LIMIT 1")
            late.execute("UPDATE copied SET id = %s, note = 'late', starts_at = starts_at - interval '1 day'", [id])
            late.execute("INSERT INTO bookings SELECT * FROM copied")
            for number in range(3, 6):
                house.book(f"early {number}", number)
            assert sorted(poll(began)) == [f"early {number}" for number in range(6)]
            last_id = max(known)
        house.book("early 6", 6)
        assert [item["note"] for item in page(last_id)["items"]] == ["early 6"]
        assert poll(time.time()) == ["late", "early 6"]
        assert poll(time.time()) == []
