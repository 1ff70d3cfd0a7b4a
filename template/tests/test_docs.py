"""docs/examples.md shows what is served: all but the values, which are examples."""

import difflib

import pytest

from tests.examples import FILE, outlines, written
from tests.world import World


def test_docs(world: World) -> None:
    documented, served = outlines(FILE.read_text("utf-8")), outlines(written(world))
    lines: list[str] = []
    for heading in documented | served:
        old, new = documented.get(heading, []), served.get(heading, [])
        lines += difflib.unified_diff(old, new, f"docs/examples.md, {heading}", "served", n=99, lineterm="")
    if lines:
        pytest.fail("\n".join([*lines, "Run: make contract"]), pytrace=False)
