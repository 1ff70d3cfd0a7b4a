"""A journey in the terminal, at 80 columns."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from ..settings import SERVICE
from .store import Json

COLORS = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}


def colored(text: str, color: str) -> str:
    """Only on a terminal (https://no-color.org)."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\033[{COLORS[color]}m{text}\033[0m"
    return text


def width() -> int:
    return min(shutil.get_terminal_size((80, 24)).columns, 120)


def summary(journey: Json) -> str:
    """One line: status, method, path, caller, what is wrong."""
    caller = journey.get("caller") or {}
    who = f"{'/'.join(caller['roles'])} {caller['name']}" if caller else "nobody"
    path = journey["path"] + (f"?{journey['query']}" if journey["query"] else "")
    return f"{journey.get('status', '---')} {journey['method']} {path}  {who}  {journey['ms']}ms"


def reason(journey: Json) -> str:
    """What the response says is wrong, and how to go on."""
    problem = journey.get("response")
    if not journey.get("problem") or not isinstance(problem, dict):
        return ""
    parts = [problem["type"].removeprefix("/problems/")]
    if "current" in problem:
        parts.append(
            f"is {problem['current']}, allowed: {', '.join(problem.get('allowed', [])) or 'nothing'}"
        )
    parts += [str(problem[key]) for key in ["detail", "pointer"] if key in problem]
    for error in problem.get("errors", []):
        parts.append(f"{error.get('pointer') or error.get('parameter') or 'body'}: {error['detail']}")
    if problem["status"] == 401 and journey.get("roles"):
        parts.append(f"a token: {SERVICE} token {journey['roles'][0]} ann")
    return "; ".join(parts)


def line(journey: Json) -> str:
    """For the log: the summary, what is wrong, and how to go on."""
    return "  ".join(part for part in [summary(journey), reason(journey)] if part)


def lines(journey: Json) -> Iterator[str]:
    """The stops as a tree."""
    good = journey.get("status", 500) < 400
    yield colored(summary(journey), "green" if good else "red") + colored(f"  {journey['id']}", "dim")
    if why := reason(journey):
        yield from _wrapped(why, "  ")
    yield ""
    deepest = _deepest_error(journey)
    for stop in journey["stops"]:
        yield from _stop(stop, stop is deepest)
    if journey["response"] is not None:
        yield from _wrapped(f"= {_value(journey['response'])}", "            ", 4)


def _deepest_error(journey: Json) -> Json | None:
    failed = [stop for stop in journey["stops"] if "error" in stop]
    return max(failed, key=lambda stop: stop["depth"], default=None)


def _stop(stop: Json, marked: bool) -> Iterator[str]:
    indent = "  " * max(stop["depth"] - 1, 0)
    took = f"{stop['ms']:.1f}ms" if stop.get("ms", 0) >= 0.1 else ""
    rows = f"{stop['rows']} row{'s' * (stop['rows'] != 1)}" if "rows" in stop else ""
    left = f"{indent}{stop['layer']:<12}{stop['name'] if stop['layer'] != 'SQL' else ''}"
    right = "  ".join(part for part in [rows, took, _short(stop["where"])] if part)
    yield left + " " * max(width() - len(left) - len(right), 2) + colored(right, "dim")
    inside = indent + " " * 12
    if stop["layer"] == "SQL":
        yield from _wrapped(stop["statement"], inside, 6)
    if stop.get("sentence"):
        yield from _wrapped(stop["sentence"], inside, 2)
    for name, value in (stop.get("input") or {}).items():
        yield from _wrapped(f"{name} = {_value(value)}", inside, 2)
    if stop["layer"] in ("service", "auth") and stop.get("output") is not None:
        yield from _wrapped(f"-> {_value(stop['result'])}", inside, 2)
    if marked:
        yield from _error(stop["error"], inside)


def _error(error: Json, inside: str) -> Iterator[str]:
    yield colored(f"{inside}✗ {error['type']} at {_short(error.get('where', '?'))}", "red")
    if error["message"]:
        yield from _wrapped(error["message"], f"{inside}  ", 3)
    source = error.get("source", [])
    outer = min((len(text) - len(text.lstrip()) for _, text in source if text), default=0)
    for number, text in source:
        at = error["where"].endswith(f":{number}")
        line = f"{inside}{'>' if at else ' '}{number:>4} {text[outer:]}"
        yield colored(line[: width()], "yellow" if at else "dim")


def _short(where: str) -> str:
    """Without the folders that all files are in."""
    return where.split("/features/")[-1] if "/features/" in where else "/".join(where.split("/")[2:]) or where


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return "null" if value is None else str(value)


def _wrapped(text: str, indent: str, most: int = 5) -> Iterator[str]:
    """At most so many lines."""
    parts = textwrap.wrap(text, max(width() - len(indent), 20)) or [""]
    for part in parts[:most]:
        yield indent + part
    if len(parts) > most:
        yield f"{indent}…"
