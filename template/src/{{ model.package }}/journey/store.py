"""Journeys on disk, one in a line: also for other processes, and after a crash."""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import to_json

Json = dict[str, Any]

# In the folder in which the service was started; `.gitignore` has it.
FOLDER = Path(".journeys")
# At least so many, of all files; and those of one file, to which one process writes.
LIMIT, EACH = 500, 100
_state: Json = {"count": 0}


def save(journey: Json) -> None:
    if _state["count"] % EACH == 0:
        FOLDER.mkdir(exist_ok=True)
        count = 0
        for old in sorted(FOLDER.glob("*.jsonl"), reverse=True):
            if count >= LIMIT:
                old.unlink(missing_ok=True)
            else:
                count += old.read_bytes().count(b"\n")
        # Appended, which takes a tenth of the time of a file for each. Unbuffered: a crash loses none.
        _state["file"] = (FOLDER / f"{time.time_ns()}-{os.getpid()}.jsonl").open("ab", buffering=0)
    _state["count"] += 1
    _state["file"].write(to_json({"saved": time.time_ns(), **journey}) + b"\n")


def newest_first() -> Iterator[Json]:
    lines: list[str] = []
    for file in FOLDER.glob("*.jsonl"):
        # Another process may have deleted it since.
        with contextlib.suppress(FileNotFoundError):
            lines += file.read_text("utf-8").split("\n")
    # Each begins with its time.
    for line in sorted(lines, reverse=True):
        # Of a process that was killed, the last one may not be whole.
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def find(which: str) -> Json | None:
    """By `last`, `last 4xx`, `last 409`, or the beginning of an id."""
    last, _, status = which.partition(" ")
    for journey in newest_first():
        is_of = str(journey.get("status", 500)).startswith(status.rstrip("x"))
        if (last == "last" and is_of) or journey["id"].startswith(which):
            return journey
    return None
