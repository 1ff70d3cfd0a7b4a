"""Logs on stderr: lines to read in development, JSON in production."""

import datetime as dt
import json
import logging
from contextvars import ContextVar
from typing import Any

READABLE = "%(asctime)s %(levelname)s %(name)s %(message)s request_id=%(request_id)s"

request_id = ContextVar("request_id", default="-")


class RequestId(logging.Filter):
    """Adds the id of the current request to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record)["request_id"] = request_id.get()
        return True


class Json(logging.Formatter):
    """One JSON object per line: line breaks in a message are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": vars(record).get("request_id"),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def config(*, as_json: bool) -> dict[str, Any]:
    """For `logging.config.dictConfig`, in each process of the server."""
    handler = {"class": "logging.StreamHandler", "filters": ["request_id"], "formatter": "line"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestId}},
        "formatters": {"line": {"()": Json} if as_json else {"format": READABLE}},
        "handlers": {"stderr": handler},
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
