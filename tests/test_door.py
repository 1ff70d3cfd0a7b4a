"""What clients, proxies and operators meet first: HTTP as they write it, addresses, prefixes, settings that are wrong."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest
from serving import HTTP, Service, new_database, provider, served, status_of
from stories import Story, run

SETTINGS = {"AUTH_ISSUER": "https://login.example.com", "AUTH_AUDIENCE": "a", "AUTH_JWKS_URL": "http://127.0.0.1:1"}


@pytest.fixture(scope="module")
def service(bistro: Story, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("door")
    with served(Service(bistro, tools, folder / "log", {"DATABASE_URL": f"sqlite:///{folder}/bistro.db"})) as service:
        yield service


def ask_raw(connection: socket.socket, method: str, path: str, token: str) -> tuple[str, str]:
    """The head of the response, and what comes after it before the server waits."""
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(request.encode())
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        assert more, "closed"
        received += more
    connection.settimeout(0.3)
    try:
        while more := connection.recv(65536):
            received += more
    except TimeoutError:
        pass
    connection.settimeout(None)
    head, body = received.decode().split("\r\n\r\n", 1)
    return head, body


@pytest.mark.parametrize("path", ["/tables", "/bookings.csv", "/health/ready", "/docs", "/nowhere"])
def test_a_head_has_no_body_and_leaves_the_connection_as_it_was(service: Service, path: str) -> None:
    token = service.token("max")
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        # Twice: what was left of the first one would be read as the second.
        for _ in range(2):
            head, body = ask_raw(connection, "HEAD", path, token)
            status = "404 Not Found" if path == "/nowhere" else "200 OK"
            assert head.splitlines()[0] == f"HTTP/1.1 {status}"
            assert body == ""
        head, body = ask_raw(connection, "GET", path, token)
        assert head.splitlines()[0] == f"HTTP/1.1 {status}" and body != ""
    assert " cut: " not in service.log.read_text()


def test_a_plus_that_is_a_blank(service: Service) -> None:
    token = service.token("sam", "staff")
    moment = "/bookings?starts_at_from=2030-01-01T00:00:00"
    assert service.ask("GET", f"{moment}%2B01:00", token).status == 200
    blank = service.ask("GET", f"{moment}+01:00", token)
    assert blank.status == 422
    (error,) = blank.body["errors"]
    assert error == {"parameter": "starts_at_from", "detail": "The + of the time zone must be sent as %2B"}


# ---- where it listens


@pytest.fixture
def production(tools: Path, tmp_path: Path, bistro: Story) -> Iterator[Service]:
    """`serve`, to be started by the test; what `settings` say is in its environment."""
    database = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db"}
    with provider(tools, {"sam": ["staff"]}) as login:
        service = Service(bistro, tools, tmp_path / "log", {**database, **login.settings}, ("serve",))
        service.run("migrate")
        yield service
        if service.process and service.process.poll() is None:
            service.stop(signal.SIGTERM)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_two_colons_are_both_families(production: Service, workers: str) -> None:
    production.settings |= {"HOST": "::", "WORKERS": workers}
    production.start()
    for host in ["127.0.0.1", "[::1]"]:
        assert status_of(f"http://{host}:{production.port}/health/live") == 200


def test_an_idle_connection_stays_open(production: Service) -> None:
    """uvicorn closes it after 5 s; proxies reuse it after a minute and more."""
    production.start()
    with socket.create_connection(("127.0.0.1", production.port)) as connection:
        for pause in [6, 0]:
            head, _ = ask_raw(connection, "GET", "/health/live", "")
            assert head.startswith("HTTP/1.1 200 OK")
            time.sleep(pause)


@pytest.mark.parametrize("sent", ["", "/shop"], ids=["a proxy that strips", "a proxy that does not"])
def test_the_path_of_a_proxy(tell: Callable[[str], Story], tools: Path, tmp_path: Path, sent: str) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/clinic.db", "ROOT_PATH": "/shop"}
    with served(Service(tell("clinic"), tools, tmp_path / "log", settings)) as service:
        created = service.ask("POST", f"{sent}/rooms", service.token("ann"), {"name": "Blue"})
        assert created.status == 201, created
        location = created.headers["Location"]
        assert location.startswith("/shop/rooms/")
        assert service.ask("GET", location).status == 200
        assert service.ask("GET", sent + location.removeprefix("/shop")).body == created.body
        assert service.ask("GET", f"{sent}/openapi.json").body["servers"] == [{"url": "/shop"}]
        assert service.ask("GET", f"{sent}/shop/nowhere").status == 404
        with HTTP.open(f"http://127.0.0.1:{service.port}{sent}/docs") as page:
            assert "'/shop/openapi.json'" in page.read().decode()
        assert json.loads(service.run("openapi"))["servers"] == [{"url": "/shop"}]


# ---- a database that it cannot use

# The user, the hosts, the database and its options; and the reason that is given.
UNUSABLE = {
    "a missing right": ("powerless", "{host}", "{name}", "", "permission denied for schema public"),
    "no such user": ("nobody", "{host}", "{name}", "", 'role "nobody" does not exist'),
    "no such database": ("postgres", "{host}", "nothing", "", 'database "nothing" does not exist'),
    "nobody listens": ("postgres", "127.0.0.1:1", "{name}", "", "Connection refused"),
    "a port that is none": ("postgres", "{host}:abc", "{name}", "", "A port must be a number from 1 to 65535"),
    "a port beyond the last": ("postgres", "{host}:65536", "{name}", "", "A port must be a number from 1 to 65535"),
    "no such option": ("postgres", "{host}", "{name}", "?foo=1", 'invalid URI query parameter: "foo"'),
    "no such value": ("postgres", "{host}", "{name}", "?sslmode=x", 'invalid sslmode value: "x"'),
}


@pytest.fixture
def place(postgres: str) -> Iterator[dict[str, str]]:
    """A new database in which a user without rights may not do anything."""
    url = urlsplit(new_database(postgres))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE ROLE powerless LOGIN")
        yield {"host": quote(parse_qs(url.query)["host"][0], safe=""), "name": url.path.removeprefix("/")}
        connection.execute("DROP ROLE powerless")


def migrate(story: Story, tools: Path, url: str) -> subprocess.CompletedProcess[str]:
    code = "from bistro.cli import main; main()"
    return run(story.path, tools / "python", "-c", code, "migrate", PYTHONPATH="src", **SETTINGS, DATABASE_URL=url)


@pytest.mark.parametrize("case", UNUSABLE)
def test_one_line_says_why(case: str, tell: Callable[[str], Story], tools: Path, place: dict[str, str]) -> None:
    user, host, name, options, reason = (part.format(**place) for part in UNUSABLE[case])
    done = migrate(tell("bistro_postgresql"), tools, f"postgresql://{user}@{host}/{name}{options}")
    *before, line = done.stderr.splitlines()
    assert [text for text in before if " INFO alembic." not in text] == []
    assert done.returncode == 1 and line.startswith("bistro: ") and reason in line, line


def test_several_hosts_of_which_one_is_there(tell: Callable[[str], Story], tools: Path, place: dict[str, str]) -> None:
    url = "postgres://postgres@127.0.0.1:1,{host}:5432/{name}?target_session_attrs=read-write"
    done = migrate(tell("bistro_postgresql"), tools, url.format(**place))
    assert done.returncode == 0, done.stderr
