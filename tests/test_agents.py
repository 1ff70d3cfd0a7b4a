"""AGENTS.md of each service: a page, in which all that it names exists."""

import re

from stories import Story

# What comes later: with an installation, or with the first client.
LATER = {".venv/bin/pytest", "clients/"}


def test_it_is_a_page(story: Story) -> None:
    lines = (story.path / "AGENTS.md").read_text().splitlines()
    assert len(lines) <= 60


def test_what_it_names_exists(story: Story) -> None:
    text = (story.path / "AGENTS.md").read_text()
    named = [word for code in re.findall(r"`([^`\n]+)`", text) for word in code.split()]
    paths = {word for word in named if re.fullmatch(r"[\w./-]*(/|\.\w+)[\w./-]*", word) and word != "/docs"}
    paths -= LATER | {f".venv/bin/{story.answers['service_name']}"}
    assert {"src/" + story.package + "/features/", "controller.py", "web/problems.py", "contract/api.txt"} <= paths
    source = story.path / "src" / story.package
    feature = next(path.parent for path in source.glob("features/*/controller.py"))
    assert [path for path in paths if not any((root / path).exists() for root in [story.path, source, feature])] == []
    targets = re.findall(r"^(\w+):", (story.path / "Makefile").read_text(), re.MULTILINE)
    made = re.findall(r"`make (\w+)", text)
    assert len(made) >= 5 and set(made) <= set(targets)


def test_it_names_no_vendor(story: Story) -> None:
    text = (story.path / "AGENTS.md").read_text()
    assert re.findall(r"(?i)claude|anthropic|openai|gpt|copilot|gemini|cursor|codex", text) == []
