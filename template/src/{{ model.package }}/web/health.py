"""Is the process alive, and can it do its work? For whoever runs it, not part of the contract."""

import sqlalchemy as sa
from fastapi import APIRouter, Request

from . import transaction

router = APIRouter(prefix="/health", include_in_schema=False)


@router.get("/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/ready")
def ready(request: Request) -> dict[str, str]:
    with transaction.reading(request) as connection:
        connection.execute(sa.text("SELECT version_num FROM alembic_version")).one()
    return {"status": "ok"}
