"""`rest-follows check` and `rest-follows contract`: what hooks/ says of an answers file, for editors, CI and agents."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from stories import BIN, ROOT, STORIES, git, interview, run

from rest_follows import cli, hooks, openapi
from rest_follows.answers import load

PLAIN = {"use_cases": "anyone adds table", "data": "table:\n  name: text\n", "outputs": ""}
CASES = [case for cases in yaml.safe_load((ROOT / "tests/refusals.yml").read_text()).values() for case in cases]


@pytest.fixture(scope="session")
def asked() -> hooks.Hooks:
    return hooks.Hooks()


def rest_follows(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = cli.run([str(one) for one in arguments])
    return code, *capsys.readouterr()


def written(path: Path, **answers: Any) -> Path:
    path.write_text("".join(f"{name}: |-\n" + indented(text) for name, text in answers.items()))
    return path


def indented(text: str) -> str:
    return "".join(f"  {line}\n" if line else "\n" for line in text.split("\n"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["says"].split("\n")[0][:60])
def test_it_says_what_the_questions_say(asked: hooks.Hooks, case: dict[str, str]) -> None:
    """The same sentences, though each for itself, and not those of one question first."""
    given = {question: text for question, text in case.items() if question in PLAIN}
    own = [question for question in PLAIN if question in given][-1]
    # Where use cases are refused, Copier never asks for data.
    answers = given if own == "use_cases" else PLAIN | given
    if own == "outputs":
        answers = {question: answers[question] for question in PLAIN}
    found = asked.faults(answers)
    said = {f"{fault.question} {fault.message}".removeprefix(f"{own} ") for fault in found}
    expected = {line.split(" (+")[0] if " more)" in line else line for line in case["says"].split("\n")}
    assert expected <= said | {line.split(" (+")[0] for line in said}


@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_wrong_in_a_story(asked: hooks.Hooks, name: str) -> None:
    assert asked.faults(interview(name)) == []


BROKEN = """\
# Mine
problem: ""

use_cases: |
  guest requests booking with table

  guest lits bookings

data: |-
  booking:
    table: txt
service_name: Bistro
database: mysql
"""


def test_all_mistakes_at_once_with_the_line_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "answers.yml"
    path.write_text(BROKEN)
    code, out, _ = rest_follows(capsys, "check", path)
    assert (code, out.replace(str(path), "answers.yml").splitlines()) == (
        1,
        [
            "answers.yml:2: problem Say in one sentence what gets better, and for whom.",
            'answers.yml:7: use_cases line 3: "lits"? Write "lists".',
            'answers.yml:11: data line 2: "txt" is not a type. Did you mean "text"?',
            'answers.yml:12: service_name "Bistro"? Lowercase letters, digits and single "-", 2 to 40 of them, '
            'a letter first: "table-booking".',
            'answers.yml:13: database "mysql"? Write sqlite or postgresql.',
        ],
    )
    code, out, _ = rest_follows(capsys, "check", "--json", path)
    assert code == 1
    assert json.loads(out)[1] == {
        "question": "use_cases",
        "line": 3,
        "word": "lits",
        "message": 'line 3: "lits"? Write "lists".',
        "file_line": 7,
    }


def test_a_right_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it leaves out is what Copier takes then: a starter of the data, a name."""
    path = written(tmp_path / "answers.yml", use_cases="keeper adds goose with name")
    assert rest_follows(capsys, "check", path) == (0, f"{path}: nothing is wrong.\n", "")
    assert rest_follows(capsys, "check", "--json", path) == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("use_case: x", '1: "use_case" is no question. Write one of problem, use_cases, data, outputs,'),
        ("problem: x\nuse_cases:\n  - guest adds table", "2: use_cases is a text. Write `use_cases: |-` and its lines"),
        ("problem: x\nuse_cases: a: b", "2: mapping values are not allowed here. This is no YAML."),
        ("- a", "1: Write a line for each answer: problem, use_cases, data, outputs, service_name, database."),
        ("", "1: Write a line for each answer:"),
    ],
)
def test_what_is_no_answers_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str) -> None:
    (tmp_path / "answers.yml").write_text(text)
    for command in ["check", "contract"]:
        code, out, err = rest_follows(capsys, command, tmp_path / "answers.yml")
        assert code == 1
        assert (out + err).startswith(f"{tmp_path / 'answers.yml'}:{says}")
    code, out, _ = rest_follows(capsys, "check", tmp_path / "no.yml")
    assert code == 1 and "No such file" in out


