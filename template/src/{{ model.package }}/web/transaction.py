"""Begin, commit, roll back: here, inside the endpoint, so that it has ended before the answer leaves."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from fastapi import Request

Connection = sa.Connection


@contextmanager
def writing(request: Request) -> Iterator[Connection]:
    """Commits at the end of the block, rolls back when it raises."""
    engine: sa.Engine = request.app.state.engine
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(request: Request) -> Iterator[Connection]:
    """One consistent view of the data, beside whoever writes."""
    engine: sa.Engine = request.app.state.engine
    with engine.connect().execution_options(read_only=True) as connection:
        yield connection
