"""Watches the layers from outside, so that none of them has a line about journeys."""

import contextlib
import enum
import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from sqlalchemy import event
from sqlalchemy.engine.cursor import BufferedRowCursorFetchStrategy, CursorFetchStrategy
from starlette.types import ASGIApp

from ..database.repository import Repository
from ..web import middleware, transaction
from .recorder import LONGEST_LIST, PACKAGE, Recorder, current, describe, in_service, masked, relative

# Modules of a feature that do nothing by themselves; controllers are watched where routes call them.
NOT_WATCHED = {"__init__", "controller", "errors", "model", "schemas"}


def watch(app: FastAPI, port: int) -> ASGIApp:
    """The application, whose requests are recorded from now on."""
    for file in sorted([*PACKAGE.glob("features/*/*.py"), *PACKAGE.glob("clients/*.py")]):
        if file.stem not in NOT_WATCHED:
            parts = file.relative_to(PACKAGE).with_suffix("").parts
            module = import_module("." + ".".join(parts), PACKAGE.name)
            _watch_module(module, "client" if parts[0] == "clients" else file.stem)
    for name in ["exists", "insert", "update", "delete"]:
        setattr(Repository, name, _watched(vars(Repository)[name], "repository"))
    _watch_controllers(app)
    _watch_tokens(app)
    _watch_sql()
    for kind, handler in list(app.exception_handlers.items()):
        app.exception_handlers[kind] = _watched_handler(handler)
    setattr(transaction.Database, "transaction", _watched_transaction(transaction.Database.transaction))  # noqa: B010
    call = _watched_async(middleware.RequestMiddleware.__call__, "middleware")
    setattr(middleware.RequestMiddleware, "__call__", call)  # noqa: B010
    logging.getLogger().addHandler(LogLines())
    # The line of a journey says more.
    logging.getLogger("access").disabled = True
    operations = [operation for path in app.openapi()["paths"].values() for operation in path.values()]
    asked = {one["operationId"]: one.get("security") or [{"": []}] for one in operations}
    return Recorder(app, port, {name: next(iter(rules[0].values())) for name, rules in asked.items()})


def _watch_module(module: ModuleType, layer: str) -> None:
    """The functions of a module, and the methods of its classes."""
    for name, member in list(vars(module).items()):
        if getattr(member, "__module__", "") != module.__name__:
            continue
        if inspect.isfunction(member):
            setattr(module, name, _watched(member, layer))
        elif inspect.isclass(member) and not issubclass(member, BaseException | BaseModel | enum.Enum):
            for key, method in list(vars(member).items()):
                if inspect.isfunction(method) and not key.startswith("__"):
                    setattr(member, key, _watched(method, layer))


def _watched(function: Callable[..., Any], layer: str) -> Callable[..., Any]:
    """The same function; each call while a request is recorded is a stop."""
    signature, name, where = inspect.signature(function), function.__qualname__, _place(function)
    sentence = (inspect.getdoc(function) or "").split("\n")[0]

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        recording = current.get()
        if recording is None:
            return function(*args, **kwargs)
        arguments = signature.bind_partial(*args, **kwargs).arguments
        sent = {key: value for key, value in arguments.items() if key not in ("self", "request")}
        stop = recording.begin(layer, name, where, sentence=sentence, input=masked(sent))
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            recording.end(stop, error)
            raise
        recording.end(stop, output=masked(result))
        return result

    return call


def _watched_async(function: Callable[..., Any], layer: str) -> Callable[..., Any]:
    name, where = function.__qualname__.removesuffix(".__call__"), _place(function)

    async def call(*args: Any) -> Any:
        recording = current.get()
        if recording is None:
            return await function(*args)
        stop = recording.begin(layer, name, where)
        try:
            return await function(*args)
        finally:
            recording.end(stop)

    return call


def _watch_controllers(app: FastAPI) -> None:
    for route in iter_route_contexts(app.routes):
        call = getattr(getattr(route.original_route, "dependant", None), "call", None)
        variables = call.__code__.co_freevars if inspect.isfunction(call) else ()
        if call and "endpoint" in variables:
            # In the wrapper of `web/responses.py`, which calls it in its thread.
            cell = call.__closure__[variables.index("endpoint")]
            cell.cell_contents = _watched(cell.cell_contents, "controller")


