"""The outermost layer: the one place that sees every request come and every response leave."""

import logging
import re
import time
import uuid
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import problems

MAX_BODY_SIZE = 1_048_576

SECURITY = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

access = logging.getLogger("access")
crashes = logging.getLogger("crashes")


def log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


class Edge:
    """Gives each request its id, each response its headers, each crash its line in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.get("traceparent", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update({"X-Request-Id": request_id, **SECURITY})
            await send(message)

        # FastAPI counts the bytes, too, but answers a declared excess in plain text.
        declared = headers.get("content-length", "0")
        too_large = declared.isdecimal() and int(declared) > MAX_BODY_SIZE
        try:
            await (problems.too_large if too_large else self._app)(scope, receive, answer)
        except Exception:
            crashes.exception("request %s crashed", request_id)
        finally:
            # Without the query string, where people put secrets.
            line = "%s %s %s %.1fms request_id=%s"
            ms = (time.perf_counter() - started) * 1000
            access.info(line, scope["method"], quote(scope["path"]), status, ms, request_id)


def _request_id(traceparent: str) -> str:
    """The caller's trace id (W3C Trace Context), or a new one in the same form."""
    given = re.fullmatch(r"00-((?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", traceparent)
    return given[1] if given else uuid.uuid4().hex
