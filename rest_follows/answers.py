"""The answers file: read with the line of each answer in it, and written with comments for who edits it by hand."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:  # hooks imports Copier, which takes longer than to ask the first question
    from rest_follows.hooks import Answers, Fault, Hooks

COMMENTS = {
    "problem": "What problem are we solving, and who relies on it? One sentence.",
    "use_cases": "What is the user trying to do? WHO VERB [own] THING [with FIELD, …] [by FIELD, …] [: STATE -> STATE]",
    "data": "What data do we need? Each thing and, under it, two blanks in, its fields.",
    "outputs": "What output makes sense for the frontend? Only where it differs from all that is not secret.",
    "service_name": "What do you call the service? Lowercase letters, digits, and hyphens.",
    "database": "Where does the data live? sqlite or postgresql",
}


class UnreadableError(Exception):
    """No answers file: each argument is a line of the file and what is wrong there."""

    def __init__(self, *found: tuple[int, str]) -> None:
        super().__init__(*found)
        self.found = found


@dataclass
class File:
    path: Path
    answers: "Answers"
    starts: dict[str, tuple[int, bool]]
    """Of each answer, the line of its name, and whether its own lines begin in the next one."""

    def line(self, fault: "Fault") -> int:
        start, block = self.starts.get(fault.question, (1, False))
        return start + fault.line if block else start


def load(path: Path) -> File:
    try:
        document = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableError((mark.line + 1 if mark else 1, f"{error.problem}. This is no YAML.")) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableError((1, str(error).split("\n")[0])) from None
    if not isinstance(document, yaml.MappingNode):
        raise UnreadableError((1, f"Write a line for each answer: {', '.join(COMMENTS)}."))
    found, wrong = File(path, {}, {}), []
    for key, value in document.value:
        line = key.start_mark.line + 1
        if str(key.value).startswith("_"):
            continue
        if key.value not in COMMENTS:
            wrong.append((line, f'"{key.value}" is no question. Write one of {", ".join(COMMENTS)}.'))
        elif not isinstance(value, yaml.ScalarNode):
            wrong.append((line, f"{key.value} is a text. Write `{key.value}: |-` and its lines below, two blanks in."))
        else:
            found.answers[key.value] = value.value
            found.starts[key.value] = line, value.style == "|"
    if wrong:
        raise UnreadableError(*wrong)
    return found


def written(hooks: "Hooks", answers: "Answers", command: str) -> str:
    head = ["The answers that a service follows from. This writes it, as they are now:", f"  {command}"]
    parts = ["".join(f"# {line}\n" for line in head)]
    parts += [f"# {COMMENTS[name]}\n{hooks.yaml(name, answers[name])}\n" for name in COMMENTS if name in answers]
    return "\n".join(parts)


def replace(path: Path, text: str) -> None:
    """All of it or nothing, whenever the process is killed."""
    made = path.with_name(f"{path.name}.new")
    made.write_text(text, "utf-8", newline="\n")
    os.replace(made, path)
