"""What an interview gives, rendered in one process: the files that Copier would write, in a fraction of its time.

python tests/rendering.py FOLDER [FILE.yml …]    all of tests/interviews and tests/fuzzed, and these files

Two such folders, from before a change and after it, are compared with `diff -r`: beside the files of each service
stands what its questions say (questions.txt), and in drawn/ what interviews drawn by chance are told.
"""

import argparse
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

import copier._main
import yaml
from copier._jinja_ext import SandboxedEnvironment, get_yield_context
from copier._main import Worker
from stories import ROOT

QUESTIONS = ["problem", "use_cases", "data", "outputs", "service_name"]


class CompilesOnce(SandboxedEnvironment):
    """Copier makes an environment for each service. A source that one of them has compiled is not compiled again."""

    code: ClassVar[dict[tuple[str | None, str], CodeType]] = {}

    def compile(self, source: Any, name: str | None = None, *given: Any, **more: Any) -> Any:
        key = (name, source)
        if key not in self.code:
            self.code[key] = super().compile(source, name, *given, **more)
        # As the extension does where it reads a source.
        context = get_yield_context(self)
        context.yield_name = context.yield_iterable = None
        return self.code[key]


@contextmanager
def compiling_once() -> Iterator[None]:
    """Within, Copier compiles each source once, and asks no git about the mode of each file."""
    main: Any = copier._main
    environment, sync = main.SandboxedEnvironment, Worker._sync_git_index_executable_bit
    main.SandboxedEnvironment = CompilesOnce
    Worker._sync_git_index_executable_bit = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        main.SandboxedEnvironment = environment
        Worker._sync_git_index_executable_bit = sync  # type: ignore[method-assign]


def unversioned(folder: Path) -> Path:
    """The template as it is now, without git: Copier reads it where it is."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", folder)
    for part in ["hooks", "template"]:
        shutil.copytree(ROOT / part, folder / part)
    return folder


def render(template: Path, answers: dict[str, str], service: Path) -> Path:
    """Raises as Copier does, which then leaves nothing behind."""
    how: dict[str, Any] = {"defaults": True, "quiet": True, "unsafe": False}
    with compiling_once(), Worker(src_path=str(template), dst_path=service, data=answers, **how) as worker:
        worker.run_copy()
    return service


class Reader:
    """The questions, asked in Copier's own environment without writing a file."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.questions = worker.template.questions_data
        self.context = dict(worker._render_context()) | {"_external_data": {}}

    def render(self, template: str, answers: dict[str, str], known: dict[str, str]) -> str:
        conf = {"data": known, "dst_path": "nowhere", "answers_file": "none"}
        context = self.context | answers | {"_copier_conf": conf}
        return self.worker.jinja_env.from_string(template).render(context).strip()

    def refusal(self, question: str, given: dict[str, str], known: dict[str, str]) -> str:
        return self.render(self.questions[question]["validator"], given, known)

    def told(self, answers: dict[str, str]) -> Iterator[str]:
        """What each question says, as far as they are asked: the first that is refused is the last one."""
        given: dict[str, str] = {}
        for question in QUESTIONS:
            said = {"help": self.render(self.questions[question]["help"], given, answers)}
            # Whoever types an irregular plural is refused before data is asked, a file is not.
            if question != "data" or not self.refusal("use_cases", given, {}):
                said["default"] = self.render(self.questions[question]["default"], given, answers)
            given[question] = answers[question]
            said["validator"] = self.refusal(question, given, answers)
            yield "".join(f"== {question}, {part}\n{text}\n" for part, text in said.items())
            if said["validator"]:
                break


def refusals(reader: Reader) -> Iterator[str]:
    """What is said to each case of tests/refusals.yml, whatever should be said."""
    for code, cases in yaml.safe_load((ROOT / "tests/refusals.yml").read_text()).items():
        for case in cases:
            question = next(name for name in reversed(QUESTIONS) if name in case)
            answers = {"use_cases": "anyone adds table", "data": "table:\n  name: text\n", "outputs": ""} | case
            yield f"{code}: {reader.refusal(question, answers, case)}"


def drawn(count: int) -> list[dict[str, str]]:
    """Interviews drawn by chance, always the same: as many valid ones as damaged ones."""
    from drawing import damaged, interviews
    from hypothesis import HealthCheck, Phase, given, seed, settings

    found: list[dict[str, str]] = []
    how = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for strategy in [interviews(), damaged()]:
        seed(0)(how(given(strategy)(lambda answers: found.append(answers))))()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--only", default="", help="only the interviews with this in their name")
    parser.add_argument("--drawn", type=int, default=0, help="so many drawn by chance, too, and as many damaged ones")
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    files = {f"{path.parent.name}-{path.stem}": path for path in ROOT.glob("tests/[if]*/*.yml")}
    files |= {f"given-{path.stem}": path for path in given.files}
    with tempfile.TemporaryDirectory() as temporary, compiling_once():
        template = unversioned(Path(temporary) / "template")
        for name, path in sorted(files.items()):
            if given.only not in name:
                continue
            target = given.folder / name
            answers = yaml.safe_load(path.read_text())
            # Of the example each answer may be left out, of others some are.
            complete = yaml.safe_load((ROOT / "tests/interviews/notes.yml").read_text()) | answers
            with Worker(src_path=str(template), dst_path=Path(temporary) / "nothing") as worker:
                text = "".join(Reader(worker).told(complete))
            try:
                render(template, answers, target)
                (target / ".copier-answers.yml").unlink()
            except Exception as error:
                target.mkdir(exist_ok=True)
                text += f"== {type(error).__name__}\n{error}\n"
            (target / "questions.txt").write_text(text)
        for number, answers in enumerate(drawn(given.drawn) if given.drawn else []):
            target = given.folder / f"drawn/{number}"
            with Worker(src_path=str(template), dst_path=Path(temporary) / "nothing") as worker:
                text = "".join(Reader(worker).told(answers))
            try:
                service = render(template, answers, target)
                hashes = [
                    f"{hashlib.sha1(path.read_bytes()).hexdigest()} {path.relative_to(service)}\n"
                    for path in sorted(service.rglob("*"))
                    if path.is_file() and path.name != ".copier-answers.yml"
                ]
                text += "".join(hashes)
                shutil.rmtree(service)
            except Exception as error:
                text += f"== {type(error).__name__}\n{error}\n"
            target.parent.mkdir(exist_ok=True)
            target.with_suffix(".txt").write_text(text)
        with Worker(src_path=str(template), dst_path=Path(temporary) / "nothing") as worker:
            (given.folder / "refusals.txt").write_text("\n".join(refusals(Reader(worker))))


if __name__ == "__main__":
    main()
