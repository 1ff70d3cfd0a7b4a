"""Every edit of tests/edits.py meets every change there: `python tests/gauntlet.py` writes the table, tests/gauntlet.md.

With --green, each service that has no conflict is migrated and passes all of its own tests, too.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from difflib import ndiff
from pathlib import Path
from typing import Any

from copier import run_copy, run_update
from copier._main import Worker
from edits import BETTER, CHANGES, EDITS, Edit, apply
from rendering import compiling_once
from stories import BIN, ROOT, git, interview, run, written

BETTER_TEMPLATE = "a better template"
ALL_CHANGES = [*CHANGES, BETTER_TEMPLATE]
# As README.md says: with Copier's own 3 it may take one of two blocks that are alike for the other.
CONTEXT_LINES = 30
DERIVED = ["contract/api.txt", "docs/examples.md"]
OURS, THEIRS = "<<<<<<< before updating", ">>>>>>> after updating"
# What another answer makes of the data, so that a migration is due.
MIGRATED = {
    "a thing more",
    "a field more",
    "a wider field",
    "a field less",
    "a field renamed",
    "a state and a move more",
    "no more exports",
    "states for what had none",
    "all at once",
}
# What is to be decided where both are shown. A pair with a conflict that is not here is a fault.
DECIDE = {
    ("a rule of three rooms", "states for what had none"): "Both import one module more, on one line.",
    ("a condition of an export", "no more exports"): "A condition was written into the one that leaves.",
    ("a README of one's own", "another problem"): "Both reword the sentence that states the problem.",
    ("a summary and a log line", "an actor more"): "Both reword the sentence that says who confirms.",
    ("an endpoint more", "a thing more"): "Both add to what stands between the same two.",
    ("an endpoint more", "all at once"): "Both add to what stands between the same two.",
    ("a router of one's own", "a thing more"): "Both import a router between the same two.",
    ("a router of one's own", "all at once"): "Both import a router between the same two.",
}


@dataclass
class Outcome:
    conflicts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)


@dataclass
class Gauntlet:
    """Each version of the service is rendered once."""

    home: Path

    def __post_init__(self) -> None:
        self.template = self.home / "template"
        self.answers = interview("bistro")

    def prepare(self) -> None:
        self.template.mkdir()
        shutil.copy(ROOT / "copier.yml", self.template)
        for folder in ["hooks", "template"]:
            shutil.copytree(ROOT / folder, self.template / folder)
        publish(self.template, "v1.0.0")
        self._render("v1.0.0", self.answers, self.home / "base")
        apply(BETTER, self.template / "template")
        publish(self.template, "v1.1.0")

    def rendered(self, change: str) -> Path:
        folder = self.home / change.replace(" ", "_")
        if not folder.exists():
            self._render(*self.asked(change), folder)
        return folder

    def asked(self, change: str) -> tuple[str, dict[str, str]]:
        if change == BETTER_TEMPLATE:
            return "v1.1.0", self.answers
        # What comes with a new version comes with new answers, too.
        return "v1.1.0" if change == "all at once" else "v1.0.0", CHANGES[change](self.answers)

    def _render(self, version: str, answers: dict[str, str], folder: Path) -> None:
        run_copy(str(self.template), folder, data=answers, vcs_ref=version, defaults=True, quiet=True, unsafe=False)

    def edited(self, edit: Edit, folder: Path) -> Path:
        """The service of an owner, in their repository."""
        shutil.copytree(self.home / "base", folder)
        git(folder, "init")
        apply(edit, folder)
        git(folder, "add", ".")
        git(folder, "commit", "-m", "mine")
        return folder

    def update(self, service: Path, change: str) -> None:
        version, answers = self.asked(change)
        how: dict[str, Any] = {"defaults": True, "overwrite": True, "quiet": True, "unsafe": False}
        run_update(service, data=answers, vcs_ref=version, context_lines=CONTEXT_LINES, **how)

    def meet(self, edit: Edit, change: str, service: Path) -> Outcome:
        """What becomes of an edit, judged against a merge by git of each file."""
        base, new = self.home / "base", self.rendered(change)
        mine = self.edited(edit, service.with_name(service.name + "_before"))
        shutil.copytree(mine, service)
        self.update(service, change)
        outcome = Outcome()
        files = {path.relative_to(service) for path in written(service) if ".git" not in path.parts}
        for name in sorted(files | {path.relative_to(mine) for path in written(mine) if ".git" not in path.parts}):
            found, was, before, after = (read(folder / name) for folder in [service, mine, base, new])
            # An update writes no migration, and nothing that the service makes of what it serves.
            if name.parts[:2] == ("migrations", "versions") or str(name) in DERIVED:
                after = before
            if name.name == ".copier-answers.yml":
                continue
            if found is not None and OURS in found:
                outcome.conflicts.append(str(name))
            if before == was:
                expected = after
            elif before == after or before is None:
                expected = was
            elif was is None:
                expected = None
            else:
                expected = merged(was, before, after or "")
            if expected == found:
                continue
            if expected is None or found is None:
                outcome.wrong.append(f"{name} {'is gone' if found is None else 'is back'}")
            elif OURS not in found and OURS in expected:
                outcome.placed.append(str(name))
            elif OURS not in found:
                outcome.wrong.append(f"{name} is not what a merge gives")
            missing = lines_lost(before or "", was or "", found or "")
            outcome.wrong += [f"{name} has lost: {line}" for line in missing]
        return outcome


def publish(template: Path, version: str) -> None:
    git(template, "init")
    git(template, "add", ".")
    git(template, "commit", "-m", version)
    git(template, "tag", version)


def read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def merged(mine: str, base: str, new: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"mine": mine, "base": base, "new": new}.items():
            (Path(folder) / name).write_text(text)
        labels = ["-L", "before updating", "-L", "last update", "-L", "after updating"]
        return run(Path(folder), "git", "merge-file", "-p", *labels, "mine", "base", "new").stdout


def lines_lost(base: str, mine: str, found: str) -> list[str]:
    added = Counter(line[2:] for line in ndiff(base.splitlines(), mine.splitlines()) if line.startswith("+ "))
    return [line for line in added if line.strip() and line not in found.splitlines()]


def render_once(home: Path) -> None:
    """For Copier to compare them, the former and the new version are rendered once, too, and not for each pair."""
    render = Worker.run_copy

    def run_copy(worker: Worker) -> None:
        if "/copier._main." not in str(worker.dst_path):
            render(worker)
            return
        asked = json.dumps([worker.template.commit, worker.template.exclude, dict(worker.data)], default=str)
        kept = home / f"kept{os.getpid()}" / hashlib.sha256(asked.encode()).hexdigest()
        if not kept.exists():
            render(worker)
            shutil.copytree(worker.dst_path, kept)
        shutil.copytree(kept, worker.dst_path, dirs_exist_ok=True)

    setattr(Worker, "run_copy", run_copy)  # noqa: B010


def pairs() -> Iterator[tuple[str, str]]:
    for change in ALL_CHANGES:
        for edit in EDITS:
            yield edit, change


def one(home: Path, edit: str, change: str, tools: Path | None) -> tuple[Outcome, str]:
    gauntlet = Gauntlet(home)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        service = Path(folder) / "service"
        outcome = gauntlet.meet(EDITS[edit], change, service)
        if outcome.conflicts or outcome.wrong:
            told = "".join(
                f"--- {name}\n" + "".join(re.findall(rf"(?sm)^{OURS}.*?^{THEIRS}\n", (service / name).read_text()))
                for name in outcome.conflicts
            )
            return outcome, told
        outcome.wrong += (
            unclean(service) if tools is None else not_green(service, tools, change in MIGRATED or "index" in edit)
        )
    return outcome, ""


def unclean(service: Path) -> list[str]:
    told = []
    for command in [["format", "--check"], ["check"]]:
        done = run(service, BIN / "ruff", *command, "--no-cache", "--quiet")
        told += [f"ruff {command[0]}: {done.stdout}"] if done.returncode else []
    return told


def not_green(service: Path, tools: Path, migrated: bool) -> list[str]:
    """As `make migration`, `make contract` and `make test` do."""

    def runs(*command: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": "src:.", "PYTHONDONTWRITEBYTECODE": "1"}
        return run(service, tools / command[0], *command[1:], **environment)

    told = unclean(service)
    if migrated:
        done = runs("python", "-m", "tests.migration", "what changed")
        told += [done.stdout + done.stderr] if done.returncode else []
        for command in [["check", "--fix"], ["format"]]:
            run(service, BIN / "ruff", *command, "--no-cache", "--quiet", "migrations")
    done = runs("python", "-m", "tests.accept")
    told += [done.stdout + done.stderr] if done.returncode else []
    types = f"mypy --cache-dir {service.parent.parent}/types{os.getpid()}"
    for line in [types, "lint-imports --no-cache", "pytest --quiet -p no:cacheprovider"]:
        done = runs(*line.split())
        told += [f"{line}: {done.stdout[-2000:]}{done.stderr[-500:]}"] if done.returncode else []
    return told


def table(outcomes: dict[tuple[str, str], Outcome]) -> str:
    conflicts = len([outcome for outcome in outcomes.values() if outcome.conflicts])
    lines = [
        "# What owners edit, and what changes afterwards",
        "",
        "`python tests/gauntlet.py` makes this table of a bistro: an edit of tests/edits.py in each row, a change of the",
        "answers or of the template in each column. A dot: all that was written and all that is new is there, as git",
        "merges it. A number: in so many files both are shown, as a conflict. A wave: git would ask, but Copier found the",
        "same lines around another place, and put it there.",
        "",
        f"{len(outcomes)} pairs, {conflicts} with conflicts.",
        "",
        "| | " + " | ".join(ALL_CHANGES) + " |",
        "|---|" + "--:|" * len(ALL_CHANGES),
    ]
    for edit in EDITS:
        cells = [outcomes[edit, change] for change in ALL_CHANGES]
        lines.append(f"| {edit} | " + " | ".join(shown(cell) for cell in cells) + " |")
    lines += ["", "What is to be decided:", ""]
    for edit, change in (pair for pair in outcomes if outcomes[pair].conflicts):
        files = ", ".join(f"`{name}`" for name in outcomes[edit, change].conflicts)
        lines.append(f"- {edit} x {change}: {DECIDE[edit, change]} ({files})")
    return "\n".join(lines)


def shown(outcome: Outcome) -> str:
    return "wrong" if outcome.wrong else str(len(outcome.conflicts) or ("~" if outcome.placed else "·"))


def install(home: Path) -> Path:
    """PostgreSQL's tests need all that SQLite's do."""
    run_copy(str(ROOT), home / "all", data=interview("bistro_postgresql"), defaults=True, quiet=True, vcs_ref="HEAD")
    venv = home / "venv"
    packages = ["pip", "install", "--compile-bytecode", "--python", str(venv), "-r", "pyproject.toml", "--group", "dev"]
    for command in [["venv", str(venv)], packages]:
        done = run(home / "all", BIN / "uv", *command)
        assert done.returncode == 0, done.stderr
    return venv / "bin"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--green", action="store_true", help="run the tests of each service")
    parser.add_argument("--edit", default="", help="only the edits with this in their name")
    parser.add_argument("--change", action="append", default=[], help="only this change; may be said again")
    parser.add_argument("--tools", type=Path, help="where pytest and the like are installed already")
    given = parser.parse_args()
    with compiling_once(), tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        # PostgreSQL never runs as root: it has to get in.
        home.chmod(0o755)
        tools = given.tools or (install(home) if given.green else None)
        gauntlet = Gauntlet(home)
        gauntlet.prepare()
        for change in ALL_CHANGES:
            gauntlet.rendered(change)
        outcomes = {}
        wanted = [pair for pair in pairs() if given.edit in pair[0] and (not given.change or pair[1] in given.change)]
        render_once(home)
        with ProcessPoolExecutor(2) as pool:
            jobs = {pair: pool.submit(one, home, *pair, tools) for pair in wanted}
            for (edit, change), job in jobs.items():
                outcome, told = job.result()
                outcomes[edit, change] = outcome
                if outcome.conflicts or outcome.wrong:
                    print(f"== {edit} x {change}: {outcome.conflicts}\n{told}" + "\n".join(outcome.wrong))
    conflicts = [pair for pair, outcome in outcomes.items() if outcome.conflicts]
    wrong = [pair for pair, outcome in outcomes.items() if outcome.wrong] + [
        pair for pair in conflicts if pair not in DECIDE
    ]
    print(f"{len(outcomes)} pairs, {len(conflicts)} with conflicts, {len(wrong)} wrong")
    if len(outcomes) == len(list(pairs())) and not wrong:
        (ROOT / "tests/gauntlet.md").write_text(table(outcomes) + "\n")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
