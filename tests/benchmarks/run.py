"""How long it takes: the table of README.md, measured on this machine."""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import yaml
from stories import BIN, ROOT, clean, git, run
from stories import interview as interview_of

MORE = "\nstaff views booking\n"
ONE_FILE = "name:\n  type: str\n  default: bistro\n_subdirectory: template\n"


def repository(folder: Path) -> Path:
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    git(folder, "tag", "v1.0.0")
    return folder


def ours(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(ROOT / "copier.yml", folder)
    for part in ["hooks", "template"]:
        shutil.copytree(ROOT / part, folder / part)
    return repository(folder)


def one_file(folder: Path) -> Path:
    (folder / "template").mkdir(parents=True)
    (folder / "copier.yml").write_text(ONE_FILE)
    (folder / "template/README.md.jinja").write_text("# {{ name }}\n")
    return repository(folder)


def same_files(folder: Path, service: Path) -> Path:
    """A template of what ours gives, with nothing to work out: no Jinja in any file, nor in a name."""
    folder.mkdir()
    (folder / "copier.yml").write_text(ONE_FILE)
    shutil.copytree(service, folder / "template")
    return repository(folder)


def interview(things: int) -> str:
    """Each thing refers to the one before it, and has four use cases."""
    lines, data = [], []
    for n in range(things):
        verbs = ["adds thing{n}", "lists thing{n}s by state", "views thing{n}", "closes thing{n}: open -> shut"]
        lines += ["  staff " + verb.format(n=n) for verb in verbs]
        ref = [f"    before: ref thing{n - 1}"] if n else []
        data += [
            f"  thing{n}:",
            "    name: text 1..40 unique",
            "    size: integer 1..12",
            *ref,
            "    state: open | shut",
        ]
    text = ["use_cases: |", *lines, "data: |", *data, 'outputs: ""', "service_name: things", "database: sqlite"]
    return "\n".join(text) + "\n"


class Stopwatch:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = 0

    def time(self, *command: str | Path, cwd: Path | None = None) -> float:
        path = f"{BIN}:{clean()['PATH']}"
        started = time.perf_counter()
        done = run(cwd or self.folder, *command, PATH=path)
        spent = time.perf_counter() - started
        assert done.returncode == 0, done.stdout + done.stderr
        return spent

    def copy(self, template: Path, *options: str | Path) -> tuple[float, Path]:
        self.runs += 1
        target = self.folder / f"copy{self.runs}"
        return self.time(BIN / "copier", "copy", "--quiet", "--defaults", *options, template, target), target


def alternating(times: int, *measure: Callable[[], float]) -> list[float]:
    """The medians. In turns, so that what else the machine does weighs on all alike."""
    rounds = [[one() for one in measure] for _ in range(times)]
    return [statistics.median(spent) for spent in zip(*rounds, strict=True)]


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        watch = Stopwatch(folder)
        template, plain = ours(folder / "ours"), one_file(folder / "plain")
        same = same_files(folder / "same", watch.copy(template)[1])
        (folder / "one.yml").write_text(interview(1))
        (folder / "fifty.yml").write_text(interview(50))

        def made(answers: str) -> Callable[[], float]:
            return lambda: watch.copy(template, "--data-file", folder / answers)[0]

        bistro, files, file = alternating(
            7, *(lambda each=each: watch.copy(each)[0] for each in [template, same, plain])
        )
        (folder / "more.yml").write_text(yaml.safe_dump({"use_cases": interview_of("bistro")["use_cases"] + MORE}))
        follower = repository(watch.copy(template)[1])

        def update() -> float:
            # From the state that was committed, each time.
            git(follower, "reset", "--quiet", "--hard")
            return watch.time(
                BIN / "copier", "update", "--quiet", "--defaults", "--data-file", folder / "more.yml", cwd=follower
            )

        copied, updated = alternating(5, lambda: watch.copy(template)[0], update)
        one, fifty = alternating(5, made("one.yml"), made("fifty.yml"))

        firsts, seconds = [], []
        for _ in range(4):
            _, service = watch.copy(template)
            firsts.append(watch.time("make", "test", cwd=service))
            seconds.append(watch.time("make", "test", cwd=service))
        # The first of all may have filled the cache of packages.
        first, second = statistics.median(firsts[1:]), statistics.median(seconds[1:])

        print("| what | measured | ratio | at most |")
        print("|---|---|---|---|")
        for what, measured, ratio, target in [
            ("`copier copy` of bistro, against the same files without Jinja", [bistro, files], bistro / files, "2.3 x"),
            ("`copier copy` of bistro, against a template of one file", [bistro, file], bistro / file, ""),
            (
                "`copier update` of bistro to one more use case, against its copy",
                [updated, copied],
                updated / copied,
                "4 x",
            ),
            ("50 things with four use cases each, against one thing", [fifty, one], fifty / one, "5 x"),
            ("bistro's first `make test`, its packages cached", [first], 0, "10 s"),
            ("bistro's second `make test`", [second], 0, "5 s"),
        ]:
            shown = ", ".join(f"{spent:.2f} s" for spent in measured)
            print(f"| {what} | {shown} | {f'{ratio:.2f} x' if ratio else ''} | {target} |")


if __name__ == "__main__":
    main()
