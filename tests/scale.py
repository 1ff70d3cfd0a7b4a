"""Copied into a generated service and run there: how its lists, counts, exports and views read 100,000 rows."""

import datetime as dt
import importlib
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

ROWS = 100_000
# Half of all is hers: what is her own is many, too.
OWNERS = [*["ann"] * 500, *(f"owner{n}" for n in range(500))]
PAGE = 1_000


@pytest.fixture(scope="module")
def world(_served: Any) -> Iterator[Any]:
    """One of each thing, made as the tests of the service do, and many like it."""
    for name in dir(_served):
        if name.startswith("make_"):
            getattr(_served, name)()
    _fill(_served.engine)
    yield _served
    _served.empty()


def _fill(engine: sa.Engine) -> None:
    tables: Any = importlib.import_module("tests.world").Entity.metadata.sorted_tables
    ids: dict[str, list[UUID]] = {}
    for table in tables:
        if "id" not in table.c:
            continue
        bounds = {check.sqltext.left.name: _ends(check.sqltext) for check in table.constraints if _ranged(check)}
        with engine.begin() as connection:
            first: Any = connection.execute(sa.select(table)).mappings().first()
            moved = {column.key: _moved(column, first[column], bounds, ids) for column in table.c}
            # One in ten has what may be null, so that far into an order there is nothing.
            rare = {column.key for column in table.c if column.nullable and not column.foreign_keys}
            rows: list[dict[str, Any]] = [
                {key: None if key in rare and n % 10 != 9 else move(n) for key, move in moved.items()}
                for n in range(100, ROWS + 100)
            ]
            # Each statement has a timeout.
            for at in range(0, ROWS, 10_000):
                connection.execute(sa.insert(table), rows[at : at + 10_000])
        ids[table.name] = [first[table.c.id], *(row["id"] for row in rows)]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE")


def _ranged(check: Any) -> bool:
    """Whether it says `column BETWEEN low AND high`."""
    return isinstance(check, sa.CheckConstraint) and isinstance(getattr(check.sqltext, "left", None), sa.ColumnClause)


def _ends(between: Any) -> list[int]:
    return [getattr(end, "value", 0) for end in getattr(between.right, "clauses", [])]


def _moved(column: Any, value: Any, bounds: dict[str, list[int]], ids: dict[str, list[UUID]]) -> Any:
    """What the n-th row has there."""
    unique = any(
        {column} == set(key.columns) for key in column.table.constraints if isinstance(key, sa.UniqueConstraint)
    )
    if column.key == "id":
        new_id: Any = importlib.import_module(importlib.import_module("tests.world").Entity.__module__).uuid7
        return lambda n: new_id()
    if column.foreign_keys:
        # A quarter of all belongs to the first: what belongs to one thing is many, too.
        others = ids[next(iter(column.foreign_keys)).column.table.name]
        return lambda n: others[n * 7919 % ROWS if n % 4 else 0]
    if isinstance(column.type, sa.Enum):
        choices = list(column.type.enum_class)
        return lambda n: choices[n % len(choices)]
    match value:
        case bool():
            # Not in step with any choice.
            return lambda n: n % 5 < 2
        case int() if column.key != "version":
            low, high = bounds.get(column.name, [0, ROWS])
            return lambda n: low + n % (high - low + 1)
        case dt.datetime():
            return lambda n: value + dt.timedelta(minutes=n)
        case dt.date():
            return lambda n: value + dt.timedelta(days=n % 1000)
        case UUID():
            return lambda n: UUID(int=n)
        case str() if column.key == "owner":
            return lambda n: OWNERS[n % len(OWNERS)]
        case str() if len(value) >= 6 and "@" not in value and "/" not in value:
            return lambda n: f"{n if unique else n % 5000:0{len(value)}d}"
    return lambda n: value


@contextmanager
def _statements() -> Iterator[list[tuple[str, Any]]]:
    """The queries that are sent meanwhile."""
    seen: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


def _whole_tables(engine: sa.Engine, statement: str, parameters: Any) -> list[str]:
    """Those that the database reads from end to end for it, and not in an index."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            return [node["Relation Name"] for node in _nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"]
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        return [step.detail for step in steps if step.detail.startswith("SCAN") and "INDEX" not in step.detail]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


def _work(engine: sa.Engine, statement: str, parameters: Any) -> int:
    """What it costs: blocks that PostgreSQL reads, steps that SQLite takes."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            told = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
            plan = told.scalar_one()[0]["Plan"]
            return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
        steps = itertools.count()
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: next(steps) and 0, 1)
        connection.exec_driver_sql(statement, parameters or ()).all()
        raw.set_progress_handler(None, 0)
        return next(steps)


def _asked(world: Any) -> Iterator[tuple[str, list[str]]]:
    """Each operation that reads without an id, and what it can be asked for."""
    contract = world.client.get("/openapi.json").json()
    for path, methods in contract["paths"].items():
        if "get" in methods and "{id}" not in path and not path.startswith("/health"):
            names = [parameter["name"] for parameter in methods["get"].get("parameters", [])]
            yield methods["get"]["operationId"], [name for name in names if name not in ["limit", "cursor", "sort"]]


def _sorts(world: Any, operation: str) -> list[dict[str, str]]:
    """The orders that it knows."""
    about = importlib.import_module("tests.world").operations(world.client)[operation].about
    schemas = [each["schema"] for each in about.get("parameters", []) if each["name"] == "sort"]
    return [{"sort": order} for schema in schemas for order in schema["anyOf"][0]["enum"]]


