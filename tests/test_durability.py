"""What a served bistro was told stays, whatever happens: to one row, to its process, to its database.

pytest tests/test_durability.py                  killed a few times
KILLED=50 pytest tests/test_durability.py        killed fifty times
"""

import contextlib
import itertools
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from serving import Answer, Service, database_of, new_database, own_server, served
from stories import Story

KILLED = int(os.environ.get("KILLED", "4"))
FIRST = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
BOTH = pytest.mark.parametrize("name", ["bistro", "bistro_postgresql"])


@pytest.fixture
def bistro(
    name: str,
    tell: Callable[[str], Story],
    tools: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Service]:
    settings = {"DATABASE_URL": database_of(tell(name), tmp_path, request)}
    with served(Service(tell(name), tools, tmp_path / "served.log", settings)) as bistro:
        yield bistro
        assert "Traceback" not in bistro.log.read_text()


@dataclass
class House:
    """One table, and everybody's tokens."""

    bistro: Service
    table: str
    guest: str
    staff: str

    def book(self, key: str, evening: int) -> Answer:
        starts = FIRST + timedelta(hours=evening)
        body = {
            "table": self.table,
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(minutes=30)).isoformat(),
            "party_size": 2,
            "note": key,
            "phone": "0123456789",
        }
        return self.bistro.ask("POST", "/bookings", self.guest, body, Idempotency_Key=key)

    def booked(self, since: int = 0) -> Counter[str]:
        """How often there is a booking with this key, from this evening on."""
        query = urlencode({"starts_at_from": (FIRST + timedelta(hours=since)).isoformat()})
        return Counter(booking["note"] for booking in self.bistro.all(f"/bookings?{query}", self.staff))


@pytest.fixture
def house(bistro: Service) -> House:
    return a_house(bistro)


