"""Spans of OpenTelemetry: `serve` loads this only where OTEL_EXPORTER_OTLP_ENDPOINT is set.

No span has a body, a parameter, a query string or the message of an exception: each can hold a secret.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from .settings import SERVICE

PACKAGE = Path(__file__).parent
# FastAPI itself has spans for the request and its controller.
LAYERS = ["features/*/service.py", "features/*/repository.py", "database/repository.py", "clients/*.py"]

tracer = trace.get_tracer(SERVICE)


class WithoutQuery(SpanProcessor):  # type: ignore[misc]
    """FastAPI writes the query string into the span of a request."""

    def on_start(self, span: trace.Span, **_: object) -> None:
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
        for holder in [module, *filter(inspect.isclass, vars(module).values())]:
            for name, function in list(vars(holder).items()):
                is_own = inspect.isfunction(function) and function.__module__ == module.__name__
                if is_own and not name.startswith("_"):
                    setattr(holder, name, _traced(function))
    event.listen(sa.Engine, "do_execute", _execute)
    return app.create_app(
        telemetry={
            "auto_configure": True,
            "metrics": False,
            "logs": False,
            "exclude": lambda scope: "/health/" in scope["path"],
        },
    )


@contextmanager
def _span(name: str, attributes: dict[str, str]) -> Iterator[None]:
    options = {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(name, attributes=attributes, **options) as span:
        try:
            yield
        except Exception as error:
            span.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
            span.set_status(trace.StatusCode.ERROR)
            raise


def _traced(function: Callable[..., Any]) -> Callable[..., Any]:
    attributes = {"code.function.name": f"{function.__module__}.{function.__qualname__}"}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not trace.get_current_span().is_recording():
            return function(*args, **kwargs)
        with _span(function.__qualname__, attributes):
            return function(*args, **kwargs)

    return call


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Instead of SQLAlchemy, where it returns true. What begins and ends a transaction is not compiled."""
    if context.compiled is None or not trace.get_current_span().is_recording():
        return False
    attributes = {"db.system.name": context.dialect.name, "db.query.text": statement}
    with _span(statement.split(None, 1)[0], attributes):
        context.dialect.do_execute(cursor, statement, parameters, context)
    return True