def test_the_contract_of_a_file(tmp_path: Path, asked: hooks.Hooks, capsys: pytest.CaptureFixture[str]) -> None:
    bistro = ROOT / "tests/interviews/bistro.yml"
    code, out, _ = rest_follows(capsys, "contract", bistro)
    assert (code, out) == (0, asked.contract(load(bistro).answers) + "\n")
    assert "POST    /me/bookings/{id}/cancel  guest    200  401 403 404 409 412" in out.replace("  /", "  /")
    path = written(tmp_path / "answers.yml", use_cases="keeper ads goose")
    code, out, err = rest_follows(capsys, "contract", path)
    assert (code, out) == (1, "")
    assert err.endswith('use_cases line 1: "ads"? Write "adds".\n')


@pytest.mark.parametrize("name", STORIES)
def test_the_openapi_says_what_the_contract_says(asked: hooks.Hooks, name: str) -> None:
    """A service's own tests/contract.py reads the same lines from what is served."""
    spec = importlib.util.spec_from_file_location("contract", ROOT / "template/tests/contract.py")
    assert spec and spec.loader
    contract: Any = importlib.util.module_from_spec(spec)
    sys.modules["contract"] = contract
    spec.loader.exec_module(contract)
    model = asked.model(asked.completed(interview(name)))
    found = openapi.openapi(name, model["contract"])
    assert contract.described(found).strip() == model["contract"].strip()
    # Its marks of what is optional, and of what there may be several of, are in no name.
    assert re.findall(r'"[\w.]+(?:\?|\[\])+"', json.dumps(found)) == []


def test_the_openapi_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = rest_follows(capsys, "contract", "--openapi", ROOT / "tests/interviews/bistro.yml")
    found = json.loads(out)
    assert (code, found["openapi"], found["info"]["title"]) == (0, "3.1.0", "bistro")
    cancel = found["paths"]["/me/bookings/{id}/cancel"]["post"]
    assert cancel["parameters"][0]["schema"] == {"type": "string", "format": "uuid"}
    assert sorted(cancel["responses"]) == ["200", "401", "403", "404", "409", "412"]


def test_the_file_of_the_readme_is_right(tmp_path: Path, asked: hooks.Hooks) -> None:
    found = re.search("```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    (tmp_path / "answers.yml").write_text(found[1])
    answers = load(tmp_path / "answers.yml").answers
    assert asked.faults(answers) == []
    assert "goose (geese):" in asked.completed(answers)["data"]


def test_a_package_has_the_questions_and_knows_where_it_came_from(tmp_path: Path) -> None:
    """As `uvx --from PATH rest-follows` does: a wheel, away from the clone."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(ROOT), "clone")
    for changed in [*(ROOT / "rest_follows").glob("*.py"), ROOT / "pyproject.toml", ROOT / "copier.yml"]:
        target = clone / changed.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(changed.read_bytes())
    done = run(tmp_path, BIN / "uv", "pip", "install", "--no-deps", "--target", "installed", clone)
    assert done.returncode == 0, done.stderr
    code = "from rest_follows import hooks; print(hooks.__file__, hooks.template())"
    where = {"PYTHONPATH": str(tmp_path / "installed")}
    told = run(tmp_path, sys.executable, "-c", code, **where).stdout.split()
    assert told == [str(tmp_path / "installed/rest_follows/hooks.py"), str(clone)]
    done = run(tmp_path, sys.executable, "-m", "rest_follows", "check", ROOT / "tests/interviews/bistro.yml", **where)
    assert done.stdout.endswith("bistro.yml: nothing is wrong.\n"), done.stderr
