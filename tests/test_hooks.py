"""Macros of hooks/ alone, in Copier's own environment: a line is read, a use case derived, a call laid out.

A generated service takes minutes to say that something is wrong; these take milliseconds, and name the macro.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from copier._main import Worker
from jinja2 import Environment, nodes
from rendering import unversioned
from stories import BIN, run

Hook = Callable[..., str]
# What a first copy of bistro compiles of hooks/, in nodes of Jinja's syntax tree: about 30 µs each, in every run.
MOST_NODES = 33_250


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unversioned(tmp_path_factory.mktemp("hooks") / "template")


@pytest.fixture(scope="module")
def hook(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Hook]]:
    """A macro by its file and its name."""
    with Worker(src_path=str(template), dst_path=tmp_path_factory.mktemp("nothing")) as worker:

        def hook(file: str, macro: str) -> Hook:
            named: Hook = getattr(worker.jinja_env.get_template(f"hooks/{file}.jinja").module, macro)
            return named

        yield hook


# ---- layout.jinja: the last column of a line is the 110th


@pytest.mark.parametrize(("length", "lines"), [(110, 1), (111, 3)])
@pytest.mark.parametrize("indent", [0, 4, 8])
def test_fit_breaks_where_ruff_does(hook: Any, indent: int, length: int, lines: int) -> None:
    item = "a" * (length - indent - len("call()"))
    text = hook("layout", "fit")(indent, "call(", [item], ")")
    assert len(text.split("\n")) == lines
    if lines == 3:
        assert text == f"call(\n{' ' * indent}    {item},\n{' ' * indent})"


@pytest.mark.parametrize(
    ("last", "text"),
    [
        (83, "LIST = sa.select(x).where({0})"),
        (84, "LIST = sa.select(x).where(\n    {0},\n)"),
    ],
)
def test_chain_of_one_call_breaks_inside_it(hook: Any, last: int, text: str) -> None:
    argument = "a" * last
    laid = hook("layout", "chain")("LIST", "sa.select(x)", [{"name": "where", "arguments": [argument]}])
    assert laid == text.format(argument)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (77, "LIST = select(x).where({0}).limit(1)"),
        (78, "LIST = (\n    select(x).where({0}).limit(1)\n)"),
        (80, "LIST = (\n    select(x).where({0}).limit(1)\n)"),
        (81, "LIST = (\n    select(x)\n    .where({0})\n    .limit(1)\n)"),
        (98, "LIST = (\n    select(x)\n    .where({0})\n    .limit(1)\n)"),
        (99, "LIST = (\n    select(x)\n    .where(\n        {0},\n    )\n    .limit(1)\n)"),
    ],
)
def test_chain_of_several_calls(hook: Any, size: int, text: str) -> None:
    argument = "a" * size
    calls = [{"name": "where", "arguments": [argument]}, {"name": "limit", "arguments": ["1"]}]
    assert hook("layout", "chain")("LIST", "select(x)", calls) == text.format(argument)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (93, "the_target = {0}"),
        (94, "the_target = (\n        {0}\n    )"),
        (102, "the_target = (\n        {0}\n    )"),
        (103, "the_target = {0}"),
    ],
)
def test_assign_takes_brackets_only_where_they_help(hook: Any, size: int, text: str) -> None:
    value = "a" * size
    assert hook("layout", "assign")(4, "the_target", value) == text.format(value)


def test_ruff_leaves_it_as_it_is(hook: Any, tmp_path: Path) -> None:
    fit, chain, assign, tuple_of = (hook("layout", name) for name in ["fit", "chain", "assign", "tuple"])
    lines = []
    for size in range(60, 125):
        word = "a" * size
        calls = [{"name": name, "arguments": [word, "b"]} for name in ["where", "limit", "all"]]
        lines += [chain("A_NAME", "select(x)", calls[:count]) for count in [0, 1, 2, 3]]
        lines += [tuple_of("A_NAME", [word]), tuple_of("A_NAME", [word, "b"])]
        lines += ["def f():", f"    {assign(4, 'the_target', word)}", f"    {fit(4, 'call(', [word, 'b'], ')')}"]
    (tmp_path / "laid.py").write_text("\n".join(lines) + "\n")
    done = run(tmp_path, BIN / "ruff", "format", "--isolated", "--line-length", "110", "--diff", "--quiet", "laid.py")
    # Blank lines are not theirs.
    assert [line for line in done.stdout.splitlines() if re.match(r"[+-](?![+-])\s*\S", line)] == []


# ---- read/: a line, a name, a range


@pytest.mark.parametrize(
    ("word", "plural"), [("table", "tables"), ("category", "categories"), ("day", "days"), ("box", "boxes")]
)
def test_plural_of(hook: Any, word: str, plural: str) -> None:
    assert hook("read/words", "plural_of")(word) == plural


@pytest.mark.parametrize(
    ("name", "type", "words"),
    [
        ("party_size", "integer", "party size"),
        ("starts_at", "datetime", "start time"),
        ("finishes_at", "time", "finish time"),
        ("process_at", "datetime", "process time"),
        ("due_on", "date", "due date"),
        ("date", "date", "date"),
        ("looks_at", "text", "looks at"),
    ],
)
def test_a_field_in_a_title_is_a_noun(hook: Any, name: str, type: str, words: str) -> None:
    assert hook("derive/errors", "noun")(name, type) == words


@pytest.mark.parametrize(
    ("verb", "base"), [("confirms", "confirm"), ("carries", "carry"), ("watches", "watch"), ("closes", "close")]
)
def test_base_of(hook: Any, verb: str, base: str) -> None:
    assert hook("read/words", "base_of")(verb) == base


def test_read_use_cases_reads_a_transition(hook: Any) -> None:
    design: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    line = "# a comment\n\nguest cancels own booking with reason: requested or confirmed -> cancelled once"
    hook("read/use_cases", "read_use_cases")(line, design, errors)
    (use,) = design["use_cases"]
    assert errors == []
    read = {key: use[key] for key in "line actors verb base kind own thing with froms to once".split()}
    assert read == {
        "line": 3,
        "actors": ["guest"],
        "verb": "cancels",
        "base": "cancel",
        "kind": "transition",
        "own": True,
        "thing": "booking",
        "with": ["reason"],
        "froms": ["requested", "confirmed"],
        "to": "cancelled",
        "once": True,
    }


def read_field(hook: Any, line: str) -> tuple[dict[str, Any], list[str]]:
    design: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    hook("read/data", "read_data")(f"table:\n  {line}", design, errors)
    return design["things"][0]["fields"][0], [f"{e['line']} {e['code']} {e['word']}" for e in errors]


def test_read_data_reads_a_field(hook: Any) -> None:
    field, faults = read_field(hook, 'Label: text 1..40 optional = "two words" matching ^[a-z ]+$')
    assert faults == []
    read = {key: field[key] for key in "name type min max unique optional secret default pattern".split()}
    assert read == {
        "name": "label",
        "type": "text",
        "min": "1",
        "max": "40",
        "unique": False,
        "optional": True,
        "secret": False,
        "default": "two words",
        "pattern": "^[a-z ]+$",
    }


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("seats: integer 1..12", []),
        ("seats: integer 12..1", ["2 range_empty 12..1"]),
        ("seats: integer 1..1", ["2 range_one 1..1"]),
        ("seats: integer ..9007199254740992", ["2 range_wide ..9007199254740992"]),
        ("seats: boolean 1..2", ["2 range_type 1..2"]),
        ("price: money 0..1.005", ["2 range_shape 0..1.005"]),
        ("s: integer", ["2 name_length s"]),
        ("import: integer", ["2 name_python import"]),
        ("seat s: integer", ["2 name seat s"]),
        ("version: integer", ["2 name_ours version"]),
    ],
)
def test_read_data_notes_what_is_wrong(hook: Any, line: str, fault: list[str]) -> None:
    assert read_field(hook, line)[1] == fault


# ---- what it costs


def test_few_nodes_are_compiled(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly, since seconds on one machine are not those of another. Indentation and comments are free."""
    compiled: Counter[str] = Counter()
    parse = Environment._parse

    def counted(environment: Environment, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = parse(environment, source, name, filename)
        if name and name.startswith("hooks/"):
            compiled[name] += 1 + len(list(tree.find_all(nodes.Node)))
        return tree

    monkeypatch.setattr(Environment, "_parse", counted)
    with Worker(src_path=str(template), dst_path=tmp_path / "bistro", defaults=True, quiet=True) as worker:
        worker.run_copy()
    assert (tmp_path / "bistro/README.md").exists()
    assert "hooks/changes.jinja" not in compiled, "it is about updates, and this is a first copy"
    assert not [name for name in compiled if name.startswith("hooks/explain/")], "there is no fault to explain"
    assert compiled.total() <= MOST_NODES, compiled.most_common()
