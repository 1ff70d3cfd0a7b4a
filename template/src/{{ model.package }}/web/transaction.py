"""`with transaction.write(request) as tx:` in an endpoint: it is committed before the response is sent."""

from contextlib import AbstractContextManager

from fastapi import Request

from ..database.transaction import Database, Transaction


def write(request: Request) -> AbstractContextManager[Transaction]:
    """Commits at the end of the block; rolls back where it raises."""
    database: Database = request.app.state.database
    return database.transaction()


def read(request: Request) -> AbstractContextManager[Transaction]:
    """One consistent view of the data. It never waits for a writer."""
    database: Database = request.app.state.database
    return database.transaction(read_only=True)
