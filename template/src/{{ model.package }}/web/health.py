"""For the platform that runs the service; not part of the contract."""

import logging

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request

from . import problems
from .transaction import Database

log = logging.getLogger(__name__)

router = APIRouter(prefix="/health", include_in_schema=False)


@router.get("/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/ready")
def ready(request: Request) -> dict[str, str]:
    """Whether the database can be reached, and has been migrated at least once."""
    database: Database = request.app.state.database
    try:
        database.revision()
    except sa.exc.SQLAlchemyError as error:
        log.error("not ready: %s", getattr(error, "orig", error))
        raise HTTPException(503, headers={"Retry-After": problems.RETRY_AFTER}) from error
    return {"status": "ok"}
