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
    header = request.headers.get("if-match", "*").strip()
    if header == "*":
        return None
    # Weak tags (`W/"1"`) never match here: RFC 9110, 13.1.1.
    tags = re.findall(r'(?<!W/)"(\d{1,9})"', header)
    return {int(tag) for tag in tags}
