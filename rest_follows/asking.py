"""A question at the terminal, and the draft: the replies so far, from which the interview goes on, or goes back one."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import questionary
from prompt_toolkit.completion import FuzzyWordCompleter
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.validation import ValidationError, Validator

from rest_follows.answers import replace

if TYPE_CHECKING:
    from rest_follows.hooks import Answers, Hooks

# A name has two letters, so one letter alone is nothing that anybody answers.
BACK, TEXT = "b", "e"
KEYS = "b: back   e: all as text   Ctrl-C: stop, nothing is lost"
STYLE = questionary.Style([("answer", "bold"), ("bottom-toolbar", "noreverse"), ("validation-toolbar", "bold")])


class BackError(Exception):
    """Not this question: the one before."""


class Later:
    """The hooks: Copier takes a second to import, in which the first question can be answered."""

    def __init__(self, service: Path, former: dict[str, Any]) -> None:
        self._of, self._made = (service, former), Future["Hooks"]()
        self._thread = Thread(target=self._make, daemon=True)

    def start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def __call__(self) -> "Hooks":
        self.start()
        return self._made.result()

    def _make(self) -> None:
        try:
            from rest_follows.hooks import Hooks

            hooks = Hooks(*self._of)
            hooks.faults({"use_cases": "anyone adds thing"})
            self._made.set_result(hooks)
        except BaseException as error:
            self._made.set_exception(error)


class Draft:
    """Each reply is written down before the next question is asked. Read again, they are not asked again."""

    def __init__(self, path: Path, start: "Answers") -> None:
        self.path, self.start, self.answers = path, start, start
        self.replies: list[tuple[str, Any]] = []

    def load(self) -> None:
        found = json.loads(self.path.read_text("utf-8"))
        self.start, self.answers = found["start"], found["answers"]
        self.replies = [(key, reply) for key, reply in found["replies"]]

    def save(self, answers: "Answers", *unfinished: tuple[str, Any]) -> None:
        whole = {"start": self.start, "answers": answers, "replies": [*self.replies, *unfinished]}
        replace(self.path, json.dumps(whole, ensure_ascii=False))


class Asker:
    """`answers` is what the replies so far make; a question is asked once no reply to it is left in the draft."""

    def __init__(self, draft: Draft, later: Later) -> None:
        self.draft, self._later = draft, later
        self.answers: Answers = dict(draft.start)
        self._at = 0

    @property
    def hooks(self) -> "Hooks":
        return self._later()

    @property
    def live(self) -> bool:
        return self._at >= len(self.draft.replies)

    def say(self, text: str = "") -> None:
        if self.live:
            print(text)

    def text(
        self,
        key: str,
        message: str,
        default: str = "",
        words: Sequence[str] = (),
        refusal: Callable[[str], str] = lambda _: "",
    ) -> str:
        class Refused(Validator):
            def validate(self, document: Any) -> None:
                typed = document.text.strip()
                if typed not in [BACK, TEXT] and (message := refusal(typed)):
                    raise ValidationError(len(document.text), message)

        def question() -> questionary.Question:
            return questionary.text(
                message,
                default,
                Refused(),
                style=STYLE,
                completer=FuzzyWordCompleter(list(words)),
                validate_while_typing=False,
                bottom_toolbar=f" Enter: next   {KEYS}",
            )

        return cast(str, self._ask(key, question))

    def select(self, key: str, message: str, choices: dict[str, str], default: str | None = None) -> str:
        """What a choice says, and what it is in the draft."""

        def question() -> questionary.Question:
            listed = [questionary.Choice(title, value) for value, title in choices.items()]
            instruction = f"\n  (arrows, Enter   {KEYS})"
            return questionary.select(message, listed, default, style=STYLE, instruction=instruction)

        return cast(str, self._ask(key, lambda: with_letters(question())))

    def tick(self, key: str, message: str, choices: Sequence[str], ticked: Sequence[str]) -> list[str]:
        def question() -> questionary.Question:
            listed = [questionary.Choice(choice, checked=choice in ticked) for choice in choices]
            instruction = f"\n  (space: tick, Enter   {KEYS})"
            return questionary.checkbox(message, listed, style=STYLE, instruction=instruction)

        return cast(list[str], self._ask(key, lambda: with_letters(question())))

    def _ask(self, key: str, question: Callable[[], questionary.Question]) -> Any:
        replies = self.draft.replies
        while True:
            if self.live:
                reply, after_text = self._prompt(question()), bool(replies) and replies[-1][0] == TEXT
                if reply == BACK and replies and not after_text:
                    replies.pop()
                    raise BackError
                if reply == TEXT or (reply == BACK and after_text):
                    replies.append((TEXT, self._edited()))
                elif reply != BACK:
                    replies.append((key, reply))
                self.draft.save(self.answers)
            else:
                said, reply = replies[self._at]
                if said not in [key, TEXT]:  # another version of the guide asked something else here
                    replies[self._at :] = [(TEXT, self.draft.answers)]
                    continue
                self._at += 1
                if said == key:
                    return reply
                self.answers |= reply

    def _prompt(self, question: questionary.Question) -> Any:
        question.application.after_render += lambda _: self._later.start()
        reply = question.unsafe_ask()
        return reply.strip() if isinstance(reply, str) else reply

    def _edited(self) -> "Answers":
        from rest_follows.editor import edit

        return edit(self.answers, self.hooks, lambda answers: self.draft.save(answers, (TEXT, answers)))


def with_letters(question: questionary.Question) -> questionary.Question:
    """Where nothing is typed, a letter alone is a key."""
    keys, application = KeyBindings(), question.application

    @keys.add(BACK)
    @keys.add(TEXT)
    def _(event: KeyPressEvent) -> None:
        event.app.exit(result=event.data)

    application.key_bindings = merge_key_bindings([application.key_bindings or KeyBindings(), keys])
    return question
