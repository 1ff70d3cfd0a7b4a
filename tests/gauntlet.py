"""Each edit of tests/owners.py meets each change there: `python tests/gauntlet.py` writes the table, tests/gauntlet.md.

What becomes of an edit is compared with the same edit made again on the new rendering, line by line, and each line
together with what it stands in: a method, a class, a test, a section. The merges are made here, as Copier makes them
(tests/merging.py), in minutes; whether it does so, a sample says, or --copier for all of them, in hours.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

from copier import run_copy, run_update
from copier._main import Worker
from edits import BETTER, Edit, Files, again, apply, edited, write
from merging import OURS, THEIRS, Three, merge
from owners import BETTER_TEMPLATE, BISTRO, OWNERS, WHOLE, Owner
from rendering import compiling_once, render, unversioned
from scopes import Placed, placed
from stories import BIN, ROOT, git, run, written
from sweep import Swept, sweep

# Copier's own. README.md asked for the other one while 3 were not enough.
CONTEXT_LINES, MANY = 3, 30
# Of all pairs of the three services, those with a conflict.
MOST_CONFLICTS = 0.03
# What an update never writes: history, and what the service makes of what it serves.
UNTOUCHED = ("contract/api.txt", "docs/examples.md", "migrations/versions/0001_first.py")

HEAD = """\
# What owners edit, and what changes afterwards

`python tests/gauntlet.py` makes this: three services, the edits of their owners and the changes of answers or template
that come afterwards (tests/owners.py), merged as Copier does with its own 3 lines of context, and with 30.

