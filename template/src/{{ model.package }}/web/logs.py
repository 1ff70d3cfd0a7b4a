"""What the service says of itself, on stderr: lines for people in development, JSON in production."""

import datetime as dt
import json
import logging
from contextvars import ContextVar
from typing import Any

READABLE = "%(asctime)s %(levelname)s %(name)s %(message)s request_id=%(request_id)s"

# The request that is being answered, in whichever thread.
request_id = ContextVar("request_id", default="-")


class Marked(logging.Filter):
    """Every line says which request it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record)["request_id"] = request_id.get()
        return True


class Json(logging.Formatter):
    """A line is one JSON object, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": vars(record).get("request_id"),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def config(*, as_json: bool) -> dict[str, Any]:
    """For `logging.config`, in each process of the server."""
    handler = {"class": "logging.StreamHandler", "filters": ["marked"], "formatter": "line"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"marked": {"()": Marked}},
        "formatters": {"line": {"()": Json} if as_json else {"format": READABLE}},
        "handlers": {"stderr": handler},
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