def _several(world: Any, operation: str, values: dict[str, str]) -> dict[str, list[str]]:
    """Of the filters by equality, two values."""
    path = importlib.import_module("tests.world").operations(world.client)[operation].path
    names = [name for name in values if not name.endswith(("_from", "_to")) and f"{{{name}}}" not in path]
    others, _ = _values(world, operation, names, ROWS // 2 + 10)
    return {name: [values[name], others[name]] for name in names}


def _shown(world: Any, operation: str, names: list[str]) -> tuple[dict[str, str], str]:
    """Of a row in the middle that it shows: some show certain states only."""
    for place in range(ROWS // 2, ROWS // 2 + 20):
        values, table = _values(world, operation, names, place)
        equal = {name: values[name] for name in _several(world, operation, values)} if operation[:4] == "list" else {}
        if operation.startswith(("count", "export")):
            break
        response = _get(world, operation, values, equal, OWNERS[-1])
        if response.status_code == 200 and response.json().get("items", [0]):
            break
    return values, table


def _values(world: Any, operation: str, names: list[str], place: int = ROWS // 2) -> tuple[dict[str, str], str]:
    """What the row in the middle has, or another, and the table that it is in."""
    tests: Any = importlib.import_module("tests.world")
    path = tests.operations(world.client)[operation].path.removesuffix(".csv").replace("-", "_")
    plural = [part for part in path.split("/") if part in tests.Entity.metadata.tables][-1]
    table = tests.Entity.metadata.tables[plural]
    query = sa.select(table).order_by(table.c.id).offset(place).limit(1)
    with world.engine.connect() as connection:
        row = connection.execute(query).mappings().one()
    values = {}
    for name in names:
        key = name if name in table.c else name.rsplit("_", 1)[0]
        value = tests.written(row[table.c[key]])
        values[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return values, plural


def _get(world: Any, operation: str, values: dict[str, str], query: dict[str, Any], owner: str = "ann") -> Any:
    """As this owner; of what belongs to one thing, as the owner of that."""
    tests: Any = importlib.import_module("tests.world")
    path = tests.operations(world.client)[operation].path
    if parent := re.search(r"/(\w+)/{\w+}/", path):
        table = tests.Entity.metadata.tables[parent[1]]
        id = next(values[name] for name in values if f"{{{name}}}" in path)
        with world.engine.connect() as connection:
            row = connection.execute(sa.select(table).where(table.c.id == UUID(id))).mappings().one()
        owner = row.get("owner", owner)
    headers = tests.bearer(" ".join(tests.auth.ROLES), owner)
    return world.client.get(path.format(**values), params=query, headers=headers)


def test_what_is_looked_up_is_never_searched_for_in_the_whole_table(world: Any) -> None:
    tests: Any = importlib.import_module("tests.world")
    found, looked_at = {}, 0
    for operation, names in _asked(world):
        path = tests.operations(world.client)[operation].path
        values, table = _shown(world, operation, names)
        whole_table = _work(world.engine, f"SELECT * FROM {table}", ())
        ends: dict[str, dict[str, Any]] = {}
        for name in [name for name in values if f"{{{name}}}" not in path]:
            field = name.rsplit("_", 1)[0] if name.endswith(("_from", "_to")) else name
            ends.setdefault(field, {})[name] = values[name]
        if operation.startswith(("list", "export")):
            ends |= {f"{name}[]": {name: both} for name, both in _several(world, operation, values).items()}
        all_rows = operation.startswith("export") and "_own" not in operation
        every = {name: value for fields in ends.values() for name, value in fields.items()}
        sorts = _sorts(world, operation)
        for query in [*([] if all_rows else [{}]), *ends.values(), *([every] if len(ends) > 1 else []), *sorts]:
            with _statements() as sent:
                assert _get(world, operation, values, query, OWNERS[-1]).status_code == 200
            for statement, parameters in sent:
                looked_at += 1
                tables = _whole_tables(world.engine, statement, parameters)
                # To read an index of all rows is no better.
                page = operation.startswith("list")
                if tables or (page and _work(world.engine, statement, parameters) > whole_table / 2):
                    found[f"{operation} {query}"] = tables
    assert looked_at
    assert not found


def test_the_thousandth_page_costs_what_the_first_costs(world: Any) -> None:
    costs: dict[str, list[int]] = {}
    for operation, names in _asked(world):
        if not operation.startswith("list"):
            continue
        values, _ = _values(world, operation, names, 0)
        several = _several(world, operation, values)
        equal: list[dict[str, Any]] = [{name: values[name]} for name in several]
        for query in [{}, *equal[:1], *({name: both} for name, both in several.items()), *_sorts(world, operation)]:
            cursor: dict[str, str] = {}
            for _ in range(PAGE * 20 // 100):
                page = _get(world, operation, values, query | {"limit": "100"} | cursor).json()
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}
            else:
                both = []
                for at in [{}, cursor]:
                    with _statements() as sent:
                        assert len(_get(world, operation, values, query | at).json()["items"]) == 20
                    # One's own parent is looked up before the page.
                    both.append(sum(_work(world.engine, *one) for one in sent if "LIMIT" in one[0]))
                costs[f"{operation} {query}"] = both
    assert costs
    assert {query: both for query, both in costs.items() if both[1] > 2 * both[0]} == {}
