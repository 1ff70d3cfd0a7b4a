"""What `copier update` makes of a file, without Copier: as its own code (copier/_main.py) does with all files at once.

It applies the difference between the former rendering and what the owner has to the new rendering, hunk by hunk and
wherever the lines around it are found; a file with a hunk that is found nowhere is merged by git.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple


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
        shutil.copytree(home / "new", home / "found")
        diff = ["git", "diff", "--no-index", f"--unified={context_lines}", "--inter-hunk-context=-1", "old", "mine"]
        patch = subprocess.run(diff, cwd=home, capture_output=True, check=False).stdout
        # From old/1 to mine/1: of both, the first part is left out.
        apply = ["git", "apply", "--reject", "-p2"]
        subprocess.run(apply, cwd=home / "found", input=patch, capture_output=True, check=False)
        rejected = [path.stem for path in (home / "found").glob("*.rej")]

        def three(name: str) -> None:
            labels = ["-L", "before updating", "-L", "last update", "-L", "after updating"]
            sides = [f"{side}/{name}" for side in ["mine", "old", "new"]]
            command = ["git", "merge-file", "-p", *labels, *sides]
            merged = subprocess.run(command, cwd=home, capture_output=True, check=False).stdout
            (home / "found" / name).write_bytes(merged)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(three, rejected))
        return [(home / "found" / str(number)).read_text() for number in range(len(files))]
