"""What is sent as a secret, rightly or wrongly, is in no line that a served service writes, and in no other answer."""

import contextlib
import itertools
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from serving import HTTP, Service, database_of, provider, served
from stories import Story

MARK = "s3cr3t-0170-76543"
# In a path it is no secret: those that the contract has show none, and the log shows them all.
IN_PATH = "s3cr3t-in-a-path"

# Where each story keeps secrets, and what may show them.
KEPT = {
    "bistro": ("bookings", ["phone"], ["GET /bookings"]),
    "helpdesk": ("notes", ["text"], ["GET /notes"]),
    "parcels": ("parcels", ["to_name", "to_address"], []),
}


@dataclass(frozen=True)
class Try:
    """What is sent for one operation."""

    operation: str
    target: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


def told(service: Service, token: str, attempt: Try) -> tuple[int, str]:
    """Status, and all that the answer says."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | dict(attempt.headers)
    url = f"http://127.0.0.1:{service.port}{attempt.target}"
    request = urllib.request.Request(url, attempt.body, headers, method=attempt.operation.split()[0])
    try:
        with HTTP.open(request, timeout=30) as answer:
            return answer.status, f"{answer.headers}{answer.read().decode()}"
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, f"{refusal.headers}{refusal.read().decode()}"
    except urllib.error.URLError:
        # What is much too large need not be read to be refused.
        return 413, ""


class Contract:
    """What can be called, with bodies made of the contract's examples."""

    def __init__(self, contract: dict[str, Any], secrets: list[str]) -> None:
        self.secrets = secrets
        self.ids: dict[str, str] = {}
        self.operations = {
            f"{method.upper()} {path}": operation
            for path, methods in contract["paths"].items()
            for method, operation in methods.items()
        }
        schemes = [scheme for operation in self.operations.values() for scheme in operation.get("security", [])]
        self.roles = sorted({role for scheme in schemes for role in scheme["HTTPBearer"]})
        self._schemas = contract["components"]["schemas"]

    def examples(self, operation: str) -> dict[str, Any]:
        given = {name: field["examples"][0] for name, field in self._fields(operation).items() if "examples" in field}
        return {name: MARK if name in self.secrets else self.ids.get(name, value) for name, value in given.items()}

    def _fields(self, operation: str) -> dict[str, Any]:
        content = self.operations[operation].get("requestBody", {}).get("content", {})
        if not content:
            return {}
        name = content["application/json"]["schema"]["$ref"].split("/")[-1]
        fields: dict[str, Any] = self._schemas[name]["properties"]
        return fields

    def _any_text(self, operation: str, field: str) -> bool:
        """Whether the mark would be one of its values, and rightly shown."""
        schema = self._fields(operation)[field]
        text = schema.get("anyOf", [schema])[0]
        return field not in self.secrets and text.get("type") == "string" and "format" not in text

    def target(self, operation: str, id: str = "") -> str:
        path = operation.split()[1]
        thing = path.removeprefix("/me").split("/")[1].removesuffix("s")
        return path.replace("{id}", id or self.ids.get(thing, "0" * 32)).replace("{code}", id or "A" * 10)

    def creates(self) -> list[str]:
        """Of what others refer to, first."""
        creates = [name for name in self.operations if name.startswith("POST") and "{" not in name]
        return sorted(
            creates, key=lambda name: any(ref in self.examples(name) for ref in ["table", "ticket", "parcel"])
        )

    def valid(self, operation: str, **headers: str) -> Try:
        body = self.examples(operation)
        sent = json.dumps(body).encode() if body else None
        return Try(operation, self.target(operation), sent, tuple(headers.items()))

    def invalid(self, operation: str) -> Iterator[Try]:
        """The secret where it should not be, in each way."""
        target, body = self.target(operation), self.examples(operation)
        for name in body:
            wrong = [[MARK], {"a": MARK}, MARK * 5_000, f"{MARK}\ud800", f"{MARK}\x00"]
            for value in wrong + [MARK] * (not self._any_text(operation, name)):
                yield Try(operation, target, json.dumps({**body, name: value}).encode())
        whole = json.dumps({**body, "colour": MARK}).encode()
        for sent in [
            whole,
            whole[:-1],
            whole + b"\xff",
            b"[%b]" % whole,
            MARK.encode(),
            f'"{MARK}"'.encode(),
            b" " * 2**21 + whole,
        ]:
            yield Try(operation, target, sent)
        yield Try(operation, target, whole, (("Content-Type", "text/plain"),))
        for parameter in self.operations[operation].get("parameters", [{"in": "query", "name": "phone"}]):
            if parameter["in"] == "query":
                yield Try(operation, f"{target}?{parameter['name']}={MARK}&token={MARK}")
        plain = self.valid(operation).body
        for header in [
            "Idempotency-Key",
            "If-Match",
            "traceparent",
            "Cookie",
            "X-Api-Key",
            "Referer",
            "User-Agent",
            "X-Request-Id",
        ]:
            yield Try(operation, target, plain, ((header, MARK),))
        for scheme in ["Bearer", "Basic", "Bearer a.b."]:
            yield Try(operation, target, plain, (("Authorization", f"{scheme} {MARK}"),))


