"""One line of an owner's at every place of a service's features, met by every change: where does it end?"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from merging import Three, merge
from scopes import Placed, placed

OURS = "<<<<<<< before updating"
COMMENT, STATEMENT = "# Written by the owner.", "_written = 'by the owner'"
Files = dict[str, str]


class Place(NamedTuple):
    """`mine` is the file with one line more, or one that is longer; the line is in this scope, above this one."""

    line: str
    mine: str
    scope: tuple[str, ...]
    below: str


@dataclass
class Swept:
    places: int = 0
    conflicts: int = 0
    # What went with its file, or with that which the line stood in.
    misplaced: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def places(name: str, text: str) -> Iterator[Place]:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        indent = line[: len(line) - len(line.lstrip())]
        inserted = [(number, indent)]
        following = lines[number + 1] if number + 1 < len(lines) else "\n"
        if not following.strip() or not following.startswith(indent):
            inserted.append((number + 1, indent))
        for at, depth in inserted:
            for new in [COMMENT, STATEMENT]:
                yield from _place(name, [*lines[:at], f"{depth}{new}\n", *lines[at:]], at)
        yield from _place(name, [*lines[:number], f"{line[:-1]}  {COMMENT}\n", *lines[number + 1 :]], number)


def _place(name: str, lines: list[str], at: int) -> Iterator[Place]:
    mine = "".join(lines)
    if name.endswith(".py") and not _in_code(mine, lines[at].strip()):
        return
    below = next((line.strip() for line in lines[at + 1 :] if line.strip()), "")
    yield Place(lines[at].strip(), mine, _scope(name, mine, lines[at].strip())[0], below)


def _in_code(text: str, line: str) -> bool:
    """It parses, and the line is not within a text."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return not any(COMMENT in value or STATEMENT in value for value in texts)


def _scope(name: str, text: str, line: str) -> list[tuple[str, ...]]:
    return [entry.scope for entry in placed(name, text) if entry.line == line]


def sweep(old: Files, new: Files, context_lines: int, renamed: tuple[str, str] = ("", "")) -> Swept:
    swept = Swept()
    for name, text in sorted(old.items()):
        if "/features/" not in name or not name.endswith(".py") or name not in new or text == new[name]:
            continue
        found = list(places(name, text))
        swept.places += len(found)
        merged = merge((Three(text, place.mine, new[name]) for place in found), context_lines)
        for place, result in zip(found, merged, strict=True):
            if OURS in result:
                swept.conflicts += 1
                continue
            scopes = _scope(name, result, place.line)
            where = f"{name}: {place.line} above {place.below} of {place.scope}"
            if not scopes:
                swept.lost.append(where)
            elif scopes != [place.scope] and scopes != [tuple(part.replace(*renamed) for part in place.scope)]:
                swept.misplaced.append(f"{where} is in {scopes}")
    return swept
