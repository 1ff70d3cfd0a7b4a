"""Is the process alive, and can it do its work? For whoever runs it, not part of the contract."""

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request

from ..database import Repository
from . import problems, transaction

router = APIRouter(prefix="/health", include_in_schema=False)


class Migrations(Repository):
    def current(self) -> str:
        """The newest that the database has had; raises where it has had none."""
        return str(self._execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())


@router.get("/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/ready")
def ready(request: Request) -> dict[str, str]:
    """Whether there is a database, and a migrated one."""
    try:
        with transaction.reading(request) as tx:
            Migrations(tx).current()
    except sa.exc.SQLAlchemyError as error:
        problems.log.error("not ready: %s", getattr(error, "orig", error))
        raise HTTPException(503, headers={"Retry-After": problems.RETRY_AFTER}) from error
    return {"status": "ok"}
