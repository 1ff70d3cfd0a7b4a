"""What a service says to people: the titles of its problems, and what is wrong with a field."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stories import Story, run

# What takes a message, and at which place.
MESSAGE_OF = {"ValueError": 0, "Invalid": 0, "Unauthenticated": 0, "Forbidden": 0, "matches": 1}

CHECK = """
import json
from shop.features.category import model
from shop.features.product import schemas
from shop.features.review.schemas import ReviewCreateIn
from pydantic import ValidationError

def messages(body, **changes):
    fields = body.model_json_schema()["properties"].items()
    sent = {name: field["examples"][0] for name, field in fields} | changes
    try:
        body.model_validate(sent)
    except ValidationError as wrong:
        return {error["loc"][0]: error["msg"].removeprefix("Value error, ") for error in wrong.errors()}

rule = model.ALWAYS[0]
row = {"rank": 2, "limit": 1}
print(json.dumps([
    messages(schemas.ProductCreateIn, closes_at="18:00:00", was_price="0.01", kind="rare", made_on="1999-12-31"),
    messages(schemas.ProductCreateIn, opens_at="7 pm", from_day="1.2.2099", price=1, weight="1,5", contact="ann"),
    messages(schemas.ProductCreateIn, homepage="example", from_day="2300-01-01"),
    messages(ReviewCreateIn, stars=3, written_at="yesterday"),
    {"rank": rule.message("rank", row), "limit": rule.message("limit", row)},
]))
"""


def test_each_rule_says_what_a_field_must_be(tell: Any, tools: Path) -> None:
    done = run(tell("shop").path, tools / "python", "-c", CHECK, PYTHONPATH="src")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        {
            "closes_at": "Must be after opens_at",
            "was_price": "Must be at least price",
            "kind": "Must be different from rare",
            "made_on": "Must not be before 2000-01-01",
        },
        {
            "opens_at": "Must be a time like 18:00:00",
            "from_day": "Must be a date like 2030-01-31",
            "price": "Must be an amount as a string, with at most 2 decimals",
            "weight": "Must be a number as a string, with at most 6 decimals",
            "contact": "Must be an email address",
        },
        {
            "homepage": "Must be a URL like https://example.com/path",
            "from_day": "Must be between 1900-01-01 and 2199-12-31",
        },
        {"stars": "Must be different from 3", "written_at": "Must be a date and time like 2030-01-31T18:00:00Z"},
        {"rank": "Must be at most limit", "limit": "Must be at least rank"},
    ]


def spoken(code: str) -> Iterator[str]:
    """The titles and messages in a module; what is filled in when it runs is X."""
    for node in ast.walk(ast.parse(code)):
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "title":
                    yield text(line.value)
        elif isinstance(node, ast.Call) and called in MESSAGE_OF and node.args:
            yield text(node.args[MESSAGE_OF[called]])
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "detail":
            yield text(node.value)


def text(value: ast.expr) -> str:
    if isinstance(value, ast.JoinedStr):
        return "".join(text(part) for part in value.values)
    if isinstance(value, ast.BinOp):
        return text(value.left) + text(value.right)
    return str(value.value) if isinstance(value, ast.Constant) else "X"


def test_they_are_written_in_one_style(story: Story) -> None:
    """A capital, words instead of names, no full stop, as Pydantic's own messages."""
    modules = [
        code for name, code in story.files().items() if re.match(r"src/.*/(errors|types|auth|service)\.py", name)
    ]
    found = [said for code in modules for said in spoken(code)]
    assert len(found) > 3
    assert [said for said in found if not re.fullmatch(r"[A-Z][^._]*", said.replace("example.com", ""))] == []
