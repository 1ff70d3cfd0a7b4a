"""In what each line of a file stands: a class, a method, a call, an entry of a table; a section, a target of make.

A scope is worked out from indentation, so that a file with a conflict in it has scopes, too.
"""

import re
from typing import NamedTuple


class Placed(NamedTuple):
    scope: tuple[str, ...]
    line: str


HEADER = re.compile(r"(?:async )?(def|class) (\w+)")
ASSIGNED = re.compile(r'("[^"]*"|[\w.]+)\s*(?::(?!=)[^=]*)?(?:=(?!=).*)?[\[({]?$')


def placed(name: str, text: str) -> list[Placed]:
    """The lines that are not blank, in their order."""
    lines = text.splitlines()
    if name.endswith(".md"):
        scopes = _in_sections(lines)
    elif name.endswith((".toml", ".ini")):
        scopes = _in_tables(lines)
    else:
        scopes = _indented(lines)
    return [Placed(scope, line.strip()) for scope, line in zip(scopes, lines, strict=True) if line.strip()]


def scope_at(name: str, text: str, number: int) -> tuple[str, ...]:
    """That of one line, which is not blank, counted from 0."""
    before = sum(1 for line in text.splitlines()[:number] if line.strip())
    return placed(name, text)[before].scope


def _in_sections(lines: list[str]) -> list[tuple[str, ...]]:
    scopes, headings, fenced = [], [(0, "")], False
    for line in lines:
        fenced ^= line.lstrip().startswith("```")
        depth = len(line) - len(line.lstrip("#"))
        if depth and not fenced:
            headings = [heading for heading in headings if heading[0] < depth] + [(depth, line.strip("# "))]
            scopes.append(tuple(text for _, text in headings[:-1]))
        else:
            scopes.append(tuple(text for _, text in headings))
    return scopes


def _in_tables(lines: list[str]) -> list[tuple[str, ...]]:
    """Of several tables with one name the first line says which it is."""
    tables: list[tuple[str, ...]] = []
    table = ""
    for number, line in enumerate(lines):
        if re.match(r"\[+[\w.\"-]+\]+$", line):
            named = next((other for other in lines[number + 1 :] if other.startswith(("name", "module", "["))), "")
            table = line + (named if line.startswith("[[") else "")
        tables.append((table,))
    return [outer + inner for outer, inner in zip(tables, _indented(lines), strict=True)]


def _indented(lines: list[str]) -> list[tuple[str, ...]]:
    """A line stands in the nearest line above it that is less indented, and so on."""
    scopes: list[tuple[str, ...]] = []
    within: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        text = line.strip()
        if not text:
            scopes.append(())
            continue
        depth = len(line) - len(line.lstrip())
        if text[0] in ")]}" and within and any(outer == depth for outer, _ in within):
            # The end of what began on this depth; what is below belongs to it, too.
            within = [entry for entry in within if entry[0] <= depth]
            scopes.append(tuple(label for _, label in within))
            continue
        within = [entry for entry in within if entry[0] < depth]
        own = _label(lines, number, depth)
        above = _what_it_heads(lines, number, depth)
        scopes.append((*(label for _, label in within), *([above] if above else [])))
        within.append((depth, f"{above} {own}" if above and above != own else own))
    return scopes


def _what_it_heads(lines: list[str], number: int, depth: int) -> str:
    """A decorator, and a comment, are part of what is below them."""
    if not lines[number].lstrip().startswith(("@", "#")):
        return ""
    for line in lines[number + 1 :]:
        text = line.strip()
        if not text:
            return ""
        if len(line) - len(line.lstrip()) < depth:
            return ""
        found = HEADER.match(text)
        if len(line) - len(line.lstrip()) == depth and text[0] not in "@#)]}":
            return f"{found[1]} {found[2]}" if found else ""
    return ""


def _label(lines: list[str], number: int, depth: int) -> str:
    text = lines[number].strip()
    if found := HEADER.match(text):
        return f"{found[1]} {found[2]}"
    if found := ASSIGNED.match(text):
        return found[1]
    if text[0] != "@" and text[-1] == "(":
        return f"{text} {_called(lines, number, depth)}"
    return text


def _called(lines: list[str], number: int, depth: int) -> str:
    """An entry of a list is called by its name, or by the texts that it begins with."""
    inner = []
    for line in lines[number + 1 :]:
        if line.strip() and len(line) - len(line.lstrip()) <= depth:
            break
        inner.append(line.strip())
    named = [line for line in inner if line.startswith("name=")]
    return " ".join(named or [line for line in inner if line.startswith('"')][:2] or inner[:1])
