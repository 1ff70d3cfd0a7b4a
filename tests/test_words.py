"""A service speaks the field's words: response, error, status, transition, middleware. DESIGN has the list of others."""

import re

import pytest
from stories import Story

# Of each, what to write instead.
DIALECT = {
    r"answer(ed|ing)?": "response, respond",
    r"answers (?!in|that|to these)": "responses",
    r"shown?|shows": "has, response has",
    r"tells?|told": "says, has",
    r"kept": "stored, unchanged",
    r"given": "values, parameters",
    r"judge[ds]?": "check",
    r"heed(s|ed)?": "use, support",
    r"a no": "error",
    r"edges?": "middleware, limit",
    r"guard(s|ed)?": "check, dependency",
    r"laid": "stored",
    r"refusals?": "error",
    r"whoever|nobody": "callers that, no other transaction",
    r"rooms?": "module",
    r"heard": "received",
}
# What the words are about in these: the answers of the interview.
ANSWERS = re.compile(r"copier|the answers|your answers|new answers|former answers|answers first|answers cannot", re.I)


def words_of(story: Story) -> set[str]:
    """The user's own words, which may be any."""
    return set(re.findall(r"[a-z]+", " ".join(map(str, story.answers.values())).lower()))


@pytest.mark.parametrize("word", DIALECT)
def test_no_word_of_a_dialect(story: Story, word: str) -> None:
    own, found = words_of(story), []
    pattern = re.compile(rf"(?<![A-Za-z])(?:{word})(?![A-Za-z])", re.I)
    for name, text in story.files().items():
        for number, line in enumerate(text.splitlines(), 1):
            match = pattern.search(line)
            if match and not ANSWERS.search(line) and match[0].lower() not in own:
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == [], f"say it in the field's words: {DIALECT[word]}"
