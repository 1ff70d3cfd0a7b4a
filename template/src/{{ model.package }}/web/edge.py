"""The outermost layer: the one place that sees every request come and every response leave."""

import logging
import re
import time
import uuid
from urllib.parse import quote

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs, problems

MAX_BODY_SIZE = 1_048_576
# Seconds that a client may take to send a body.
BODY_TIMEOUT = 30

SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

METHODS = ["GET", "POST", "PATCH", "DELETE"]
SENT = ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "traceparent"]
SHOWN = ["ETag", "Location", "Retry-After", "X-Request-Id"]

access = logging.getLogger("access")
crashes = logging.getLogger("crashes")


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
        logs.request_id.set(request_id)
        started = time.perf_counter()
        status = 0

        async def read() -> Message:
            left = started + BODY_TIMEOUT - time.perf_counter()
            # Once the answer has begun, to read is to wait for the client to leave.
            with anyio.move_on_after(None if status else max(left, 0)):
                return await receive()
            raise HTTPException(408)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = MutableHeaders(scope=message)
                given["X-Request-Id"] = request_id
                # The page of /docs, in development, loads what it needs.
                if not given.get("content-type", "").startswith("text/html"):
                    given.update(SECURITY)
            await send(message)

        # FastAPI counts the bytes, too, but answers a declared excess in plain text.
        declared = headers.get("content-length", "0")
        too_large = declared.isdecimal() and int(declared) > MAX_BODY_SIZE
        try:
            await (problems.too_large if too_large else self._app)(scope, read, answer)
        except Exception:
            crashes.exception("crashed")
        finally:
            # Without the query string, where people put secrets.
            path, ms = quote(scope["path"]), round((time.perf_counter() - started) * 1000, 1)
            facts = {"method": scope["method"], "path": path, "status": status, "ms": ms}
            access.info("%s %s %s %sms", *facts.values(), extra={"facts": facts})


def shared(app: ASGIApp, origins: list[str]) -> ASGIApp:
    """The app, for the pages of these origins, too: a browser keeps it from all others."""
    return CORSMiddleware(app, origins, METHODS, SENT, expose_headers=SHOWN) if origins else app


def _request_id(traceparent: str) -> str:
    """The caller's trace id (W3C Trace Context), or a new one in the same form."""
    given = re.fullmatch(r"00-((?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", traceparent)
    return given[1] if given else uuid.uuid4().hex
