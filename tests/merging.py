"""What `copier update` makes of a file, without Copier: as its own code (copier/_main.py) does with all files at once.

It applies the difference between the former rendering and what the owner has to the new rendering, hunk by hunk and
wherever the lines around it are found; a file with a hunk that is found nowhere is merged by git.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

OURS, THEIRS = "<<<<<<< before updating", ">>>>>>> after updating"


class Three(NamedTuple):
    """A file as the template had it, as its owner has it, and as the template has it now."""

    old: str
    mine: str
    new: str


def merge(files: Iterable[Three], context_lines: int) -> list[str]:
    files = list(files)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for side in ["old", "mine", "new"]:
            (home / side).mkdir()
            for number, file in enumerate(files):
                (home / side / str(number)).write_text(getattr(file, side))
        diff = ["git", "diff", "--no-index", f"--unified={context_lines}", "--inter-hunk-context=-1", "old", "mine"]
        patch = subprocess.run(diff, cwd=home, capture_output=True, check=False).stdout
        # From old/1 to mine/1: of both, the first part is left out.
        apply = ["git", "apply", "--reject", "-p2"]
        subprocess.run(apply, cwd=home / "new", input=patch, capture_output=True, check=False)
        return [
            merge_file(file) if (home / f"new/{number}.rej").exists() else (home / f"new/{number}").read_text()
            for number, file in enumerate(files)
        ]


def merge_file(file: Three) -> str:
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        for side in ["mine", "old", "new"]:
            (Path(folder) / side).write_text(getattr(file, side))
        labels = ["-L", "before updating", "-L", "last update", "-L", "after updating"]
        command = ["git", "merge-file", "-p", *labels, "mine", "old", "new"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def _memory() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def apply_line(old: list[str], new: list[str], at: int, instead: int, context_lines: int) -> int | None:
    """Where in `new` git applies a hunk that puts a line before `at`, or instead of it; None where it finds no place.

    This is find_pos of git's apply.c: the nearest place with the same lines, below before above.
    """
    first, last = max(0, at - context_lines), min(len(old), at + instead + context_lines)
    wanted = old[first:last]
    latest = len(new) - len(wanted)
    if latest < 0:
        return None
    # A hunk without lines below it is at the end, one from the first line on at the beginning.
    if first == 0:
        possible = [0]
    elif last == at + instead:
        possible = [latest]
    else:
        possible = sorted(range(latest + 1), key=lambda start: (abs(start - first), start < first))
    for start in possible:
        if new[start] == wanted[0] and new[start : start + len(wanted)] == wanted:
            return start + at - first
    return None
