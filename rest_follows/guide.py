"""From the first question to the files: the draft that is left by the last time, the interview, and Copier."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import questionary
import yaml

from rest_follows.answers import replace, written
from rest_follows.asking import STYLE, Asker, BackError, Draft, Later
from rest_follows.interview import interview

if TYPE_CHECKING:
    from rest_follows.hooks import Answers


def guide(file: Path, start: "Answers", service: Path, command: list[str]) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("The guide asks at a terminal. Without one: copier copy --data-file answers.yml", file=sys.stderr)
        return 1
    answers_file = service / ".copier-answers.yml"
    former = yaml.safe_load(answers_file.read_text("utf-8")) if answers_file.exists() else {}
    later, draft = Later(service, former), Draft(file.with_suffix(".draft"), start)
    try:
        answers = asked(draft, later)
    except (KeyboardInterrupt, EOFError):
        print(f"\nStopped. The same command goes on where you were: {draft.path} has it all.")
        return 130
    from rest_follows.hooks import template

    command = [part or template() for part in command]
    replace(file, written(later(), answers, shlex.join(command)))
    said = f"\nYour answers are in {file}\nWhat follows from them is written by\n  {shlex.join(command)}"
    print(said, flush=True)
    code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
    if code == 0:
        print(said)  # again, below the list of files
        draft.path.unlink(missing_ok=True)
    return code


def asked(draft: Draft, later: Later) -> "Answers":
    if draft.path.exists():
        choices = ["Go on where it ends", "Begin again; it is lost then"]
        if questionary.select("There is a draft of last time.", choices, style=STYLE).unsafe_ask() == choices[0]:
            draft.load()
    while True:
        ask = Asker(draft, later)
        try:
            interview(ask)
        except BackError:
            continue
        return ask.answers
