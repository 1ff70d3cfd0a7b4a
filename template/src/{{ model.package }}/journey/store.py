"""Journeys on disk, one JSON file each: another process can read them, and a crash loses none."""

import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

# In the folder in which the service was started; `.gitignore` has it.
FOLDER = Path(".journeys")
LIMIT = 500
_count = itertools.count()


def save(journey: Json) -> None:
    # To list the folder takes longer than to write a file.
    if next(_count) % 50 == 0:
        FOLDER.mkdir(exist_ok=True)
        for old in _files()[: -LIMIT + 1]:
            old.unlink(missing_ok=True)
    # In the order of their names. Renamed when it is whole, since others read meanwhile.
    file = FOLDER / f"{time.time_ns() // 1000:016x}-{journey['id']}.json"
    file.with_suffix(".part").write_text(json.dumps(journey), "utf-8")
    os.replace(file.with_suffix(".part"), file)


def newest_first() -> Iterator[Json]:
    for file in reversed(_files()):
        # Another process may have deleted it since.
        with contextlib.suppress(FileNotFoundError, ValueError):
            yield json.loads(file.read_text("utf-8"))


def find(which: str) -> Json | None:
    """By `last`, `last 4xx`, `last 409`, or the beginning of an id."""
    last, _, status = which.partition(" ")
    for journey in newest_first():
        is_of = str(journey.get("status", 500)).startswith(status.rstrip("x"))
        if (last == "last" and is_of) or journey["id"].startswith(which):
            return journey
    return None


def _files() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))
