"""The guide at a terminal of 80x24: a whole interview, stopped, killed, taken back, written as text, changed later.

The screens of docs/guide.md are what these tests see. Where they differ: RECORD=1 pytest tests/test_guide.py
"""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from stories import ROOT, git
from terminal import Terminal

DOCS = ROOT / "docs/guide.md"
SCREEN = re.compile(r"<!-- (\w+) -->\n```text\n(.*?)```\n", re.DOTALL)
DOWN, CLEAR, CTRL_C, CTRL_S = "\x1b[B", "\x15", "\x03", "\x13"

USE_CASES = """\
employee submits expense with title, amount once
employee lists own expenses by status
manager approves not own expense: submitted -> approved
manager rejects not own expense with reason: submitted -> rejected
manager lists expenses by status"""


@pytest.fixture
def start(template: Path, tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    """The guide to a new service, as often as one likes."""
    begun: list[Terminal] = []

    def start() -> Terminal:
        begun.append(Terminal("rest_follows", "new", "expenses", "--template", template, folder=tmp_path))
        return begun[-1]

    yield start
    for terminal in begun:
        terminal.child.close(force=True)


def recorded(name: str, terminal: Terminal) -> None:
    """The screen is the one that docs/guide.md has, but for its empty part."""
    terminal.settles(0.5)
    screen = re.sub("\n{3,}", "\n\n", terminal.text().strip("\n")) + "\n"
    blocks = dict(SCREEN.findall(DOCS.read_text()))
    if "RECORD" in os.environ:
        old = f"<!-- {name} -->\n```text\n{blocks[name]}```\n"
        DOCS.write_text(DOCS.read_text().replace(old, f"<!-- {name} -->\n```text\n{screen}```\n"))
    else:
        assert screen == blocks[name]


def until_data(terminal: Terminal) -> None:
    terminal.replies("What problem are we solving", "Expenses are approved in days, not in weeks.")
    terminal.replies("Who uses it?", "employee, manager")
    terminal.sees("What does employee do?", "b: back")
    recorded("verb", terminal)
    terminal.types("submits\r")
    terminal.replies("employee submits what?", "expense")
    terminal.replies("With which fields?", "title, amount")
    terminal.sees("does it count once?")
    terminal.types(DOWN + "\r")
    terminal.sees("1  employee submits expense with title, amount once", "POST /expenses")
    terminal.replies("do? Nothing more", "lists own expenses by status")
    terminal.sees("2  employee lists own expenses by status", "GET /me/expenses")
    recorded("line", terminal)
    terminal.types("\r")
    terminal.replies("What does manager do?", "approves")
    terminal.replies("manager approves what?", "expense")
    terminal.sees("manager approves which expense?")
    terminal.types(DOWN * 2 + "\r")
    terminal.replies("With which fields?")
    terminal.replies("from which state?", "submitted")
    terminal.replies("to which state?", "approved")
    terminal.sees("3  manager approves not own expense: submitted -> approved", "POST /expenses/{id}/approve")
    terminal.replies("do? Nothing more", "rejects not own expense with reason: submitted -> rejected")
    terminal.sees("4  manager rejects", "POST /expenses/{id}/reject")
    terminal.replies("do? Nothing more", "lits expenses by status")
    terminal.sees('line 5: "lits"? Write "lists".', "Mend the line")
    recorded("mistake", terminal)
    terminal.types(f"{CLEAR}manager lists expenses by status\r")
    terminal.sees("GET /expenses")
    terminal.types("\r")
    terminal.replies("What does anyone do, without a login?")
    terminal.sees("expense: is it right?")


def until_review(terminal: Terminal) -> None:
    terminal.sees("title: text 1..200")
    recorded("data", terminal)
    terminal.types(DOWN * 3 + "\r")
    terminal.replies("To remove the line, empty it.", f"{CLEAR}title: text 3..80")
    terminal.sees("title: text 3..80", "expense: is it right?")
    terminal.types("\r")
    terminal.sees("Which one should differ?")
    terminal.types(DOWN * 2 + "\r")
    terminal.sees("employee lists own expenses:")
    terminal.types(f"{DOWN} {DOWN} ")
    terminal.sees("○ updated_at")
    recorded("outputs", terminal)
    terminal.types("\r")
    terminal.sees("1  employee lists own expenses: id, title, amount, reason, status")
    terminal.sees("Which one should differ?")
    terminal.types("\r")
    terminal.replies("What do you call the service?", f"{CLEAR}expenses")
    terminal.sees("Where does the data live?")
    terminal.types("\r")
    terminal.sees("Is this what you mean?", "Change problem")


def test_a_whole_interview_becomes_a_service(start: Callable[[], Terminal], template: Path, tmp_path: Path) -> None:
    terminal = start()
    until_data(terminal)
    until_review(terminal)
    recorded("review", terminal)
    terminal.types("\r")
    end = terminal.ends()
    assert terminal.child.exitstatus == 0, end
    assert "expenses is ready" in end
    said = terminal.text().replace("\n", "")
    assert "Your answers are in" in said
    assert f"copier copy --data-file {tmp_path}/expenses.answers.yml {template} expenses" in said
    answers = yaml.safe_load((tmp_path / "expenses/.copier-answers.yml").read_text())
    assert answers["use_cases"] == USE_CASES
    assert "  title: text 3..80" in answers["data"]
    assert answers["outputs"] == "employee lists own expenses: id, title, amount, reason, status"
    assert (tmp_path / "expenses/src/expenses/features/expense/service.py").exists()
    file = (tmp_path / "expenses.answers.yml").read_text()
    assert yaml.safe_load(file) == {name: answers[name] for name in yaml.safe_load(file)}
    assert "# What is the user trying to do? WHO VERB [own] THING" in file
    assert "copier copy --data-file" in file
    assert not (tmp_path / "expenses.answers.draft").exists()


def test_the_first_question_is_there_within_a_second_and_a_half(start: Callable[[], Terminal]) -> None:
    took = []
    for _ in range(3):
        begun = time.monotonic()
        start().sees("What problem are we solving")
        took.append(time.monotonic() - begun)
    assert min(took) < 1.5, took


def test_killed_after_any_answer_it_goes_on_there(start: Callable[[], Terminal]) -> None:
    """With all that was said, but for what was being typed."""
    steps = [
        ("What problem", "Expenses.\r"),
        ("Who uses it?", "employee\r"),
        ("What does employee do?", "submits\r"),
        ("employee submits what?", "expense\r"),
        ("With which fields?", "title\r"),
        ("does it count once?", "\r"),
        ("What does employee do?", "\r"),
        ("What does anyone do", "\r"),
        ("is it right?", "\r"),
        ("should differ?", "\r"),
        ("What do you call", "\r"),
        ("Where does the data live?", "\r"),
    ]
    for at, (question, reply) in enumerate(steps):
        terminal = start()
        if at:
            terminal.replies("There is a draft of last time.")
        terminal.sees(question)
        terminal.types(reply)
        terminal.sees(steps[at + 1][0] if at + 1 < len(steps) else "Is this what you mean?")
        terminal.types("half an ans")
        terminal.read(0.2)
        terminal.child.kill(signal.SIGKILL)
        terminal.child.close()
    terminal = start()
    terminal.replies("There is a draft of last time.")
    terminal.sees("Is this what you mean?")
    said = terminal.everything()
    assert "employee submits expense with title" in said
    assert "title: text 1..200" in said
    assert "half" not in said


def test_stopped_it_says_that_nothing_is_lost(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.replies("What problem", "Expenses.")
    terminal.sees("Who uses it?")
    terminal.types(CTRL_C)
    assert "Stopped. The same command goes on where you were" in terminal.ends()
    assert terminal.child.exitstatus == 130
    terminal = start()
    terminal.replies("There is a draft of last time.")
    terminal.sees("Who uses it?")


def test_back_to_an_earlier_answer(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.replies("What problem", "Expences.")
    terminal.replies("Who uses it?", "employee")
    terminal.replies("What does employee do?", "submits")
    terminal.replies("employee submits what?", "b")
    terminal.replies("What does employee do?", "b")
    terminal.replies("Who uses it?", "b")
    terminal.replies("What problem", "Expenses.")
    terminal.replies("Who uses it?", "clerk")
    terminal.replies("What does clerk do?", "adds expense once")
    terminal.sees("1  clerk adds expense once")


def test_all_of_it_as_text(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.replies("What problem", "Expenses.")
    terminal.replies("Who uses it?", "employee, manager")
    terminal.replies("What does employee do?", "e")
    terminal.sees("use_cases", "Tab: next list")
    terminal.types(USE_CASES.replace("manager lists", "manager lits").replace("\n", "\r"))
    terminal.sees("use_cases (1 wrong)", 'use_cases line 5: "lits"? Write "lists".')
    recorded("wrong", terminal)
    terminal.types("\x7f" * len("lits expenses by status") + "lists expenses by status")
    terminal.sees("POST    /expenses/{id}/approve  manager   200")
    terminal.types("\t")
    terminal.sees("status: submitted | approved | rejected")
    recorded("contract", terminal)
    terminal.types(CTRL_S)
    # It goes on with the question in which text mode was begun.
    terminal.replies("What does employee do?")
    terminal.replies("What does manager do?")
    terminal.replies("What does anyone do")
    terminal.sees("expense: is it right?")
    # Back from there leads to the text again, and loses none of it.
    terminal.types("b")
    for actor in ["anyone", "manager", "employee"]:
        terminal.replies(f"What does {actor} do", "b")
    terminal.sees("5 manager lists expenses by status")


def test_text_mode_survives_a_kill(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.replies("What problem", "Expenses.")
    terminal.replies("Who uses it?", "e")
    terminal.sees("Tab: next list")
    terminal.types("employee adds expense")
    terminal.sees("POST")
    terminal.child.kill(signal.SIGKILL)
    terminal = start()
    terminal.replies("There is a draft of last time.")
    terminal.replies("Who uses it?", "e")
    terminal.sees("1 employee adds expense")


def test_a_keystroke_waits_for_no_check(start: Callable[[], Terminal], capsys: pytest.CaptureFixture[str]) -> None:
    """40 lines, of which each keystroke makes another text to check."""
    terminal = start()
    terminal.replies("What problem", "Expenses.")
    terminal.replies("Who uses it?", "e")
    terminal.sees("Tab: next list")
    lines = [f"employee {verb} expense{at}" for at in range(10) for verb in ["adds", "views", "changes", "removes"]]
    terminal.types("\r".join(lines))
    terminal.sees(lines[-1], "POST")
    terminal.types("\r")
    took = []
    for at in range(40):
        typed = "employeelistsownexpensesandthoseofothers"[: at + 1]
        begun = time.monotonic()
        terminal.types(typed[-1])
        while not any(line.removeprefix("41 ").startswith(typed) for line in terminal.lines()):
            terminal.read(0.002)
        took.append(time.monotonic() - begun)
        time.sleep(0.1)
    took.sort()
    with capsys.disabled():
        print(f"\na keystroke: median {took[20] * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms")
    assert took[20] < 0.05, took  # and not each: this machine has other things to do, too


def test_the_answers_of_a_service_are_changed(template: Path, tmp_path: Path) -> None:
    service = tmp_path / "geese"
    answers = {"use_cases": "keeper adds goose", "data": "goose (geese):\n  name: text", "service_name": "geese"}
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    made = Terminal("copier", "copy", "--defaults", "--data-file", tmp_path / "answers.yml", template, service)
    assert "geese is ready" in made.ends()
    git(service, "init")
    git(service, "add", ".")
    git(service, "commit", "-m", "first")
    terminal = Terminal("rest_follows", "change", folder=service)
    terminal.sees("Is this what you mean?", "Change use_cases")
    assert "Change service_name" not in terminal.text()
    terminal.types(DOWN * 2 + "\r")
    terminal.sees("Which line?")
    terminal.types(DOWN + "\r")
    terminal.replies("Who?", "keeper")
    terminal.replies("What does keeper do?", "lists geese")
    terminal.sees("GET /geese")
    terminal.sees("Which line?")
    terminal.types("\r")
    terminal.sees("Is this what you mean?", "Yes: write it")
    terminal.types("\r")
    end = terminal.ends()
    assert terminal.child.exitstatus == 0, end
    assert "copier update --defaults --data-file" in end
    assert "lists geese" in (service / ".copier-answers.yml").read_text()
    assert "def list_" in (service / "src/geese/features/goose/controller.py").read_text()