def execute(database: str, statement: str) -> list[Any]:
    if database.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as server:
        done = server.execute(statement.encode())
        return done.fetchall() if done.description else []


@contextmanager
def locked(database: str, table: str) -> Iterator[None]:
    """By somebody who takes long."""
    if database.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(database.replace("+psycopg", "")) as server:
            server.execute(f"LOCK TABLE {table}".encode())
            yield


@pytest.mark.parametrize(
    ("name", "command"),
    [("bistro", "serve"), ("helpdesk", "dev"), ("parcels", "serve")],
)
def test_a_secret_stays_one(
    name: str,
    command: str,
    tell: Callable[[str], Story],
    tools: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    story, (table, secrets, showing) = tell(name), KEPT[name]
    log, database = tmp_path / "served.log", database_of(story, tmp_path, request)
    with ExitStack() as running:
        service = Service(story, tools, log, {"DATABASE_URL": database}, (command,))
        contract = Contract(json.loads(service.run("openapi")), secrets)
        token = service.token("ann")
        if command == "serve":
            known = running.enter_context(provider(tools, {"ann": contract.roles}))
            token = known.tokens["ann"]
            service.settings |= known.settings
            service.run("migrate")
        running.enter_context(served(service))
        answers: list[tuple[Try, int, str]] = []

        def send(attempt: Try) -> int:
            status, text = told(service, token, attempt)
            answers.append((attempt, status, text))
            return status

        for operation in contract.creates():
            assert send(contract.valid(operation)) in (201, 204)
            said = answers[-1][2].rpartition("\n\n")[2]
            if said:
                contract.ids[contract.target(operation)[1:-1]] = json.loads(said)["id"]
            # Again, with the same in what is unique.
            send(contract.valid(operation))
        kept = f"SELECT count(*) FROM {table} WHERE {secrets[0]} = '{MARK}'"
        assert execute(database, kept) != [(0,)]
        for operation in contract.operations:
            send(contract.valid(operation))
        invalid = itertools.chain.from_iterable(map(contract.invalid, contract.operations))
        with ThreadPoolExecutor(8) as several:
            list(several.map(send, invalid))
        assert {attempt.operation for attempt, _, text in answers if MARK in text} == set(showing)

        create = contract.valid(f"POST /{table}")
        with locked(database, table):
            assert send(create) == 503
        if name == "bistro":
            refuse = f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END"
        else:
            refuse = f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (length({secrets[0]}) < 3) NOT VALID"
        execute(database, refuse)
        assert send(create) == 500
        execute(database, f"ALTER TABLE {table} RENAME TO gone")
        crashed = {operation for operation in contract.operations if send(contract.valid(operation)) == 500}
        assert f"POST /{table}" in crashed
        for operation in contract.operations:
            send(Try(operation, f"/{IN_PATH}"))
            send(Try(operation, contract.target(operation, IN_PATH)))

    assert {attempt.operation for attempt, _, text in answers if MARK in text} == set(showing)
    assert [text for *_, text in answers if IN_PATH in text] == []
    assert {status for _, status, _ in answers} >= {200, 201, 401, 404, 409, 413, 422, 500, 503}
    lines = log.read_text().splitlines()
    assert [line for line in lines if MARK in line] == []
    assert {
        json.loads(line)["logger"] if command == "serve" else line.split()[3] for line in lines if IN_PATH in line
    } <= {f"{story.package}.web.middleware", f"{story.package}.journey.recorder"}
    files = (story.path / ".journeys").glob("*.jsonl")
    # Not `splitlines`: what was sent may have other characters that end a line, such as U+0085.
    journeys = [json.loads(line) for file in files for line in file.read_text().split("\n") if line]
    assert command == "serve" or journeys != []
    for journey in journeys:
        # The rest is what the client has sent, in fields that are no secrets.
        assert MARK not in json.dumps([journey[name] for name in ("stops", "logs", "response")])
        sent = journey["body"] if isinstance(journey["body"], dict) else {}
        assert MARK not in json.dumps([sent.get(name) for name in secrets])
