"""A person at a terminal: a real pty, and what stands on its screen."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
from stories import ROOT, clean


class Screen(pyte.HistoryScreen):
    """A program asks where the cursor is, to know how many rows there are below it."""

    reply: Callable[[str], int]

    def write_process_input(self, data: str) -> None:
        self.reply(data)


class Terminal:
    def __init__(
        self, *command: str | Path, folder: Path = ROOT, columns: int = 80, rows: int = 24, **environment: str
    ) -> None:
        self.screen = Screen(columns, rows, history=1000)
        self.stream = pyte.Stream(self.screen)
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", *map(str, command)],
            cwd=str(folder),
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(rows, columns),
            env=clean() | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | environment,
        )
        self.child.delaybeforesend = None
        self.screen.reply = self.child.send

    def read(self, seconds: float = 0.02) -> bool:
        """Whether anything came within that time."""
        try:
            self.stream.feed(self.child.read_nonblocking(65536, seconds))
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            return False
        return True

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def text(self) -> str:
        return "\n".join(self.lines())

    def everything(self) -> str:
        """With what has left the screen at its top."""
        gone = ["".join(line[at].data for at in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join([line.rstrip() for line in gone] + self.lines())

    def sees(self, *texts: str, seconds: float = 40, wrapped: bool = False) -> float:
        """Waits until all of it is on the screen, or goes on in the next line of it; how long that took."""
        begun = time.monotonic()
        while missing := [
            text for text in texts if text not in ("".join(self.screen.display) if wrapped else self.text())
        ]:
            self.read()
            assert time.monotonic() - begun < seconds, f"{missing} is not on the screen:\n{self.text()}"
        took = time.monotonic() - begun
        self.settles()
        return took

    def settles(self, seconds: float = 0.15) -> None:
        """Until the program says no more: it may still ask where the cursor is, and draw its last line then."""
        while self.read(seconds):
            pass

    def types(self, text: str) -> None:
        self.child.send(text)

    def replies(self, question: str, text: str = "") -> None:
        """Waits for a question, and answers it: by what is typed, and Enter."""
        self.asks(question)
        self.types(text + "\r")

    def asks(self, question: str, seconds: float = 40) -> None:
        """Waits until the last question on the screen is this one."""
        begun = time.monotonic()
        while question not in self.text().split("\n? ")[-1]:
            self.read()
            assert time.monotonic() - begun < seconds, f"{question} is not asked:\n{self.text()}"
        self.settles()

    def ends(self, seconds: float = 60) -> str:
        begun = time.monotonic()
        while self.child.isalive() or self.read():
            self.read()
            assert time.monotonic() - begun < seconds, self.text()
        return self.everything()
