"""What hooks/ says of answers, in Copier's own Jinja environment: no rule of the language is written twice."""

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from threading import Lock
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from copier._main import Worker
from copier._template import Template

Answers = dict[str, str]
Json = dict[str, Any]

QUESTIONS = ["problem", "use_cases", "data", "outputs", "service_name", "database"]
LISTS = ["use_cases", "data", "outputs"]
ANSWERS_FILE = ".copier-answers.yml"
HERE = Path(__file__).parent
# In a clone the questions stand beside this package; in a wheel they are in it.
ROOT = HERE / "asked" if (HERE / "asked").is_dir() else HERE.parent


@dataclass(frozen=True)
class Fault:
    """What is wrong in line `line` of an answer; 0 where the answer has only one line."""

    question: str
    line: int
    word: str
    message: str


class Folder(Template):
    """The questions as they are there: Copier would clone a folder of git, without what is not committed."""

    vcs = None


class Reader(Worker):
    @cached_property
    def template(self) -> Template:
        return Folder(url=str(self.src_path))


@dataclass
class Hooks:
    """`service` has been generated before where `former` is not empty: its answers are proposed again."""

    service: Path = Path("nowhere")
    former: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._worker = Reader(src_path=str(ROOT), dst_path=self.service)
        self._questions = self._worker.template.questions_data
        self._context = {
            **self._worker._render_context(),
            "_external_data": {"previous": self.former},
            "_copier_conf": {"data": {}, "dst_path": self.service, "answers_file": ANSWERS_FILE},
        }
        self._known: dict[str, Any] = {}
        # The editor asks in a thread of its own, while the questions may ask, too.
        self._lock = Lock()

    def default(self, question: str, answers: Answers) -> str:
        return self._render(self._questions[question]["default"], answers)

    def refusal(self, question: str, answers: Answers) -> str:
        conf = {**self._context["_copier_conf"], "data": answers}
        return self._render(self._questions[question].get("validator", ""), answers, _copier_conf=conf)

    def completed(self, answers: Answers) -> Answers:
        """With what Copier takes for what a file leaves out."""
        whole: Answers = {}
        for question in QUESTIONS:
            whole[question] = answers[question] if question in answers else self.default(question, whole)
        return whole

    def faults(self, answers: Answers) -> list[Fault]:
        """All that is wrong. What is left out is guessed, as Copier does, where the rest is right."""
        lists = {"use_cases": answers["use_cases"] if "use_cases" in answers else self.default("use_cases", {})}
        lists |= {question: answers[question] for question in LISTS if question in answers}
        found = self._faults(lists) or self._faults(self.completed(lists))
        for question in [name for name in QUESTIONS if name in answers and name not in LISTS]:
            choices = self._questions[question].get("choices", {}).values()
            message = self.refusal(question, answers)
            if choices and answers[question] not in choices:
                message = f'"{answers[question]}"? Write {" or ".join(choices)}.'
            found += [Fault(question, 0, "", message)] * bool(message)
        return sorted(found, key=lambda fault: (QUESTIONS.index(fault.question), fault.line))

    def _faults(self, lists: Answers) -> list[Fault]:
        """Of the three lists, all at once; where `data` is not there yet, of the use cases alone."""
        call = "read(use_cases, data, outputs, design, errors)"
        if "data" not in lists:
            call = "read_use_cases(use_cases, design, errors), guess_things(design, '', errors)"
            call += ", link_use_cases(design, 'use_cases', {}, errors)"
        text = (
            '{% from "hooks/explain/explain.jinja" import explain %}'
            '{% from "hooks/read/answers.jinja" import read %}'
            '{% from "hooks/read/endpoints.jinja" import link_use_cases %}'
            '{% from "hooks/read/guess.jinja" import guess_things %}'
            '{% from "hooks/read/use_cases.jinja" import read_use_cases %}'
            "{% set design, errors, told = {}, [], [] %}{% set _ = [" + call + "] %}"
            "{% for error in errors %}"
            "{% set _ = told.append([error.source, error.line, error.word | string, explain(error.source, [error])]) %}"
            "{% endfor %}{{ told | to_json }}"
        )
        return [Fault(*fault) for fault in json.loads(self._render(text, {"data": "", "outputs": ""} | lists))]

    def design(self, answers: Answers) -> Json:
        """What is understood of the lists: hooks/read/answers.jinja says which keys it has; `head` begins a line."""
        text = (
            '{% from "hooks/explain/wording.jinja" import start_of %}'
            '{% from "hooks/read/answers.jinja" import read %}'
            "{% set design = {} %}{% set _ = read(use_cases, data, outputs, design, []) %}"
            "{% for use in design.use_cases %}{% set head = start_of(use.actors, use.verb, use.whose, use.word, use.of_text) %}"
            "{% set _ = use.update(head=head) %}{% endfor %}{{ design | to_json }}"
        )
        return cast(Json, json.loads(self._render(text, {"data": "", "outputs": ""} | answers)))

    def starter(self, use_cases: str, data: str) -> str:
        """`data`, and a draft of each thing that the use cases name and it does not."""
        text = '{% from "hooks/offer/starter.jinja" import starter %}{{ starter(use_cases, data) }}'
        return self._render(text, {"use_cases": use_cases, "data": data})

    def table(self, name: str) -> Json:
        return cast(Json, json.loads((ROOT / f"hooks/tables/{name}.json").read_text("utf-8")))

    def contract(self, answers: Answers) -> str:
        text = '{% from "hooks/offer/follows.jinja" import contract_table %}'
        return self._render(text + "{{ contract_table(use_cases, data, outputs) }}", answers)

    def yaml(self, question: str, answer: str) -> str:
        """The answer as hooks/answers.jinja writes it into the answers file."""
        text = '{% from "hooks/answers.jinja" import answers %}{{ answers({question: answer}) }}'
        return self._render(text, {"question": question, "answer": answer})

    def model(self, answers: Answers) -> Json:
        return cast(Json, json.loads(self._render(self._questions["model"]["default"], answers)))

    def _render(self, template: str, answers: Answers, **more: Any) -> str:
        key = json.dumps([template, answers, "data" in more.get("_copier_conf", {})])
        with self._lock:
            if key not in self._known:
                context = self._context | answers | more
                self._known[key] = self._worker.jinja_env.from_string(template).render(context).strip("\n")
            return cast(str, self._known[key])


def template() -> str:
    """Where Copier finds the template: the clone, or whatever this package was installed from."""
    if HERE.parent == ROOT:
        return str(ROOT)
    try:
        origin = json.loads(distribution("rest-follows").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    if "vcs_info" in origin:
        return f"git+{origin['url']}"
    if "dir_info" in origin:
        return os.path.normpath(url2pathname(urlsplit(origin["url"]).path))
    return "gh:rest-follows/rest-follows"
