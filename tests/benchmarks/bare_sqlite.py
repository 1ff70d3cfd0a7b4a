"""What one would write by hand for three endpoints and nothing else: FastAPI, `def`, sqlite3, SQL as text."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from bookings.features.booking import schemas
from fastapi import FastAPI, HTTPException, Query, Response

COLUMNS = "id, version, created_at, updated_at, guest, starts_at, party_size, note"

app = FastAPI()
local = threading.local()


@contextmanager
def transaction(begin: str) -> Iterator[sqlite3.Connection]:
    """One connection a thread, with the settings that lose nothing."""
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(os.environ["DATABASE_URL"].removeprefix("sqlite:///"), isolation_level=None)
        local.connection.row_factory = sqlite3.Row
        for pragma in ["journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"]:
            local.connection.execute(f"PRAGMA {pragma}")
    local.connection.execute(begin)
    try:
        yield local.connection
        local.connection.execute("COMMIT")
    except BaseException:
        local.connection.execute("ROLLBACK")
        raise


def shown(row: sqlite3.Row) -> dict[str, Any]:
    moments = {name: f"{row[name]}+00:00" for name in ["created_at", "updated_at", "starts_at"]}
    return {**row, **moments}


def stored(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


@app.get("/bookings/{id}", response_model=schemas.BookingOut)
def view(id: UUID, response: Response) -> Any:
    with transaction("BEGIN") as connection:
        row = connection.execute(f"SELECT {COLUMNS} FROM bookings WHERE id = ?", [id.hex]).fetchone()
    if row is None:
        raise HTTPException(404)
    response.headers["ETag"] = f'"{row["version"]}"'
    return shown(row)


@app.get("/bookings", response_model=schemas.BookingPage)
def list_all(limit: int = Query(20, ge=1, le=100), cursor: UUID | None = None) -> Any:
    after, values = ("WHERE id > ?", [cursor.hex]) if cursor else ("", [])
    statement = f"SELECT {COLUMNS} FROM bookings {after} ORDER BY id LIMIT ?"
    with transaction("BEGIN") as connection:
        rows = [shown(row) for row in connection.execute(statement, [*values, limit + 1])]
    return {"items": rows[:limit], "next": rows[limit - 1]["id"] if len(rows) > limit else None}


@app.post("/bookings", response_model=schemas.BookingOut, status_code=201)
def create(body: schemas.BookingCreateIn, response: Response) -> Any:
    now = stored(datetime.now(UTC))
    values = [uuid4().hex, 1, now, now, body.guest, stored(body.starts_at), body.party_size, body.note]
    statement = f"INSERT INTO bookings ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING {COLUMNS}"
    with transaction("BEGIN IMMEDIATE") as connection:
        row = connection.execute(statement, values).fetchone()
    response.headers["ETag"] = f'"{row["version"]}"'
    response.headers["Location"] = f"/bookings/{UUID(row['id'])}"
    return shown(row)
