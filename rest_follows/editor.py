"""Text mode: the lists as text, what is wrong with them below, or else the contract that follows.

A check takes longer than a keystroke may, so it runs in a thread, once nothing has been typed for a moment.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import DynamicContainer, HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.widgets import TextArea

if TYPE_CHECKING:
    from rest_follows.hooks import Answers, Fault, Hooks

LISTS = ["use_cases", "data", "outputs"]
PAUSE = 0.15
WIDE = 120
KEYS = " Tab: next list   Ctrl-S: done   Ctrl-O: $EDITOR   Ctrl-C: stop, nothing is lost"


def edit(answers: "Answers", hooks: "Hooks", save: "Callable[[Answers], None]") -> "Answers":
    return Editor(answers, hooks, save).run()


@dataclass
class Checked:
    """What was found the last time; `contract` is of the last text in which nothing was wrong."""

    faults: "list[Fault]" = field(default_factory=list)
    contract: list[str] = field(default_factory=list)


class Editor:
    def __init__(self, answers: "Answers", hooks: "Hooks", save: "Callable[[Answers], None]") -> None:
        self.answers, self.hooks, self.save = answers, hooks, save
        self.areas = {name: TextArea(answers.get(name, ""), line_numbers=True, scrollbar=True) for name in LISTS}
        self.at, self.checked = LISTS[0], Checked()
        self.typed, self.done = Event(), False
        for area in self.areas.values():
            area.buffer.cursor_position = len(area.text)
            area.buffer.on_text_changed += lambda _: self.typed.set()

    def run(self) -> "Answers":
        text = DynamicContainer(lambda: self.areas[self.at])
        below = Window(FormattedTextControl(self.found, get_cursor_position=self.row), wrap_lines=True)
        beside = VSplit([text, Window(width=1, char="│"), below])
        under = HSplit([text, Window(height=1, char="─"), below])
        body = DynamicContainer(lambda: beside if get_app().output.get_size().columns >= WIDE else under)
        head, foot = Window(FormattedTextControl(self.head), height=1), Window(FormattedTextControl(KEYS), height=1)
        layout = Layout(HSplit([head, body, foot]), focused_element=self.areas[self.at])
        self.app: Application[Answers] = Application(layout, key_bindings=self.keys(), full_screen=True)
        self.typed.set()
        thread, interval = Thread(target=self.check, daemon=True), sys.getswitchinterval()
        thread.start()
        # A keystroke waits for the thread that checks at most as long as this.
        sys.setswitchinterval(0.001)
        try:
            return self.app.run()
        finally:
            sys.setswitchinterval(interval)
            self.done = True
            self.typed.set()
            thread.join()
            self.save(self.now())

    def now(self) -> "Answers":
        return self.answers | {name: area.text.strip("\n") for name, area in self.areas.items()}

    def keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-s")
        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=self.now())

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            event.app.exit(exception=KeyboardInterrupt)

        @keys.add("c-o")
        def _(event: KeyPressEvent) -> None:
            self.areas[self.at].buffer.open_in_editor()

        @keys.add("tab")
        def _(event: KeyPressEvent) -> None:
            self.at = LISTS[(LISTS.index(self.at) + 1) % len(LISTS)]
            if self.at == "data" and not [fault for fault in self.checked.faults if fault.question == "use_cases"]:
                self.draft_data()
            event.app.layout.focus(self.areas[self.at])

        return keys

    def draft_data(self) -> None:
        area = self.areas["data"]
        drafted = self.hooks.starter(self.areas["use_cases"].text, area.text)
        if drafted.rstrip() != area.text.rstrip():
            area.text = drafted

    def head(self) -> StyleAndTextTuples:
        found: StyleAndTextTuples = []
        for name in LISTS:
            wrong = len([fault for fault in self.checked.faults if fault.question == name])
            title = f" {name}{f' ({wrong} wrong)' * bool(wrong)} "
            found += [("reverse" if name == self.at else "", title), ("", " ")]
        return found

    def found(self) -> StyleAndTextTuples:
        """Those of the list on the screen first."""
        faults = sorted(self.checked.faults, key=lambda fault: fault.question != self.at)
        if faults:
            return [("", "\n".join(f"{fault.question} {fault.message}" for fault in faults))]
        return [("", "\n".join(self.checked.contract))]

    def row(self) -> Point:
        """The line of the contract that follows from the line with the cursor, so that it is on the screen."""
        if self.checked.faults or self.at != "use_cases":
            return Point(0, 0)
        above = self.areas[self.at].document.text_before_cursor.split("\n")
        number = len([line for line in above if line.strip() and not line.lstrip().startswith("#")])
        rows = [at for at, line in enumerate(self.checked.contract) if line[2:3].strip()]
        return Point(0, rows[number - 1] if 0 < number <= len(rows) else 0)

    def check(self) -> None:
        while not self.done:
            self.typed.wait()
            while not self.done and self.typed.is_set():
                self.typed.clear()
                self.typed.wait(PAUSE)
            if self.done:
                return
            answers = self.now()
            self.save(answers)
            known = {name: answers[name] for name in LISTS if answers[name] or name == "use_cases"}
            faults = self.hooks.faults(known)
            contract = self.checked.contract if faults else self.hooks.contract(self.hooks.completed(known)).split("\n")
            self.checked = Checked(faults, contract)
            self.app.invalidate()
