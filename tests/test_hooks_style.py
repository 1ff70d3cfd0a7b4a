"""What hooks/ look like, so that they read like code. The rules are DESIGN's; each message says which line breaks one."""

import json
import re
from functools import cache
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes
from stories import ROOT

HOOKS = ROOT / "hooks"
FILES = sorted(path.relative_to(HOOKS).as_posix() for path in HOOKS.rglob("*.jinja"))
TABLES = sorted(HOOKS.glob("tables/*.json"))
WIDTH, LINES, ARGUMENTS = 110, 45, 5
# The way of the data. A room imports from rooms on its left, and from itself.
ROOMS = "tables layout values check read explain answers offer questions derive model changes".split()
TAG = re.compile(r"\{([%{#])-?\s*(\w*).*?-?[%}#]\}", re.DOTALL)
OPENING, MIDDLE, CLOSING = {"macro", "if", "for"}, {"elif", "else"}, {"endmacro", "endif", "endfor", "endset"}


@cache
def source(file: str) -> str:
    return (HOOKS / file).read_text()


@cache
def tree(file: str) -> nodes.Template:
    return jinja2.Environment().parse(source(file))


@cache
def everything() -> str:
    """All that may call a macro."""
    texts = [path.read_text() for folder in ["hooks", "template"] for path in (ROOT / folder).rglob("*.jinja")]
    return "".join([*texts, (ROOT / "copier.yml").read_text()])


def room(file: str) -> str:
    return file.split("/")[0].removesuffix(".jinja")


def macros(file: str) -> list[nodes.Macro]:
    return list(tree(file).find_all(nodes.Macro))


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def misplaced(text: str) -> list[str]:
    """The tags that begin a line and do not stand where their depth wants them."""
    wrong, depth = [], 0
    for tag in TAG.finditer(text):
        kind, word = tag[1], tag[2]
        opens = kind == "%" and (word in OPENING or (word == "set" and "=" not in tag[0]))
        if kind == "%" and word in CLOSING:
            depth -= 1
        before = text[text.rfind("\n", 0, tag.start()) + 1 : tag.start()]
        here = depth - (kind == "%" and word in MIDDLE)
        if not before.strip() and len(before) != 2 * here:
            wrong.append(f"{line_of(text, tag.start())}: {tag[0][:60]}")
        depth += opens
    return wrong


def imports(file: str) -> list[tuple[str, list[str]]]:
    """Each file that is imported, and the names that it is asked for."""
    found = []
    for node in tree(file).find_all((nodes.FromImport, nodes.Import)):
        assert isinstance(node, nodes.FromImport | nodes.Import)
        assert isinstance(node.template, nodes.Const)
        names = (
            [node.target] if isinstance(node, nodes.Import) else [n if isinstance(n, str) else n[1] for n in node.names]
        )
        found.append((str(node.template.value).removeprefix("hooks/"), names))
    return found


@pytest.mark.parametrize("file", FILES)
class TestAFile:
    def test_it_says_first_what_it_makes_of_what(self, file: str) -> None:
        head = re.match(r"\{#\n(.*?)\n#\}\n", source(file), re.DOTALL)
        assert head and "TODO" not in head[1], "a file begins with a comment that is its header"
        fills = [macro.name for macro in macros(file) if macro.name.startswith(("derive_", "read_"))]
        if fills:
            assert re.search(r"(?m)^  in  ", head[1]) and re.search(r"(?m)^  out ", head[1]), (
                f"{fills}: of what, and what"
            )
            assert re.search(r'["\[{]', head[1]), "an example of each shape"

    def test_a_line_is_no_longer_than_a_screen(self, file: str) -> None:
        lines = source(file).split("\n")
        assert [f"{number}: {len(line)} columns" for number, line in enumerate(lines, 1) if len(line) > WIDTH] == []

    def test_a_tag_stands_at_its_depth(self, file: str) -> None:
        assert misplaced(source(file)) == []

    def test_a_macro_is_short(self, file: str) -> None:
        text = source(file)
        for macro in re.finditer(r"(?ms)^\{% macro (\w+)\((.*?)\) -?%\}\n.*?^\{%-? endmacro %\}", text):
            size = macro[0].count("\n") + 1
            assert size <= LINES, f"{line_of(text, macro.start())}: {macro[1]} has {size} lines"
        for found in macros(file):
            assert len(found.args) <= ARGUMENTS, f"{found.lineno}: {found.name} takes {len(found.args)} arguments"

    def test_a_macro_fills_or_says(self, file: str) -> None:
        """What it says is in tags that trim what is around them: else its layout would be part of it."""
        for macro in macros(file):
            for output in macro.find_all(nodes.Output):
                for part in output.nodes:
                    text = part.data.strip() if isinstance(part, nodes.TemplateData) else ""
                    assert not text, f"{output.lineno}: {macro.name} has the bare text {text[:40]!r}"
        for number, line in enumerate(source(file).split("\n"), 1):
            assert not re.match(r"\s*\{\{ (?!\w+\()", line), f"{number}: what a macro says is written {{{{- … -}}}}"

    def test_each_macro_is_called(self, file: str) -> None:
        for macro in macros(file):
            assert len(re.findall(rf"\b{macro.name}\(", everything())) > 1, f"{macro.name} is called nowhere"

    def test_each_name_is_used(self, file: str) -> None:
        """Of what is imported, and of what a file sets for itself and for others."""
        code = re.sub(r"(?s)\{#.*?#\}", "", source(file))
        for other, names in imports(file):
            for name in names:
                assert len(re.findall(rf"(?<![\w.]){name}\b", code)) > 1, f"{name} of {other} is not used"
        for node in tree(file).body:
            if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name) and file != "tables.jinja":
                name = node.target.name
                assert len(re.findall(rf"(?<![\w.]){name}\b", code)) > 1, f"{name} is not used"

    def test_it_imports_one_way(self, file: str) -> None:
        for other, _ in imports(file):
            here, there = ROOMS.index(room(file)), ROOMS.index(room(other))
            assert there <= here, f"{file} imports {other}, which comes after it: {' -> '.join(ROOMS)}"


def test_no_file_imports_itself_by_way_of_others() -> None:
    after = {file: {other for other, _ in imports(file) if other.endswith(".jinja")} for file in FILES}
    while free := [file for file, others in after.items() if not others & after.keys()]:
        for file in free:
            del after[file]
    assert after == {}


def test_a_table_is_data_that_jinja_reads_as_it_stands() -> None:
    for path in TABLES:
        assert not re.search(r"\{[%{#]", path.read_text()), path.name
        json.loads(path.read_text())


def test_a_table_is_used() -> None:
    for path in TABLES:
        assert f'"hooks/tables/{path.name}"' in everything(), path.name


def test_templates_call_only_the_layout() -> None:
    for path in Path(ROOT / "template").rglob("*.jinja"):
        found = re.findall(r'(?:import|from) "(hooks/[^"]+)"', path.read_text())
        # The answers are in no model: they are what it is made of.
        allowed = {"hooks/answers.jinja"} if "answers_file" in path.name else {"hooks/layout.jinja"}
        assert set(found) <= allowed, path
