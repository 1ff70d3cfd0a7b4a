"""For the platform that runs the service; not part of the contract."""

import logging
import math

import anyio
import sqlalchemy as sa
from alembic.util import CommandError
from fastapi import APIRouter, HTTPException
from fastapi.concurrency import run_in_threadpool

from . import problems
from .transaction import Database

# In seconds, how long the state of the database counts: however many ask, it is asked no more often.
LIFETIME = 1

log = logging.getLogger(__name__)


def router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/health", include_in_schema=False)
    lock = anyio.Lock()
    checked_at, is_ready = -math.inf, False

    @router.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/ready")
    async def ready() -> dict[str, str]:
        """Whether this code can work with the database."""
        nonlocal checked_at, is_ready
        async with lock:
            if anyio.current_time() >= checked_at + LIFETIME:
                is_ready = await run_in_threadpool(_check, database)
                checked_at = anyio.current_time()
        if not is_ready:
            raise HTTPException(503, headers={"Retry-After": problems.RETRY_AFTER})
        return {"status": "ok"}

    return router


def _check(database: Database) -> bool:
    try:
        database.check()
    except (sa.exc.SQLAlchemyError, CommandError) as error:
        log.error("not ready: %s", str(getattr(error, "orig", error)).splitlines()[0])
        return False
    return True
