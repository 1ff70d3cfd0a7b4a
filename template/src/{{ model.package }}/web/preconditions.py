"""ETag and If-Match (RFC 9110): a client changes only what it has seen."""

import re
from typing import TypeVar

from fastapi import Request, Response

from ..database import Versions
from ..schemas import SingleOut

SingleT = TypeVar("SingleT", bound=SingleOut)


def tagged(response: Response, thing: SingleT) -> SingleT:
    """The thing, with its version as the response's ETag."""
    response.headers["ETag"] = f'"{thing.version}"'
    return thing


def versions(request: Request) -> Versions:
    """The versions that the caller would change. A tag that we never gave matches none."""
    header = ", ".join(request.headers.getlist("if-match"))
    if header in ("", "*"):
        return None
    # Weak tags (`W/"1"`) never match here: RFC 9110, 13.1.1.
    tags = [re.fullmatch(r'"([1-9]\d{0,8})"', tag.strip()) for tag in header.split(",")]
    return {int(tag[1]) for tag in tags if tag}
