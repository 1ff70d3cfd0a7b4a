"""Spans of OpenTelemetry: `serve` loads this only where OTEL_EXPORTER_OTLP_ENDPOINT is set.

No span has a body, a parameter, a query string, or the message of an exception: each can hold a secret.
"""

import functools
import inspect
import os
from collections.abc import Callable, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dotenv import dotenv_values
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from sqlalchemy import event

from . import app
from .database.repository import Repository
from .settings import SERVICE

PACKAGE = Path(__file__).parent
# FastAPI has a span of its own for the request and for its controller.
LAYERS = ["features/*/service.py", "features/*/repository.py", "clients/*.py"]

tracer = trace.get_tracer(SERVICE)


class WithoutQuery(SpanProcessor):  # type: ignore[misc]
    """FastAPI writes the query string into the span of a request."""

    def on_start(self, span: trace.Span, parent_context: object = None) -> None:  # noqa: ARG002
        if "url.query" in span.attributes:
            span.set_attribute("url.query", "REDACTED")


def create_app() -> FastAPI:
    """The application, whose requests are traced from now on."""
    for name, value in {"OTEL_SERVICE_NAME": SERVICE, **dotenv_values(".env")}.items():
        if value and name.startswith("OTEL_"):
            os.environ.setdefault(name, value)
    provider = TracerProvider()
    provider.add_span_processor(WithoutQuery())
    trace.set_tracer_provider(provider)
    for file in [file for pattern in LAYERS for file in PACKAGE.glob(pattern)]:
        module = import_module("." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts), PACKAGE.name)
        for owner in [module, *filter(inspect.isclass, vars(module).values())]:
            _trace_functions(owner, module.__name__)
    _trace_functions(Repository, Repository.__module__)
    _trace_statements()
    return app.create_app(
        telemetry={"auto_configure": True, "metrics": False, "logs": False, "exclude": _is_health},
    )


def _is_health(scope: MutableMapping[str, Any]) -> bool:
    return str(scope["path"]).endswith(("/health/live", "/health/ready"))


def _trace_functions(owner: Any, module: str) -> None:
    for name, function in list(vars(owner).items()):
        if inspect.isfunction(function) and function.__module__ == module and not name.startswith("_"):
            setattr(owner, name, _traced(function))


def _traced(function: Callable[..., Any]) -> Callable[..., Any]:
    name = function.__qualname__
    attributes = {"code.function.name": f"{function.__module__}.{name}"}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not trace.get_current_span().is_recording():
            return function(*args, **kwargs)
        with tracer.start_as_current_span(
            name,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                _fail(span, error)
                raise

    return call


def _fail(span: trace.Span, error: BaseException) -> None:
    span.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
    span.set_status(trace.StatusCode.ERROR)


def _trace_statements() -> None:
    """SQL with placeholders. opentelemetry-instrumentation-sqlalchemy does not work with SQLAlchemy 2.1."""

    @event.listens_for(sa.Engine, "before_cursor_execute")
    def before(connection: sa.Connection, _: Any, statement: str, __: Any, context: Any, ___: bool) -> None:
        # What begins and ends a transaction is not compiled.
        if context.compiled is not None and trace.get_current_span().is_recording():
            operation, system = statement.split(None, 1)[0], connection.dialect.name
            context.span = tracer.start_span(operation, kind=trace.SpanKind.CLIENT)
            context.span.set_attributes({"db.system.name": system, "db.query.text": statement})

    @event.listens_for(sa.Engine, "after_cursor_execute")
    def after(_: Any, __: Any, ___: str, ____: Any, context: Any, _____: bool) -> None:
        if span := getattr(context, "span", None):
            span.end()

    @event.listens_for(sa.Engine, "handle_error")
    def failed(context: sa.ExceptionContext) -> None:
        if span := getattr(context.execution_context, "span", None):
            _fail(span, context.original_exception)
            span.end()
