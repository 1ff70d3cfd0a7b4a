"""One line of an owner's at every place of a service's features, met by every change: where does it end?

The line is a comment, a statement, a decorator, or a comment at the end of a line that is there.
"""

import ast
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from merging import OURS, Three, apply_line, merge_file
from scopes import placed

COMMENT, STATEMENT, DECORATOR = "# Written by the owner.", "_written = 'by the owner'", "@written_by_the_owner"
Files = dict[str, str]


class Place(NamedTuple):
    """`line` is put before line `at`, or instead of it, and then stands in this scope."""

    at: int
    instead: int
    line: str
    scope: tuple[str, ...]


@dataclass
class Swept:
    """Of so many places, how many ask the owner, and which put the line elsewhere without a word."""

    places: int = 0
    conflicts: int = 0
    misplaced: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        return self.misplaced + self.lost


@cache
def places(text: str) -> list[Place]:
    lines = text.splitlines()
    found: list[tuple[int, int, str]] = []
    nodes = list(ast.walk(ast.parse(text)))
    statements = [node for node in nodes if isinstance(node, ast.stmt)]
    strings = [
        node for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr) and node.lineno != node.end_lineno
    ]
    whole = {number for node in strings for number in range(node.lineno, node.end_lineno or 0)}
    for number, line in enumerate(lines):
        if not line.strip() or number in whole:
            continue
        found.append((number, 0, _indent(line) + COMMENT))
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if number + 1 not in whole:
            found.append((number, 1, f"{line}  {COMMENT}"))
            if not following.startswith(_indent(line) or " "):
                found.append((number + 1, 0, _indent(line) + COMMENT))
    for node in statements:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        indent = " " * node.col_offset
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1
        if lines[first].startswith(f"{indent}el"):
            continue
        found.append((first, 0, indent + STATEMENT))
        last = node.end_lineno or 0
        if last == len(lines) or not lines[last].strip():
            found.append((last, 0, indent + STATEMENT))
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found += [(at, 0, indent + DECORATOR) for at in {first, node.lineno - 1}]
    return [Place(*place, _scope(_with(lines, *place), place[2])) for place in found]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _with(lines: list[str], at: int, instead: int, line: str) -> str:
    return "\n".join([*lines[:at], line, *lines[at + instead :]]) + "\n"


def _scope(text: str, line: str) -> tuple[str, ...]:
    (found,) = (entry.scope for entry in placed("x.py", text) if entry.line == line.strip())
    return found


def sweep(old: Files, new: Files, context_lines: int, renamed: tuple[str, str] = ("", "")) -> Swept:
    swept = Swept()
    for name, text in sorted(old.items()):
        if "/features/" not in name or not name.endswith(".py") or name not in new or text == new[name]:
            continue
        _sweep(swept, name, text, new[name], context_lines, renamed)
    return swept


def _sweep(swept: Swept, name: str, old: str, new: str, context_lines: int, renamed: tuple[str, str]) -> None:
    lines, after = old.splitlines(), new.splitlines()

    def met(place: Place) -> str:
        at = apply_line(lines, after, place.at, place.instead, context_lines)
        if at is not None:
            return _with(after, at, place.instead, place.line)
        return merge_file(Three(old, _with(lines, *place[:3]), new))

    with ThreadPoolExecutor(2) as pool:
        for place, result in zip(places(old), pool.map(met, places(old)), strict=True):
            swept.places += 1
            if OURS in result:
                swept.conflicts += 1
                continue
            scopes = [entry.scope for entry in placed(name, result) if entry.line == place.line.strip()]
            where = f"{name}:{place.at + 1}: {place.line.strip()} of {place.scope}"
            if not scopes:
                swept.lost.append(where)
            elif scopes not in ([place.scope], [tuple(part.replace(*renamed) for part in place.scope)]):
                swept.misplaced.append(f"{where} is in {scopes}")