Each edit is made again on the new rendering, and each edited line is compared together with what it stands in: a class,
a method, a call, a section. *Misplaced* is a line that stands in something else, and nobody was asked; *lost* is one
that is neither there nor in a conflict. In the tables of pairs, a number says in so many files both are shown, as a
conflict; a dot, that all that was written and all that is new is where it belongs.
"""
SWEEP = """\
The sweep puts one line at every place of the features: a comment, a statement, a decorator, a comment behind a line.
"""
# What a person, too, has to decide, and why: each edit with its changes. A pair with a conflict that is not here is a
# fault.

DECIDE: dict[str, dict[str, str]] = {
    "Something new comes, or something leaves, where the method was, or is now.": {
        "a method moved": "a thing more; a use case more; a state and a move more; an actor more; a move less; no more exports; all at once; a field less; no more own list",
    },
    "The test that was removed changes, or its neighbour.": {
        "the first test removed": "a use case more; a use case less; no more changes by agents; no more own view",
    },
    "What was removed changes, or something comes or leaves beside it.": {
        "a use case removed": "a use case more; a state and a move more; an actor more; a move less; no more exports; all at once; a field less; a use case less; no more own list; no more own view; a field more; a field renamed; two fields swapped",
    },
    "Both add a field, or change one, beside the same one.": {
        "a field of one's own": "a field more; a field less; a field renamed; all at once",
    },
    "The method leaves, says something else, or has a new neighbour in a list of the tests.": {
        "a method renamed": "a state and a move more; an actor more; a move less; another output; the other move less",
    },
    "Both reword the sentence that says who confirms.": {
        "a summary and a log line": "an actor more",
    },
    "Both import one module more, on one line.": {
        "a rule of three rooms": "states for what had none",
    },
    "It was written into what leaves, or into what is called otherwise.": {
        "a tighter bound": "a move less",
        "an audit in each write": "a move less",
        "a condition of an export": "no more exports; a field renamed",
        "an index": "a field less",
        "a bound of a change": "no more changes by leads",
        "a bound of one payload": "the other move less",
        "a rule of a move": "the other move less",
        "an assertion of a test": "the other move less",
        "a condition of a list": "no more own list; a field renamed",
    },
    "The class was moved out of lines that change, or imported beside one.": {
        "a class moved": "no more exports; a use case more; a field more; a field less",
    },
    "The lines that name it change.": {
        "a variable renamed": "another output; a field less; no more list; a filter more; a field renamed",
    },
    "What was extracted says something else, or both add to the end of the class.": {
        "a function extracted": "another output",
    },
    "Both reword the sentence that states the problem.": {
        "a README of one's own": "another problem",
    },
    "Both write a docstring.": {
        "a docstring of a class": "all at once; a better template",
    },
    "The field beside which it was written moves.": {
        "a column's comment and an index": "two fields swapped",
        "another row of the tests": "two fields swapped",
    },
    "It was written below what leaves.": {
        "an endpoint more": "no more exports",
        "a query more": "no more list",
        "a rule more": "no more list",
        "an endpoint at the end": "no more list",
        "a payload more": "no more list",
    },
}


@dataclass
class Outcome:
    """`unsaid` are files that the owner has moved or deleted and for which something new came: the end names them."""

    conflicts: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        return self.misplaced + self.lost


@dataclass
class Gauntlet:
    """The service of an owner, as it was and after each change. Each version is rendered once."""

    home: Path
    owner: Owner = BISTRO

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        self.rendered: dict[str, Files] = {}
        self.answers = self.owner.answers
        self.changes = [*self.owner.changes, BETTER_TEMPLATE]

    def asked(self, change: str) -> tuple[str, dict[str, str]]:
        if change == BETTER_TEMPLATE:
            return "v1.1.0", self.answers
        # What comes with a new version comes with new answers, too.
        return "v1.1.0" if change == "all at once" else "v1.0.0", self.owner.changes[change](self.answers)

    # ---- in this process

    @cached_property
    def _unversioned(self) -> dict[str, Path]:
        found = {version: unversioned(self.home / version) for version in ["v1.0.0", "v1.1.0"]}
        apply(BETTER, found["v1.1.0"] / "template")
        return found

    def _render(self, version: str, answers: dict[str, str], name: str) -> Files:
        return files(render(self._unversioned[version], answers, self.home / "rendered" / name))

    @cached_property
    def base(self) -> Files:
        return self._render("v1.0.0", self.answers, "base")

    def new(self, change: str) -> Files:
        if change not in self.rendered:
            untouched = {name: self.base[name] for name in UNTOUCHED}
            self.rendered[change] = self._render(*self.asked(change), change.replace(" ", "_")) | untouched
        return self.rendered[change]

    # ---- with Copier itself, in git

    @cached_property
    def template(self) -> Path:
        template = self.home / "template"
        unversioned(template)
        publish(template, "v1.0.0")
        apply(BETTER, template / "template")
        publish(template, "v1.1.0")
        return template

    @cached_property
    def copied(self) -> Path:
        how: dict[str, Any] = {"vcs_ref": "v1.0.0", "defaults": True, "quiet": True}
        run_copy(str(self.template), self.home / "copied", data=self.answers, **how)
        return self.home / "copied"

    def edited(self, edit: Edit, folder: Path) -> Path:
        """The service of an owner, in their repository."""
        shutil.copytree(self.copied, folder)
        git(folder, "init")
        before = files(folder)
        write(folder, before, edited(before, edit))
        git(folder, "add", ".")
        git(folder, "commit", "-m", "mine")
        return folder

    def update(self, service: Path, change: str, context_lines: int = CONTEXT_LINES, quiet: bool = True) -> None:
        version, answers = self.asked(change)
        how: dict[str, Any] = {"defaults": True, "overwrite": True, "quiet": quiet, "unsafe": False}
        run_update(service, data=answers, vcs_ref=version, context_lines=context_lines, **how)

    def meet(self, edit: Edit, change: str, service: Path, context_lines: int = CONTEXT_LINES) -> Outcome:
        """What becomes of an edit."""
        self.update(self.edited(edit, service), change, context_lines)
        return judged(self, edit, change, files(service))


def publish(template: Path, version: str) -> None:
    git(template, "init")
    git(template, "add", ".")
    git(template, "commit", "-m", version)
    git(template, "tag", version)


def files(service: Path) -> Files:
    names = {str(path.relative_to(service)): path for path in written(service) if ".git" not in path.parts}
    return {name: path.read_text() for name, path in names.items() if name != ".copier-answers.yml"}


def updated(pairs: list[tuple[Files, Files, Files]], context_lines: int) -> list[Files]:
    """What Copier makes of each (former rendering, what the owner has, new rendering)."""
    found = [dict(mine) for _, mine, _ in pairs]
    merges: list[tuple[int, str, Three]] = []
    for number, (old, mine, new) in enumerate(pairs):
        for name in old.keys() | new.keys():
            if name not in old:
                found[number][name] = mine.get(name, "") or new[name]
            elif name not in new:
                found[number].pop(name, None)
            elif name in mine and old[name] == mine[name]:
                found[number][name] = new[name]
            elif name in mine and old[name] != new[name]:
                merges.append((number, name, Three(old[name], mine[name], new[name])))
    for (number, name, _), result in zip(merges, merge([three for *_, three in merges], context_lines), strict=True):
        found[number][name] = result
    return found


# ---- the oracle


def judged(gauntlet: Gauntlet, edit: Edit, change: str, found: Files) -> Outcome:
    """What an update made of the edit, against the edit made again on the new rendering."""
    old, new = gauntlet.base, gauntlet.new(change)
    mine = edited(old, edit)
    wanted, impossible = again(old, new, edit)
    renamed = gauntlet.owner.renamed.get(change, ("", ""))
    outcome = Outcome()
    for name in sorted(mine.keys() | new.keys() | found.keys()):
        was, now, theirs, result = (side.get(name) for side in [old, mine, new, found])
        if was == now and result == theirs:
            continue
        if now is None:
            # Deleted, or moved. It stays so, and what is new for it goes nowhere.
            outcome.lost += [f"{name} is back"] if result is not None else []
            outcome.unsaid += [name] if was != theirs else []
        elif result is None:
            # It no longer follows, and the end of the update names it.
            outcome.lost += [f"{name} is gone"] if theirs is not None or was is None else []
        else:
            if OURS in result:
                outcome.conflicts.append(name)
            sides = Sides(name, was or "", now, theirs if theirs is not None else (was or ""), renamed)
            exact = wanted.get(name) if name not in impossible else None
            misplaced, lost = sides.compared(result, exact)
            outcome.misplaced += misplaced
            outcome.lost += lost
    return outcome


@dataclass
class Sides:
    """A file as the template had it, as its owner has it, and as the template has it now."""

    name: str
    old: str
    mine: str
    new: str
    renamed: tuple[str, str] = ("", "")

    def compared(self, result: str, exact: str | None) -> tuple[list[str], list[str]]:
        """What stands elsewhere, and what is nowhere. `exact` is the edit made again, where it can be."""
        if result in (self.mine, self.new, exact) and OURS not in result:
            lines = self._lines(self.mine) - self._lines(self.old)
            return [], [
                self._told(entry)
                for entry in lines
                if lines and result == self.new != exact and entry not in self._lines(result)
            ]
        old, mine, new = (self._lines(text) for text in [self.old, self.mine, self.new])
        found = self._lines(_ours(result))
        allowed = mine | new | (self._lines(exact) if exact is not None else Counter())
        known = Counter(line.strip() for line in result.splitlines())
        misplaced, lost = [], []
        # What is neither where its owner has it nor where the template does. Where a conflict is, the owner looks.
        strange = found - allowed if OURS not in result else Counter()
        for entry in strange:
            misplaced.append(f"{self._told(entry)} is not from there")
        for entry in mine - old:
            if found[entry] >= min(mine[entry], (mine - old)[entry]):
                continue
            if not known[entry.line]:
                lost.append(self._told(entry))
            elif OURS not in result and not strange and not self._elsewhere(entry, exact):
                misplaced.append(f"{self._told(entry)} is elsewhere")
        if OURS not in result:
            # What is new in the template, but for what the owner has changed about it.
            for entry in new - old - found:
                if entry.line not in known:
                    lost.append(f"of the template: {self._told(entry)}")
            back = [entry for entry in (old - mine) if entry in new and found[entry] > new[entry] - (old - mine)[entry]]
            if exact is not None:
                back = [entry for entry in back if found[entry] > self._lines(exact)[entry]]
            lost += [f"{self._told(entry)} is back" for entry in back]
            if (
                exact is not None
                and not misplaced
                and found == self._lines(exact)
                and self._order(result) != self._order(exact)
            ):
                misplaced.append(f"{self.name}: the lines of a method are in another order")
        return misplaced, lost

    def _lines(self, text: str) -> Counter[Placed]:
        return Counter(
            Placed(tuple(self._now(part) for part in entry.scope), self._now(entry.line))
            for entry in placed(self.name, text)
        )

    def _now(self, text: str) -> str:
        return text.replace(*self.renamed) if self.renamed[0] else text

    def _elsewhere(self, entry: Placed, exact: str | None) -> bool:
        """It has gone along with a method that the new rendering calls otherwise."""
        return exact is not None and entry not in self._lines(exact)

    def _order(self, text: str) -> dict[tuple[str, ...], list[str]]:
        """The lines of each method."""
        found: dict[tuple[str, ...], list[str]] = {}
        for scope, line in placed(self.name, text):
            if any(part.startswith("def ") for part in scope):
                found.setdefault(scope, []).append(line)
        return found

    def _told(self, entry: Placed) -> str:
        return f"{self.name}: {entry.line} of {' / '.join(entry.scope) or 'the file'}"


def _ours(text: str) -> str:
    """As it is where each conflict is decided for the owner."""
    lines, theirs = [], False
    for line in text.splitlines():
        if line == "=======" and not theirs:
            theirs = OURS in text
        elif line.startswith(THEIRS):
            theirs = False
        elif not line.startswith(OURS) and not theirs:
            lines.append(line)
    return "\n".join(lines) + "\n"


# ---- all pairs

Pair = tuple[str, str]


def meeting(gauntlet: Gauntlet, context_lines: int, changes: list[str] | None = None) -> dict[Pair, Outcome]:
    """Every edit and every change."""
    edits = gauntlet.owner.edits
    mine = {name: edited(gauntlet.base, edit) for name, edit in edits.items()}
    outcomes = {}
    for change in changes or gauntlet.changes:
        found = updated([(gauntlet.base, has, gauntlet.new(change)) for has in mine.values()], context_lines)
        for name, result in zip(edits, found, strict=True):
            outcomes[name, change] = judged(gauntlet, edits[name], change, result)
    return outcomes


def sweeping(gauntlet: Gauntlet, context_lines: int) -> dict[str, Swept]:
    """A line at every place of the features, and every change."""
    renamed = gauntlet.owner.renamed
    return {
        change: sweep(gauntlet.base, gauntlet.new(change), context_lines, renamed.get(change, ("", "")))
        for change in gauntlet.changes
    }


def differing(gauntlet: Gauntlet, pair: Pair, context_lines: int) -> list[str]:
    """The files in which Copier itself has another result than we, and what its end does not name but should."""
    name, change = pair
    edit = gauntlet.owner.edits[name]
    with tempfile.TemporaryDirectory(dir=gauntlet.home) as folder:
        service = gauntlet.edited(edit, Path(folder) / "service")
        with redirect_stderr(StringIO()) as told:
            gauntlet.update(service, change, context_lines, quiet=False)
        found = files(service)
    (ours,) = updated([(gauntlet.base, edited(gauntlet.base, edit), gauntlet.new(change))], context_lines)
    unsaid = [path for path in judged(gauntlet, edit, change, found).unsaid if path not in told.getvalue()]
    different = [path for path in sorted(found.keys() | ours.keys()) if found.get(path) != ours.get(path)]
    return [f"{path} is not named" for path in unsaid] + [f"{path} is another" for path in different]


# ---- the table


@dataclass
class Counted:
    """Of one owner and one number of context lines."""

    outcomes: dict[Pair, Outcome]
    swept: dict[str, Swept]

    @property
    def pairs(self) -> list[Pair]:
        """Those of which conflicts are counted."""
        return [pair for pair in self.outcomes if pair[0] not in WHOLE]

    @property
    def conflicts(self) -> list[Pair]:
        return [pair for pair in self.pairs if self.outcomes[pair].conflicts]

    @property
    def wrong(self) -> list[str]:
        told = [f"{' x '.join(pair)}: {line}" for pair, outcome in self.outcomes.items() for line in outcome.wrong]
        return told + [f"{change}: {line}" for change, swept in self.swept.items() for line in swept.wrong]


def reason(pair: Pair) -> str:
    """Why a person, too, would have to decide; empty for what is nobody's decision."""
    edit, change = pair
    return next((why for why, edits in DECIDE.items() if change in edits.get(edit, "").split("; ")), "")


