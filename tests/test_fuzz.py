"""Interviews drawn by chance: a valid one gives a clean service, a damaged one a sentence, and nothing is in between.

    pytest tests/test_fuzz.py                    the same few each time
    FUZZ_MINUTES=60 pytest tests/test_fuzz.py    new ones for an hour; FUZZ_SEED=… begins where a failure said

A failing interview is left in .hypothesis/found.yml. What was found once is kept in tests/fuzzed/, as small as it became.
"""

import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier._main import Worker
from drawing import Interview, damaged, interviews
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from rendering import QUESTIONS, Reader, render
from stories import BIN, ROOT, run

LINE = r'(use_cases |data )?line \d+(: ".*?")?( |: |\? )\S.*\S'
SENTENCES = dict.fromkeys(QUESTIONS[1:4], LINE) | {
    "problem": r"(One sentence|One line|Say in one sentence).*\.",
    "service_name": r'".*"(\?| is) \S.*\S',
}
FUZZED = sorted(path.stem for path in (ROOT / "tests/fuzzed").glob("*.yml"))
FOUND = ROOT / ".hypothesis/found.yml"
MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
SEED = int(os.environ.get("FUZZ_SEED", time.time_ns() % 10**9 if MINUTES else 0))


def fuzz(strategy: SearchStrategy[Interview], check: Callable[[Interview], None], examples: int, share: float) -> None:
    """So many examples, always the same; or new ones, until this test's share of the minutes is over."""

    def checked(answers: Interview) -> None:
        try:
            check(answers)
        except Exception:
            FOUND.parent.mkdir(exist_ok=True)
            FOUND.write_text(yaml.safe_dump(answers, allow_unicode=True, sort_keys=False))
            raise

    bounded = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        # A smaller one costs minutes: only those who fuzz wait for it.
        phases=[Phase.generate, Phase.shrink] if MINUTES else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    number, end = SEED, time.monotonic() + 60 * MINUTES * share
    while number == SEED or time.monotonic() < end:
        try:
            seed(number)(bounded(given(strategy)(checked)))()
        except Exception as error:
            error.add_note(f"It is in {FOUND}; FUZZ_SEED={number} FUZZ_MINUTES=1 makes it smaller.")
            raise
        number += 1