def a_house(bistro: Service) -> House:
    guest, staff = bistro.token("ann", "guest"), bistro.token("sam", "staff")
    table = bistro.ask("POST", "/tables", staff, {"name": "Window", "seats": 4})
    assert table.status == 201, table
    return House(bistro, table.body["id"], guest, staff)


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    barrier = threading.Barrier(len(calls))

    def wait_and(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as several:
        return list(several.map(wait_and, calls))


@BOTH
def test_forty_change_one_row_and_nothing_is_lost(house: House) -> None:
    bistro, path = house.bistro, f"/me/bookings/{house.book('start', 0).body['id']}"

    def append(number: int) -> set[int]:
        """One word more, until nobody came between reading and writing: each version has one more."""
        seen: set[int] = set()
        while seen.isdisjoint({0, 200, 409, 500, 503}):
            read = bistro.ask("GET", "/bookings", house.staff)
            note = read.body["items"][0]["note"]
            version = f'"{len(note.split())}"'
            answer = bistro.ask("PATCH", path, house.guest, {"note": f"{note} {number}"}, If_Match=version)
            seen |= {read.status, answer.status} - {200 if answer.status == 412 else 0}
        return seen

    assert set().union(*at_once([partial(append, number) for number in range(40)])) <= {200, 412}
    assert sorted(next(iter(house.booked())).split()) == sorted(["start", *map(str, range(40))])


@BOTH
def test_of_racing_moves_one_wins(house: House) -> None:
    for evening in range(20):
        path = f"/bookings/{house.book(str(evening), evening).body['id']}"
        moves = ["confirm", "decline"] * 12
        answers = at_once([partial(house.bistro.ask, "POST", f"{path}/{move}", house.staff, {}) for move in moves])
        assert sorted(answer.status for answer in answers) == [200] + [409] * 23


@BOTH
def test_of_racing_bookings_one_wins(house: House) -> None:
    answers = at_once([partial(house.book, f"racing {number}", 1) for number in range(8)])
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert sum(house.booked().values()) == 1


@BOTH
def test_what_is_referred_to_stays_or_is_not_referred_to(house: House) -> None:
    """A table that is removed while somebody books it."""
    for evening in range(5):
        table = house.bistro.ask("POST", "/tables", house.staff, {"name": f"Corner {evening}", "seats": 4}).body["id"]
        corner = replace(house, table=table)
        remove = partial(house.bistro.ask, "DELETE", f"/tables/{table}", house.staff)
        book = [partial(corner.book, f"{evening} {number}", evening * 10 + number) for number in range(3)]
        removed, *booked = (answer.status for answer in at_once([remove, *book]))
        assert (removed, set(booked)) in [(204, {422}), (409, {201})]


def write_until_it_ends(house: House, told: dict[str, int], ended: threading.Event, names: Iterator[int]) -> None:
    """Bookings, one after the other; `told` is what each was answered."""
    while not ended.is_set():
        number = next(names)
        told[f"booking {number}"] = house.book(f"booking {number}", number).status


@contextmanager
def writers(house: House, told: dict[str, int], names: Iterator[int]) -> Iterator[None]:
    ended = threading.Event()
    with ThreadPoolExecutor(8) as several:
        for _ in range(8):
            several.submit(write_until_it_ends, house, told, ended, names)
        try:
            yield
        finally:
            ended.set()


def assert_all_is_there(house: House, told: dict[str, int], since: int = 0) -> None:
    """What was promised, and nothing twice; who is not sure asks again, and then it is there."""
    booked = house.booked(since)
    assert set(booked.values()) == {1}
    assert {key for key, status in told.items() if status == 201} <= booked.keys()
    for key, status in told.items():
        if status != 201:
            assert house.book(key, int(key.split()[1])).status == 201
    assert house.booked(since) == dict.fromkeys(told, 1)


@BOTH
def test_killed_under_load(house: House) -> None:
    names = itertools.count()
    answers: Counter[int] = Counter()
    for round in range(KILLED):
        told: dict[str, int] = {}
        first = next(names)
        with writers(house, told, names):
            while len(told) < 20:
                time.sleep(0.01)
            time.sleep(round % 10 / 100)
            house.bistro.stop(signal.SIGKILL)
        house.bistro.start()
        assert_all_is_there(house, told, first)
        answers.update(told.values())
    print(f"killed {KILLED} times, answered", dict(answers))
    assert answers.keys() == {0, 201}
    assert sum(house.booked().values()) == answers.total()
    assert_sound(house.bistro.database)


def assert_sound(database: str) -> None:
    if database.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            kept = connection.execute("SELECT count(*) FROM idempotency_keys").fetchone()
            assert kept == connection.execute("SELECT count(*) FROM bookings").fetchone()
    else:
        with psycopg.connect(database.replace("+psycopg", "")) as server:
            row = server.execute("SELECT (SELECT count(*) FROM idempotency_keys), (SELECT count(*) FROM bookings)")
            kept, booked = row.fetchone() or (0, 1)
            assert kept == booked


def test_without_its_database_and_back(tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    with own_server() as server:
        settings = {"DATABASE_URL": new_database(server.get_uri())}
        with served(Service(tell("bistro_postgresql"), tools, tmp_path / "served.log", settings)) as bistro:
            house = a_house(bistro)
            told: dict[str, int] = {}
            with writers(house, told, itertools.count()):
                while len(told) < 100:
                    time.sleep(0.01)
                server.stop()
                bistro.wait_for("/health/ready", 503)
                refused = house.book("refused", 100_000)
                alive = bistro.ask("GET", "/health/live")
                server.ensure_postgres_running()
                bistro.wait_for("/health/ready", 200)
                after = len(told)
                while len(told) < after + 100:
                    time.sleep(0.01)
            assert (refused.status, refused.body["type"]) == (503, "/problems/unavailable")
            assert refused.headers["Retry-After"].isdecimal()
            assert alive.status == 200
            assert set(told.values()) == {201, 503}
            assert_all_is_there(house, told)
            assert_sound(bistro.database)
        assert "Traceback" not in bistro.log.read_text()