def _watch_tokens(app: FastAPI) -> None:
    decode = getattr(app.state, "decode_token", None)
    if decode is None:
        return
    where = _place(decode)

    async def decode_recorded(token: str) -> Any:
        recording = current.get()
        if recording is None:
            return await decode(token)
        stop = recording.begin("auth", "token", where)
        try:
            caller = await decode(token)
        except Exception as error:
            recording.end(stop, error)
            raise
        recording.journey["caller"] = {"name": caller.name, "roles": sorted(caller.roles)}
        recording.end(stop, output=recording.journey["caller"])
        return caller

    app.state.decode_token = decode_recorded


def _watched_transaction(original: Any) -> Any:
    where = _place(original)

    @contextlib.contextmanager
    def transaction_recorded(self: Any, kind: str) -> Iterator[Any]:
        recording = current.get()
        if recording:
            recording.note("transaction", f"begin ({kind})", where)
        try:
            with original(self, kind) as tx:
                yield tx
        except BaseException:
            if recording:
                recording.note("transaction", "rollback", where)
            raise
        if recording:
            recording.note("transaction", "commit" if kind == "write" else "end", where)

    return transaction_recorded


def _watched_handler(handler: Any) -> Any:
    """Where an error becomes a status."""

    async def handle(request: Any, error: Exception) -> Any:
        response = await handler(request, error)
        if recording := current.get():
            name = f"{type(error).__name__} becomes {response.status_code}"
            recording.note("response", name, _place(handler), error=describe(error))
        return response

    return handle


def _watch_sql() -> None:
    @event.listens_for(sa.Engine, "before_cursor_execute")
    def before(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        recording = current.get()
        if recording is None or statement.startswith(("BEGIN", "PRAGMA")):
            return
        values = (getattr(context, "compiled_parameters", None) or [{}])[0]
        facts = {"statement": " ".join(statement.split()), "input": masked(dict(values)), "rows": 0}
        context.stop = recording.begin("SQL", statement.split(None, 1)[0], _calling_line(), **facts)

    @event.listens_for(sa.Engine, "after_cursor_execute")
    def after(_: Any, cursor: Any, __: str, ___: Any, context: Any, ____: bool) -> None:
        if (recording := current.get()) and (stop := getattr(context, "stop", None)):
            if cursor.description is None:
                stop["rows"] = max(cursor.rowcount, 0)
            recording.end(stop)

    @event.listens_for(sa.Engine, "handle_error")
    def failed(context: sa.ExceptionContext) -> None:
        if (recording := current.get()) and (stop := getattr(context.execution_context, "stop", None)):
            recording.end(stop, context.sqlalchemy_exception)

    for strategy in [CursorFetchStrategy, BufferedRowCursorFetchStrategy]:
        for name in ["fetchone", "fetchmany", "fetchall"]:
            setattr(strategy, name, _counted(vars(strategy)[name]))


def _counted(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Counts the rows that a statement gives, and records the first ones."""

    @functools.wraps(fetch)
    def call(self: Any, result: Any, cursor: Any, *args: Any) -> Any:
        names = [column[0] for column in cursor.description or []]
        found = fetch(self, result, cursor, *args)
        stop = getattr(result.context, "stop", None)
        if stop is not None and found is not None:
            rows = found if isinstance(found, list) else [found]
            first = stop.setdefault("found", [])
            few = rows[: LONGEST_LIST - len(first)]
            first += [masked(dict(zip(names, row, strict=False))) for row in few]
            stop["rows"] += len(rows)
        return found

    return call


def _calling_line() -> str:
    """The line of a feature that runs a statement, or else of the service."""
    frame, nearest = inspect.currentframe(), ""
    while frame:
        file, line = frame.f_code.co_filename, frame.f_lineno
        if in_service(file):
            if "/features/" in file:
                return f"{relative(file)}:{line}"
            nearest = nearest or f"{relative(file)}:{line}"
        frame = frame.f_back
    return nearest


def _place(function: Any) -> str:
    code = inspect.unwrap(function).__code__
    return f"{relative(code.co_filename)}:{code.co_firstlineno}"


class LogLines(logging.Handler):
    """The lines of a request, for `logs`."""

    def emit(self, record: logging.LogRecord) -> None:
        if recording := current.get():
            recording.journey["logs"].append(f"{record.levelname} {record.name} {self.format(record)}")