def counted(story: str, home: Path, context_lines: int) -> Counted:
    with compiling_once():
        gauntlet = Gauntlet(home / f"{story}{context_lines}", OWNERS[story])
        return Counted(meeting(gauntlet, context_lines), sweeping(gauntlet, context_lines))


def table(found: dict[tuple[str, int], Counted]) -> str:
    lines = [HEAD, "| service | lines of context | pairs | conflicts | misplaced | lost |", "|---|--:|--:|--:|--:|--:|"]
    for (story, context_lines), one in found.items():
        misplaced = sum(bool(outcome.misplaced) for outcome in one.outcomes.values())
        lost = sum(bool(outcome.lost) for outcome in one.outcomes.values())
        share = f"{len(one.conflicts)} of {len(one.pairs)}, {len(one.conflicts) / len(one.pairs):.1%}"
        lines.append(f"| {story} | {context_lines} | {len(one.outcomes)} | {share} | {misplaced} | {lost} |")
    lines += ["", "Of the edits that touch all of a file, or each method of it, conflicts are not counted.", "", SWEEP]
    lines += [
        "| service | lines of context | places and changes | conflicts | misplaced | lost |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for (story, context_lines), one in found.items():
        swept = one.swept.values()
        places, conflicts = sum(each.places for each in swept), sum(each.conflicts for each in swept)
        misplaced, lost = (sum(len(getattr(each, what)) for each in swept) for what in ["misplaced", "lost"])
        share = f"{conflicts}, {conflicts / places:.1%}"
        lines.append(f"| {story} | {context_lines} | {places} | {share} | {misplaced} | {lost} |")
    for story, owner in OWNERS.items():
        outcomes = found[story, CONTEXT_LINES].outcomes
        changes = [*owner.changes, BETTER_TEMPLATE]
        lines += ["", f"## {story}", "", "| | " + " | ".join(changes) + " |", "|---|" + "--:|" * len(changes)]
        lines += [
            f"| {edit} | " + " | ".join(shown(outcomes[edit, change]) for change in changes) + " |"
            for edit in owner.edits
        ]
    lines += [
        "",
        "## What is to be decided",
        "",
        "| what was written | what changes | why a person, too, has to decide |",
        "|---|---|---|",
    ]
    whys: dict[tuple[str, str], list[str]] = {}
    for one in found.values():
        for edit, change in one.conflicts:
            changes = whys.setdefault((edit, reason((edit, change))), [])
            changes += [] if change in changes else [change]
    lines += [f"| {edit} | {', '.join(changes)} | {why} |" for (edit, why), changes in whys.items()]
    return "\n".join(lines) + "\n"


def shown(outcome: Outcome) -> str:
    return "wrong" if outcome.wrong else str(len(outcome.conflicts) or "·")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--owner", action="append", choices=OWNERS, help="only this one; may be said again")
    parser.add_argument("--copier", action="store_true", help="every pair with Copier itself, too, and not a sample")
    given = parser.parse_args()
    stories = given.owner or list(OWNERS)
    keys = [(story, context_lines) for story in stories for context_lines in [CONTEXT_LINES, MANY]]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2) as pool:
        home = Path(folder)
        jobs = {key: pool.submit(counted, key[0], home, key[1]) for key in keys}
        checks = {story: pool.submit(checked, story, home, given.copier) for story in stories}
        found = {key: job.result() for key, job in jobs.items()}
        wrong = [f"{key}: {line}" for key, one in found.items() for line in one.wrong]
        wrong += [f"nobody's decision: {pair}" for one in found.values() for pair in one.conflicts if not reason(pair)]
        wrong += [f"{key}: {line}" for key, job in checks.items() for line in job.result()]
    text = table(found) if stories == list(OWNERS) else ""
    share = sum(len(one.conflicts) for one in found.values()) / sum(len(one.pairs) for one in found.values())
    if text and share > MOST_CONFLICTS:
        wrong.append(f"conflicts in {share:.1%} of all pairs")
    for line in wrong:
        print(line)
    print(text.split("\n## ")[0])
    if text and not wrong:
        (ROOT / "tests/gauntlet.md").write_text(text)
    return len(wrong)


