"""A service speaks the field's words: response, error, status, transition, middleware. DESIGN has the list of others."""

import re

import pytest
from stories import Story

# Of each, what to write instead. A word of them may be right in another sense: the test knows none of these.
DIALECT = {
    r"answer(ed|ing)?": "response, respond",
    "answers": "responses",
    "shown": "is in the response",
    "told": "says, has",
    "kept": "stored, unchanged",
    "given": "values, parameters",
    r"judge[ds]?": "check",
    r"heed(s|ed)?": "use, support",
    "a no": "error",
    "edges?": "middleware, limit",
    r"guard(s|ed)?": "check, dependency",
    "laid": "stored",
    r"refusals?": "error",
    "moves?": "transition",
    "heard": "received",
}
# The answers of the interview are what they are called.
ANSWERS = re.compile(r"copier|(the|your|new|former) answers|to change an answer", re.IGNORECASE)


def words_of(story: Story) -> set[str]:
    """The user's own words, which may be any: a verb as `moves` becomes a path and a method `move`."""
    words = set(re.findall(r"[a-z]+", " ".join(map(str, story.answers.values())).lower()))
    return words | {word.removesuffix("s") for word in words}


@pytest.mark.parametrize("word", DIALECT)
def test_no_word_of_a_dialect(story: Story, word: str) -> None:
    own, found = words_of(story), []
    pattern = re.compile(rf"(?<![A-Za-z])(?:{word})(?![A-Za-z])", re.IGNORECASE)
    for name, text in story.files().items():
        for number, line in enumerate(text.splitlines(), 1):
            match = pattern.search(line)
            if match and not ANSWERS.search(line) and match[0].lower() not in own:
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == [], f"say it in the field's words: {DIALECT[word]}"
