"""Sixty-four callers at once, in production: each answer is one that the contract names, and the end loses none.

pytest -s tests/test_load.py                       for 5 seconds each
LOAD_SECONDS=60 pytest -s tests/test_load.py       for a minute each
"""

import itertools
import json
import os
import signal
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from typing import Any

import pytest
from serving import Service, database_of, provider, served
from stories import Story

SECONDS = int(os.environ.get("LOAD_SECONDS", "5"))
CALLERS = 64
ROLES = {"ann": ["guest"], "bob": ["guest"], "sam": ["staff"], "max": ["manager"]}
FIRST = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@dataclass(frozen=True)
class Answered:
    operation: str
    status: int
    seconds: float
    stopping: bool


@dataclass
class Load:
    """What the callers share: what there is, what they asked, and what they were told."""

    port: int
    tokens: dict[str, str]
    tables: list[str]
    # Set before the service is told to stop: from then on it may hang up on whom it has not begun to answer.
    stopping: threading.Event = field(default_factory=threading.Event)
    evenings: Iterator[int] = field(default_factory=itertools.count)
    bookings: list[str] = field(default_factory=list)
    # By request id; of those that had no answer, what is wrong with that.
    answers: dict[str, Answered] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    # The notes of the bookings that were promised.
    promised: set[str] = field(default_factory=set)