def checked(story: str, home: Path, every: bool) -> list[str]:
    """Whether Copier itself does what we say: of a sample, or of every pair."""
    told = []
    with compiling_once(), rendered_once(home):
        gauntlet = Gauntlet(home / f"{story}-copier", OWNERS[story])
        edits, changes = list(gauntlet.owner.edits), gauntlet.changes
        # Each edit, and each change, once.
        some = [(edits[number], changes[number % len(changes)]) for number in range(len(edits))]
        pairs = [(edit, change) for edit in edits for change in changes] if every else some
        for number, pair in enumerate(pairs):
            context_lines = [CONTEXT_LINES, MANY][number % 2]
            told += [f"{' x '.join(pair)}: {line}" for line in differing(gauntlet, pair, context_lines)]
    return told


@contextmanager
def rendered_once(home: Path) -> Iterator[None]:
    """For Copier to compare them, the former and the new version are rendered once, too, and not for each pair."""
    whole = Worker.run_copy

    def run_copy(worker: Worker) -> None:
        if "/copier._main." not in str(worker.dst_path):
            whole(worker)
            return
        asked = json.dumps([worker.template.commit, worker.template.exclude, dict(worker.data)], default=str)
        cached = home / f"cached{os.getpid()}" / hashlib.sha256(asked.encode()).hexdigest()
        if not cached.exists():
            whole(worker)
            shutil.copytree(worker.dst_path, cached)
        shutil.copytree(cached, worker.dst_path, dirs_exist_ok=True)

    setattr(Worker, "run_copy", run_copy)  # noqa: B010
    try:
        yield
    finally:
        setattr(Worker, "run_copy", whole)  # noqa: B010


def unclean(service: Path) -> list[str]:
    told = []
    for command in [["format", "--check"], ["check"]]:
        done = run(service, BIN / "ruff", *command, "--no-cache", "--quiet")
        told += [f"ruff {command[0]}: {done.stdout}"] if done.returncode else []
    return told


if __name__ == "__main__":
    sys.exit(main())