@pytest.fixture(scope="session")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy remembers from service to service."""
    return tmp_path_factory.getbasetemp() / "mypy"


def refusal(reader: Reader, answers: Interview) -> tuple[str, str]:
    """The first question that is refused, and what is said then; all that is shown until then can be shown."""
    given: Interview = {}
    for question in QUESTIONS:
        reader.render(reader.questions[question]["help"], given, answers)
        given[question] = answers[question]
        if said := reader.refusal(question, given, answers):
            return question, said
    assert json.loads(reader.render(reader.questions["model"]["default"], answers, answers))
    return "", ""


@pytest.fixture(scope="session")
def reader(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Worker(src_path=str(template), dst_path=tmp_path_factory.mktemp("nothing")) as worker:
        yield Reader(worker)


@contextmanager
def generated(template: Path, answers: Interview) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        service = Path(folder) / "service"
        try:
            render(template, answers, service)
        except Exception:
            assert not service.exists()
            raise
        yield service


def in_service(service: Path, tools: Path, *command: str | Path) -> str:
    environment = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error"}
    done = run(service, tools / command[0], *command[1:], **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_clean(service: Path, tools: Path, answers: Interview) -> None:
    """As far as can be told without its own tests."""
    remembered = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert remembered | answers == remembered
    for path in (path for path in service.rglob("*") if path.is_file()):
        text = path.read_text()
        # Some interviews bring braces of their own.
        assert "{" in "".join(answers.values()) or not re.search(r"(?<!\$)\{\{ |\{%|\bUndefined\b", text), path
        if path.suffix == ".py":
            compile(text, path, "exec")
    in_service(service, BIN, "ruff", "format", "--check", "--diff", "--quiet", "--no-cache")
    in_service(service, BIN, "ruff", "check", "--no-cache")
    main = f"from {answers['service_name'].replace('-', '_')}.cli import main; main()"
    contract = json.loads(in_service(service, tools, "python", "-c", main, "openapi"))
    assert faults_of(contract) == []


def assert_promises_kept(service: Path, tools: Path, types: Path) -> None:
    in_service(service, tools, "mypy", "--cache-dir", types)
    in_service(service, tools, "pytest", "--quiet", "-p", "no:cacheprovider")


def faults_of(contract: dict[str, Any]) -> list[str]:
    """What a reader of the contract would stumble over."""
    refs = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(contract)))
    schemas = {f"#/components/schemas/{name}" for name in contract.get("components", {}).get("schemas", {})}
    faults = [f"{ref} leads nowhere" for ref in refs - schemas]
    names: Counter[str] = Counter()
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            names[operation["operationId"]] += 1
            parameters = [(each["in"], each["name"]) for each in operation.get("parameters", [])]
            inside = [name for place, name in parameters if place == "path"]
            faults += [f"{where}: {each} twice" for each, count in Counter(parameters).items() if count > 1]
            faults += [f"{where}: {inside}"] if sorted(inside) != sorted(re.findall(r"\{(\w+)\}", path)) else []
            faults += [f"{where}: no answer"] if not any(status < "300" for status in operation["responses"]) else []
    return faults + [f"{name} is {count} operations" for name, count in names.items() if count > 1]


def assert_told(question: str, said: str) -> None:
    for line in said.split("\n"):
        assert re.fullmatch(SENTENCES[question], line), said
        assert not re.search("Traceback|jinja2|Undefined|Error|Namespace|Macro", line), said


def test_valid_interviews_are_accepted(reader: Reader) -> None:
    def check(answers: Interview) -> None:
        assert refusal(reader, answers) == ("", "")

    fuzz(interviews(), check, examples=60, share=0.1)


def test_use_cases_get_a_starter_that_is_accepted(reader: Reader) -> None:
    """At the keyboard data is not known yet, and so what an irregular plural belongs to is not either."""

    def check(answers: Interview) -> None:
        given = {"use_cases": answers["use_cases"]}
        if not reader.refusal("use_cases", given, {}):
            given["data"] = reader.render(reader.questions["data"]["default"], given, {})
            assert reader.refusal("data", given, {}) == ""

    fuzz(interviews(), check, examples=40, share=0.05)


def test_valid_interviews_generate(template: Path, tools: Path) -> None:
    def check(answers: Interview) -> None:
        with generated(template, answers) as service:
            assert_clean(service, tools, answers)

    fuzz(interviews(), check, examples=6, share=0.35)


def test_valid_interviews_keep_their_promises(template: Path, tools: Path, types: Path) -> None:
    def check(answers: Interview) -> None:
        with generated(template, answers) as service:
            assert_promises_kept(service, tools, types)

    fuzz(interviews(), check, examples=2, share=0.3)


def test_damaged_interviews_are_told_why(reader: Reader) -> None:
    def check(answers: Interview) -> None:
        question, said = refusal(reader, answers)
        if said:
            assert_told(question, said)

    fuzz(damaged(), check, examples=150, share=0.1)


def test_damaged_interviews_leave_nothing_or_a_service(template: Path, reader: Reader, tools: Path) -> None:
    def check(answers: Interview) -> None:
        question, said = refusal(reader, answers)
        if said:
            told = re.escape(f"Validation error for question '{question}': {said}")
            with pytest.raises(ValueError, match=f"^{told}$"), generated(template, answers):
                pass
        else:
            with generated(template, answers) as service:
                assert_clean(service, tools, answers)

    fuzz(damaged(), check, examples=12, share=0.1)


@pytest.mark.parametrize("name", FUZZED)
def test_what_the_fuzzer_found(template: Path, tools: Path, types: Path, name: str) -> None:
    answers = yaml.safe_load((ROOT / f"tests/fuzzed/{name}.yml").read_text())
    with generated(template, answers) as service:
        assert_clean(service, tools, answers)
        assert_promises_kept(service, tools, types)
