"""Journeys on disk, one JSON file each: another process can read them, and a crash loses none."""

import contextlib
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


def save(journey: Json) -> None:
    FOLDER.mkdir(exist_ok=True)
    # In the order of their names.
    file = FOLDER / f"{time.time_ns() // 1000:016x}-{journey['id']}.json"
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps(journey), "utf-8")
    # At once: who reads meanwhile finds no half of a journey.
    os.replace(unfinished, file)
    for old in _files()[:-LIMIT]:
        old.unlink(missing_ok=True)


def newest_first() -> Iterator[Json]:
    for file in reversed(_files()):
        # Another process may have deleted it since.
        with contextlib.suppress(FileNotFoundError, ValueError):
            yield json.loads(file.read_text("utf-8"))


def find(which: str) -> Json | None:
    """By `last`, `last 4xx`, `last 409`, or the beginning of an id."""
    last, _, status = which.partition(" ")
    for journey in newest_first():
        if last != "last":
            if journey["id"].startswith(which):
                return journey
        elif not status or str(journey.get("status", 500)).startswith(status.rstrip("x")):
            return journey
    return None


def _files() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))
