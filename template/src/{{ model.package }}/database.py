"""What all tables and queries share: the engine, the columns of every row, the mechanics of SQL."""

import datetime as dt
import enum
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event, orm

from .errors import NotFound, Outdated, Refusal
from .schemas import Out, Page, PageQuery

ValueT = TypeVar("ValueT")
PageT = TypeVar("PageT", bound=Page[Any])

POOL_SIZE = 10
PRAGMAS = ["journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"]

Conditions = Sequence[sa.ColumnElement[bool]]
Result = sa.CursorResult[Any]
Values = Mapping[str, object]
# The versions a change may start from (`If-Match`); None is any.
Versions = Collection[int] | None


def open_database(url: str) -> sa.Engine:
    """An engine whose writers wait for each other instead of losing updates."""
    # Hidden parameters stay out of exception texts, and so out of logs.
    engine = sa.create_engine(url, hide_parameters=True, pool_size=POOL_SIZE, max_overflow=0)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # We say BEGIN ourselves, below: the driver's own lets two writers read the same row.
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


_last_tick = 0
_tick_lock = threading.Lock()


def uuid7() -> UUID:
    """A UUIDv7 (RFC 9562) that sorts in the order of making within this process."""
    global _last_tick
    with _tick_lock:
        # 48 bits of milliseconds and 12 of their fraction, never the same twice.
        _last_tick = max(time.time_ns() * 4096 // 1_000_000, _last_tick + 1)
        tick = _last_tick
    random = int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=(tick >> 12) << 80 | 7 << 76 | (tick & 0xFFF) << 64 | 2 << 62 | random)


class Instant(sa.TypeDecorator[dt.datetime]):
    """A moment: stored in UTC, always with its zone in Python. SQLite alone would drop it."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, _: object) -> dt.datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without its zone")
        return None if value is None else value.astimezone(dt.timezone.utc)

    def process_result_value(self, value: dt.datetime | None, _: object) -> dt.datetime | None:
        return None if value is None else value.replace(tzinfo=dt.timezone.utc)


class Entity(orm.DeclarativeBase):
    """A row with an identity. `version` counts its changes, so that none is lost unseen."""

    metadata = sa.MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        },
    )
    type_annotation_map = {
        dt.datetime: Instant(),
        # Choices are stored by value, as text with a CHECK: adding one needs no new type.
        enum.Enum: sa.Enum(
            enum.Enum,
            native_enum=False,
            length=20,
            values_callable=lambda choices: [choice.value for choice in choices],
        ),
    }

    id: orm.Mapped[UUID] = orm.mapped_column(primary_key=True, default=uuid7, sort_order=-4)
    version: orm.Mapped[int] = orm.mapped_column(default=1, sort_order=-3)
    created_at: orm.Mapped[dt.datetime] = orm.mapped_column(default=now, sort_order=-2)
    updated_at: orm.Mapped[dt.datetime] = orm.mapped_column(default=now, sort_order=-1)


@dataclass(frozen=True)
class Move:
    """A step in the life of a thing: its `field` goes from any of these states to that one."""

    name: str
    field: str
    sources: Collection[str]
    target: str


class Repository:
    """What the repositories share. They never return None: what is not there is refused."""

    entity: ClassVar[type[Entity]]
    missing: ClassVar[type[NotFound]]
    # What the client is told when the database refuses, by the name of the constraint.
    refusals: ClassVar[Mapping[str, type[Refusal]]] = {}

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def _execute(self, statement: sa.Executable, values: Values | None = None) -> Result:
        try:
            return self._connection.execute(statement, values)
        except sa.exc.IntegrityError as error:
            refusal = self.refusals.get(violated(error))
            if refusal is None:
                raise
            raise refusal from error

    def _one(self, query: sa.Executable, values: Values | None = None) -> sa.Row[Any]:
        row = self._execute(query, values).one_or_none()
        if row is None:
            raise self.missing
        return row

    def _locked(self, column: orm.InstrumentedAttribute[ValueT], where: Conditions) -> ValueT:
        """Until the transaction ends, so that what is judged is what will be changed."""
        value: ValueT = self._one(sa.select(column).where(*where).with_for_update())[0]
        return value

    def _exists(self, query: sa.Executable, values: Values) -> bool:
        return self._execute(query, values).first() is not None

    def _page(
        self,
        query: sa.Select[*tuple[Any, ...]],
        window: PageQuery,
        page: type[PageT],
        shape: Callable[[sa.Row[Any]], object] = lambda row: row,
    ) -> PageT:
        """Rows in the order of making. One more than asked for tells that there is a next page."""
        if window.cursor is not None:
            query = query.where(self.entity.id > window.cursor)
        rows = self._execute(query.order_by(self.entity.id).limit(window.limit + 1)).all()
        items = [shape(row) for row in rows[: window.limit]]
        following = rows[window.limit - 1].id if len(rows) > window.limit else None
        return page.model_validate({"items": items, "next": following})

    def _update(
        self,
        where: Conditions,
        versions: Versions,
        values: Values,
        returning: Sequence[Any],
        move: Move | None = None,
    ) -> sa.Row[Any]:
        """A move is guarded: of two that race, the second finds no state to start from."""
        # What changes nothing makes no new version.
        version = self.entity.version + (1 if values or move else 0)
        changed = {"updated_at": now(), "version": version, **values}
        statement = sa.update(self.entity).returning(*returning)
        if move:
            changed[move.field] = move.target
            statement = statement.where(getattr(self.entity, move.field).in_(move.sources))
        return self._write(statement.values(changed), where, versions)

    def _delete(self, where: Conditions, versions: Versions) -> None:
        self._write(sa.delete(self.entity).returning(self.entity.id), where, versions)

    def _write(self, statement: Any, where: Conditions, versions: Versions) -> sa.Row[Any]:
        """To the row that is `where`, if it still has one of the `versions`."""
        seen = [] if versions is None else [self.entity.version.in_(versions)]
        row = self._execute(statement.where(*where, *seen)).one_or_none()
        if row is None:
            there = self._execute(sa.select(self.entity.id).where(*where)).first()
            raise Outdated if there else self.missing
        return row


def columns(entity: type[Entity], shown: type[Out]) -> list[Any]:
    """The columns that an answer shows, in its order."""
    return [getattr(entity, name) for name in shown.model_fields]


def nested(row: sa.Row[Any]) -> dict[str, Any]:
    """The columns `table.id` and `table.name` as one `table`, None where it refers to nothing."""
    data: dict[str, Any] = {}
    for key, value in row._mapping.items():
        whole, _, part = key.partition(".")
        if part:
            data.setdefault(whole, {})[part] = value
        else:
            data[whole] = value
    absent = [key for key, part in data.items() if isinstance(part, dict) and part["id"] is None]
    return data | dict.fromkeys(absent)


def violated(error: sa.exc.IntegrityError) -> str:
    """The constraint that refused a write. SQLite names a CHECK, but of a unique key only the columns."""
    message = str(error.orig)
    if check := re.search(r"CHECK constraint failed: (\w+)", message):
        return check[1]
    if "UNIQUE" in message and (columns := re.findall(r"(\w+)\.(\w+)", message)):
        broken = {column for _, column in columns}
        for key in Entity.metadata.tables[columns[0][0]].constraints:
            if isinstance(key, sa.UniqueConstraint) and {c.name for c in key.columns} == broken:
                return str(key.name)
    return ""