class Caller:
    """One connection, kept as long as the service keeps it."""

    def __init__(self, load: Load, number: int) -> None:
        self.load = load
        self.chance = Random(number)
        self.connection = HTTPConnection("127.0.0.1", load.port, timeout=60)

    def run(self) -> None:
        while self.step():
            pass
        self.connection.close()

    def step(self) -> bool:
        load, chance = self.load, self.chance
        id = chance.choice(load.bookings[-200:] or [str(uuid.uuid4())])
        table = chance.choice(load.tables)
        guest, version = chance.choice(["ann", "bob"]), f'"{chance.choice([1, 1, 2])}"'
        match chance.randrange(16):
            case 0 | 1 | 2 | 3:
                return self.book(guest, table)
            case 4:
                return self.ask(
                    guest, "GET", "/me/bookings", f"?limit=10&status={chance.choice(['requested', 'cancelled'])}"
                )
            case 5:
                since = (FIRST + timedelta(hours=chance.randrange(1000))).isoformat().replace("+", "%2B")
                return self.ask("sam", "GET", "/bookings", f"?table={table}&starts_at_from={since}&limit=20")
            case 6:
                return self.ask("max", "GET", "/bookings/counts")
            case 7 if chance.random() < 0.2:
                return self.ask("max", "GET", "/bookings.csv")
            case 8:
                return self.ask("sam", "POST", "/bookings/{id}/confirm", of=id, if_match=version)
            case 9:
                return self.ask("sam", "POST", "/bookings/{id}/decline", of=id, body={"reason": "Full."})
            case 10:
                return self.ask(guest, "POST", "/me/bookings/{id}/cancel", of=id)
            case 11:
                return self.ask(
                    guest, "PATCH", "/me/bookings/{id}", of=id, body={"phone": "0123456789"}, if_match=version
                )
            case 12:
                return self.ask("", "GET", "/tables", "?seats_from=2")
            case 13:
                return self.ask("sam", "DELETE", "/tables/{id}", of=table)
            case 14:
                return self.ask("sam", "PATCH", "/tables/{id}", of=str(uuid.uuid4()), body={"seats": 3})
            case _:
                return self.ask(
                    chance.choice([*ROLES, ""]), "POST", "/tables", body={"name": uuid.uuid4().hex, "seats": 4}
                )

    def book(self, guest: str, table: str) -> bool:
        """Now and then twice, as one does who is not sure."""
        evening = next(self.load.evenings)
        starts, key = FIRST + timedelta(hours=evening), f"{guest} {evening}"
        body = {
            "table": table,
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(minutes=30)).isoformat(),
            "party_size": 2,
            "note": key,
        }
        return all(
            self.ask(guest, "POST", "/bookings", body=body, key=key) for _ in range(self.chance.choice([1, 1, 1, 2]))
        )

    def ask(
        self,
        who: str,
        method: str,
        path: str,
        query: str = "",
        *,
        of: str = "",
        body: Any = None,
        if_match: str = "",
        key: str = "",
    ) -> bool:
        """Whether there was an answer."""
        load, id, answer = self.load, uuid.uuid4().hex, None
        headers = {"traceparent": f"00-{id}-{id[:16]}-01"}
        headers |= {"Authorization": f"Bearer {load.tokens[who]}"} if who else {}
        headers |= {"Content-Type": "application/json"} if body else {}
        headers |= {"If-Match": if_match} if if_match else {}
        headers |= {"Idempotency-Key": key} if key else {}
        target, sent = path.replace("{id}", of) + query, json.dumps(body) if body else None
        started, stopping = time.perf_counter(), load.stopping.is_set()
        try:
            self.connection.request(method, target, sent, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            load.unanswered[id] = "cut" if answer else "" if load.stopping.is_set() else repr(error)
            return False
        load.answers[id] = Answered(f"{method} {path}", answer.status, time.perf_counter() - started, stopping)
        if key and answer.status == 201:
            load.promised.add(key)
            load.bookings.append(json.loads(text)["id"])
        return True


SERVED = [("bistro", "1"), ("bistro_postgresql", "2")] + [("bistro_postgresql", "1")] * (SECONDS > 5)


@pytest.mark.parametrize(("name", "workers"), SERVED)
def test_all_that_was_begun_is_answered(
    name: str,
    workers: str,
    tell: Callable[[str], Story],
    tools: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    with ExitStack() as running:
        known = running.enter_context(provider(tools, ROLES))
        settings = {"DATABASE_URL": database_of(tell(name), tmp_path, request), **known.settings}
        log = tmp_path / "served.log"
        service = Service(tell(name), tools, log, settings, ("serve", "--workers", workers))
        named = json.loads(service.run("openapi"))["paths"]
        service.run("migrate")
        running.enter_context(served(service))
        load = begin(service, known.tokens)

        with ThreadPoolExecutor(CALLERS) as several:
            for number in range(CALLERS):
                several.submit(Caller(load, number).run)
            time.sleep(SECONDS)
            load.stopping.set()
            assert service.process
            service.process.terminate()
            # Callers go on until nobody answers.
            ended = service.process.wait(25)
        tell_how_it_went(f"{name}, {workers} workers", load)

        written = log.read_text()
        lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
        begun = {line["request_id"] for line in lines if "ms" in line}
        assert ended in (0, -signal.SIGTERM)

        answered = Counter((answer.operation, answer.status) for answer in load.answers.values())
        unnamed = {
            (operation, status): often
            for (operation, status), often in answered.items()
            if str(status) not in named[operation.split()[1]][operation.split()[0].lower()]["responses"]
            # Only a few exports at once have connections to the database.
            and (operation, status) != ("GET /bookings.csv", 503)
        }
        assert unnamed == {}
        # Who had no answer had sent nothing that was begun, and this only while it stopped.
        assert set(load.unanswered.values()) <= {""}
        assert begun.isdisjoint(load.unanswered)
        assert load.answers.keys() <= begun
        assert [word for word in ["Traceback", "crashed", "exceeded"] if word in written] == []

        service.start()
        booked = Counter(booking["note"] for booking in service.all("/bookings?", known.tokens["sam"]))
        assert booked == dict.fromkeys(load.promised, 1)


def begin(service: Service, tokens: dict[str, str]) -> Load:
    """Tables that are booked, so that nobody can remove them."""
    add = [service.ask("POST", "/tables", tokens["sam"], {"name": f"Table {n}", "seats": 4}) for n in range(5)]
    load = Load(service.port, tokens, [answer.body["id"] for answer in add])
    first = Caller(load, 0)
    assert all(first.book("ann", table) for table in load.tables) and len(load.promised) == len(load.tables)
    first.connection.close()
    return load


def tell_how_it_went(what: str, load: Load) -> None:
    """The callers share the machine with the service, so that it could do more."""
    times = [answer.seconds * 1000 for answer in load.answers.values() if not answer.stopping]
    cuts = statistics.quantiles(times, n=100)
    print(f"{what}: {len(times) / SECONDS:.0f} requests/s, p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms")
    print(dict(sorted(Counter(answer.status for answer in load.answers.values()).items())))
    late = sum(answer.stopping for answer in load.answers.values())
    print(f"{len(load.promised)} bookings; once it stopped, {late} begun later, {len(load.unanswered)} unanswered")
