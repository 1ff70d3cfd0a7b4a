"""The answers file: any text comes back as it was, and a person can read it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier._main import Worker
from hypothesis import example, given, settings
from hypothesis import strategies as st

QUESTIONS = ["problem", "use_cases", "data", "outputs", "service_name", "database"]
# What has a meaning in YAML, looks like a blank, or is not to be seen at all; and then everything else.
TRICKY = [
    *"\n\n\n  \t\r#:-|>'\"\\{}[]&*!%@`,?~=.0123nulltrueyes<",
    "\x00",
    "\x07",
    "\x1b",
    "\x7f",
    "\x85",
    "\x9f",
    "\xa0",
]
TRICKY += [
    "\xad",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\ufffe",
    "\uffff",
    "é",
    "ß",
    "漢",
    "☕",
    "🦀",
    "\U0001fffe",
    "\U0010ffff",
]
TEXTS = st.text(st.sampled_from(TRICKY)) | st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="session")
def remember(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[dict[str, Any]], str]]:
    """The answers file as Copier's own environment writes it."""
    with Worker(src_path=str(template), dst_path=tmp_path_factory.mktemp("nothing")) as worker:
        path = template / "template/{{ _copier_conf.answers_file }}.jinja"
        file = worker.jinja_env.from_string(path.read_text())
        yield lambda answers: file.render(_copier_answers=answers)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(TEXTS, min_size=6, max_size=6))
@example(["", "\n", " ", " \n", "\n ", "\n\n"])
@example(["a\n", "a\n\n", "a\n \n", "  a\nb", "a\n  b\n", "\n a\n"])
@example(["a\x7f\nb", "\x7f", "a\r\nb", "\ta\nb", "a\t\nb", "- a\n# b\n--- c"])
@example(["---", "...\n...", "---\na", "a\n---\nb", "null", "1"])
def test_every_text_comes_back(remember: Callable[[dict[str, Any]], str], texts: list[str]) -> None:
    answers = dict(zip(QUESTIONS, texts, strict=True))
    read = yaml.safe_load(remember(answers))
    checksum = read.pop("_checksum")
    assert read == answers
    # An update takes what it reads for an edit by hand where this differs.
    assert yaml.safe_load(remember(read))["_checksum"] == checksum


def test_a_person_can_read_it(remember: Callable[[dict[str, Any]], str]) -> None:
    answers = {"data": "table:\n  name: text\n\n  # all\n", "use_cases": "a # b\nc: d", "problem": 'A "naïve" café ☕'}
    answers = dict.fromkeys(QUESTIONS, "") | answers
    assert remember({"_src_path": "gh:me/it", "_commit": "v1", **answers}).split("\n", 2)[2].split("# Of the")[0] == (
        '_commit: "v1"\n'
        '_src_path: "gh:me/it"\n'
        'problem: "A \\"naïve\\" café ☕"\n'
        "use_cases: |-\n"
        "  a # b\n"
        "  c: d\n"
        "data: |\n"
        "  table:\n"
        "    name: text\n"
        "\n"
        "    # all\n"
        'outputs: ""\n'
        'service_name: ""\n'
        'database: ""\n'
    )
