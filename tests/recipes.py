"""Reads docs/recipes.md of a service, and does what a recipe says: nothing but its blocks decides where a line goes."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# The paragraph above a block, whose line breaks mean nothing: `FILE`, PLACE, with `IMPORT` and `IMPORT`:
HEAD = re.compile(r"`(?P<file>[^`]+)`, (?P<place>.+?)(?:;.*?)?(?:, with (?P<imports>`.+`))?[:.]")
PARTS = re.compile(r"(?P<paragraph>[^\n].*?)(?:\n\n|\n\Z|\Z)(?:```(?P<language>\w+)\n(?P<code>.*?)```\n)?", re.DOTALL)
MIGRATION = re.compile(r'make migration name="([^"]+)"')


@dataclass(frozen=True)
class Block:
    file: str
    place: str
    imports: list[str]
    language: str
    code: str


@dataclass(frozen=True)
class Recipe:
    title: str
    blocks: list[Block]
    migration: str = ""

    def apply(self, service: Path) -> None:
        for block in self.blocks:
            try:
                apply(block, service / block.file)
            except (AssertionError, KeyError, SyntaxError, FileNotFoundError) as error:
                raise AssertionError(f"{self.title}: {block.file}, {block.place}: {error!r}") from error


def read(text: str) -> list[Recipe]:
    return [_recipe(section) for section in text.split("\n## ")[1:]]


def _recipe(section: str) -> Recipe:
    title, _, rest = section.partition("\n\n")
    blocks = []
    for part in PARTS.finditer(rest):
        paragraph = part["paragraph"].replace("\n", " ")
        if head := HEAD.fullmatch(paragraph):
            imports = re.findall("`([^`]+)`", head["imports"] or "")
            blocks.append(Block(head["file"], head["place"], imports, part["language"] or "", part["code"] or ""))
        else:
            assert part["language"] in {None, "sh"}, f"{title}: of which file? {paragraph}"
    found = MIGRATION.search(rest)
    return Recipe(title, blocks, found[1] if found else "")


def apply(block: Block, path: Path) -> None:
    place = block.place
    if place.startswith("a new"):
        path.parent.mkdir(exist_ok=True)
        assert path.read_text() == "" if path.exists() else True, "it is there already"
        assert (place == "a new, empty file") == (block.code == "")
        path.write_text(block.code)
        return
    text = path.read_text()
    name = re.search("`(.+)`", place)
    kind = place.split("`")[0].strip()
    if block.language == "diff":
        assert kind == "in" and name
        text = changed(text, block.code, *span(text, name[1]))
    else:
        text = PLACES[kind](text, name[1] if name else "", block.code)
    missing = [line for line in block.imports if line not in text.splitlines()]
    if missing:
        text = inserted(text, ast.parse(text).body[1].lineno - 1, "\n".join(missing) + "\n")
    path.write_text(text)


def at_the_end(text: str, _: str, code: str) -> str:
    return f"{text}\n{code}" if code.startswith((" ", "#")) else f"{text}\n\n{code}"


def at_the_end_of(text: str, name: str, code: str) -> str:
    apart = "\n" if code.lstrip().startswith("def ") else ""
    return inserted(text, span(text, name)[1], apart + code)


def first_in(text: str, name: str, code: str) -> str:
    body = definition(text, name).body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return inserted(text, body[1 if documented else 0].lineno - 1, code)


def after(text: str, name: str, code: str) -> str:
    return inserted(text, assigned(text, name).end_lineno or 0, code)


def after_the_imports(text: str, _: str, code: str) -> str:
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return inserted(text, imports[-1].end_lineno or 0, f"\n{code}")


def among(text: str, name: str, code: str) -> str:
    """The first of the things in these brackets."""
    if toml := re.search(rf"(?m)^{name} = \[\n", text):
        return text[: toml.end()] + code + text[toml.end() :]
    value = assigned(text, name).value
    assert value
    lines = text.splitlines(keepends=True)
    start = sum(map(len, lines[: value.lineno - 1])) + value.col_offset + 1
    return f"{text[:start]}\n{code.rstrip()}{text[start:]}"


PLACES: dict[str, Callable[[str, str, str], str]] = {
    "at the end": at_the_end,
    "at the end of": at_the_end_of,
    "first in": first_in,
    "after": after,
    "after the imports": after_the_imports,
    "in": among,
}


def changed(text: str, diff: str, start: int, end: int) -> str:
    """What is there already stays as it is."""
    lines = diff.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    whole = text.splitlines(keepends=True)
    within = "".join(whole[start:end])
    if within.count(new) == 1:
        return text
    assert within.count(old) == 1, f"nothing like this is there:\n{old}"
    return "".join(whole[:start]) + within.replace(old, new) + "".join(whole[end:])


def span(text: str, name: str) -> tuple[int, int]:
    """The lines of a class or a function, with what decorates it."""
    node = definition(text, name)
    return min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1, node.end_lineno or 0


def definition(text: str, name: str) -> ast.ClassDef | ast.FunctionDef:
    found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == name]
    assert len(found) == 1, f"{len(found)} are called {name}"
    return found[0]


def assigned(text: str, name: str) -> ast.Assign | ast.AnnAssign:
    found = []
    for node in ast.walk(ast.parse(text)):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(getattr(one, "id", "") == name for one in targets):
            found.append(node)
    assert len(found) == 1, f"{len(found)} are called {name}"
    return found[0]


def inserted(text: str, line: int, code: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:line], code, *lines[line:]])
