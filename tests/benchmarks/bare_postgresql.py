"""What one would write by hand for three endpoints and nothing else: FastAPI, `def`, a pool of psycopg, SQL as text."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from bookings.features.booking import schemas
from fastapi import FastAPI, HTTPException, Query, Response
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

COLUMNS = "id, version, created_at, updated_at, guest, starts_at, party_size, note"

pool: Any = ConnectionPool(
    os.environ["DATABASE_URL"].replace("+psycopg", ""),
    min_size=10,
    max_size=10,
    open=False,
    kwargs={"row_factory": dict_row},
)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    pool.open()
    yield
    pool.close()


app = FastAPI(lifespan=lifespan)


@app.get("/bookings/{id}", response_model=schemas.BookingOut)
def view(id: UUID, response: Response) -> Any:
    with pool.connection() as connection:
        row = connection.execute(f"SELECT {COLUMNS} FROM bookings WHERE id = %s", [id]).fetchone()
    if row is None:
        raise HTTPException(404)
    response.headers["ETag"] = f'"{row["version"]}"'
    return row


@app.get("/bookings", response_model=schemas.BookingPage)
def list_all(limit: int = Query(20, ge=1, le=100), cursor: UUID | None = None) -> Any:
    after = "WHERE id > %(cursor)s" if cursor else ""
    statement = f"SELECT {COLUMNS} FROM bookings {after} ORDER BY id LIMIT %(limit)s"
    with pool.connection() as connection:
        rows = connection.execute(statement, {"cursor": cursor, "limit": limit + 1}).fetchall()
    return {"items": rows[:limit], "next": rows[limit - 1]["id"] if len(rows) > limit else None}


@app.post("/bookings", response_model=schemas.BookingOut, status_code=201)
def create(body: schemas.BookingCreateIn, response: Response) -> Any:
    now = datetime.now(UTC)
    values = [uuid4(), 1, now, now, body.guest, body.starts_at, body.party_size, body.note]
    statement = f"INSERT INTO bookings ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING {COLUMNS}"
    with pool.connection() as connection:
        row = connection.execute(statement, values).fetchone()
    response.headers["ETag"] = f'"{row["version"]}"'
    response.headers["Location"] = f"/bookings/{row['id']}"
    return row
