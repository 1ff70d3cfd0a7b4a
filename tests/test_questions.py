"""What the interview understands, offers and refuses."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier._main import Worker
from stories import STORIES
from terminal import Terminal

ROOT = Path(__file__).parent.parent
REFUSALS = yaml.safe_load((ROOT / "tests/refusals.yml").read_text())
PLAIN = {"use_cases": "anyone adds table", "data": "table:\n  name: text\n", "outputs": ""}


@pytest.fixture(scope="session")
def interview(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our template without what it generates: the questions, the hooks and the answers file."""
    template = tmp_path_factory.mktemp("interview") / "template"
    (template / "template").mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", template)
    shutil.copytree(ROOT / "hooks", template / "hooks")
    (template / "hooks/model.jinja").write_text(
        "{% macro model(answers) %}"
        '{"features": [], "tables": [], "contract": "", "database": "", "identity": false, "has": {"once": false}}'
        "{% endmacro %}"
    )
    answers = "template/{{ _copier_conf.answers_file }}.jinja"
    shutil.copy(ROOT / answers, template / answers)
    return template


@pytest.fixture(scope="session")
def worker(interview: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with Worker(src_path=str(interview), dst_path=tmp_path_factory.mktemp("nothing"), defaults=True) as worker:
        yield worker


class Asked:
    """Copier's own Jinja environment, with the templates of copier.yml in it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.context = {**worker._render_context(), **PLAIN, "_external_data": {}}
        self.questions = worker.template.questions_data

    def render(self, template: str, **context: Any) -> str:
        return self.worker.jinja_env.from_string(template).render(self.context | context).strip()

    def refusal(self, question: str, **answers: str) -> str:
        """What the validator of one question says."""
        return self.render(self.questions[question]["validator"], **answers)

    def default(self, question: str, **answers: str) -> str:
        return self.render(self.questions[question]["default"], **answers)

    def help(self, question: str, **answers: str) -> str:
        return self.render(self.questions[question]["help"], **answers)

    def design(self, **answers: str) -> dict[str, Any]:
        design: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        self.render(
            '{% from "hooks/read/answers.jinja" import read %}{{ read(use_cases, data, outputs, design, errors) }}',
            **answers,
            design=design,
            errors=errors,
        )
        assert errors == []
        return design


@pytest.fixture(scope="session")
def asked(worker: Worker) -> Asked:
    return Asked(worker)


def story(name: str) -> dict[str, str]:
    answers = yaml.safe_load((ROOT / f"tests/interviews/{name}.yml").read_text())
    return {key: answers[key] for key in PLAIN}


def contract(design: dict[str, Any]) -> list[str]:
    lines = []
    for use in design["use_cases"]:
        who = "+".join(use["actors"]) or "anyone"
        takes = [f"with {', '.join(use['with'])}"] * bool(use["with"]) + [f"by {', '.join(use['by'])}"] * bool(
            use["by"]
        )
        lines.append(" ".join([who, use["method"], use["path"], str(use["success"]), *takes] + ["once"] * use["once"]))
    return lines


def outputs(design: dict[str, Any]) -> dict[str, str]:
    return {
        use["text"].split(":")[0]: ", ".join(
            f"{one['name']}.{field}" if field else one["name"]
            for one in use["output"]
            for field in one["fields"] or [""]
        )
        for use in design["use_cases"]
    }


# ---- what is understood


def test_bistro_means(asked: Asked) -> None:
    design = asked.design(**story("bistro"))
    assert contract(design) == [
        "guest POST /bookings 201 with table, starts_at, ends_at, party_size, note, phone once",
        "guest GET /me/bookings 200 by status",
        "guest PATCH /me/bookings/{id} 200 with note, phone",
        "guest POST /me/bookings/{id}/cancel 200",
        "staff POST /bookings/{id}/confirm 200",
        "staff POST /bookings/{id}/decline 200 with reason",
        "staff GET /bookings 200 by table, status, starts_at",
        "staff POST /tables 201 with name, seats",
        "staff PATCH /tables/{id} 200 with name, seats",
        "staff DELETE /tables/{id} 204",
        "anyone GET /tables 200 by seats",
        "manager GET /bookings/counts 200 by status",
        "manager GET /bookings.csv 200 by starts_at",
    ]
    shown = outputs(design)
    own = "id, created_at, updated_at, table, starts_at, ends_at, party_size, note, reason, status"
    assert shown["guest lists own bookings by status"] == "id, table.name, starts_at, party_size, status"
    assert shown["guest cancels own booking"] == own
    assert shown["staff confirms booking"] == own + ", owner"
    assert shown["anyone lists tables by seats"] == "id, created_at, updated_at, name, seats"
    assert shown["staff removes table"] == shown["manager counts bookings by status"] == ""
    assert shown["manager exports bookings by starts_at"] == "table.name, owner, starts_at, party_size, status"
    table, booking = design["things"]
    assert design["order"] == ["table", "booking"]
    assert design["actors"] == ["guest", "staff", "manager"]
    assert (table["owned"], booking["owned"], table["state"], booking["state"]) == (False, True, "", "status")
    assert booking["one_per"] == [["table", "starts_at"]]
    assert [(rule["left"], rule["op"], rule["right"], rule["literal"]) for rule in booking["always"]] == [
        ("starts_at", "<", "ends_at", False)
    ]


def test_parcels_mean(asked: Asked) -> None:
    design = asked.design(**story("parcels"))
    assert contract(design) == [
        "shipper POST /parcels 201 with code, to_name, to_address, postcode, grams once",
        "shipper GET /me/parcels 200 by status, postcode",
        "shipper GET /me/parcels.csv 200 by status",
        "driver POST /parcels/{id}/collect 200",
        "driver POST /parcels/{id}/move 200",
        "driver POST /parcels/{id}/deliver 200 with signed_by",
        "driver POST /parcels/{id}/return 200",
        "operator POST /parcels/{id}/lose 200",
        "scanner POST /scans 204 with parcel, place, scanned_at, device, kind once",
        "anyone GET /parcels/by-code/{code} 200 by code",
        "driver GET /parcels/collected-or-in-transit 200 by postcode, status",
        "driver GET /parcels/in-transit/by-code/{code} 200 by code",
        "operator GET /parcels/counts 200 by status, postcode",
    ]
    shown = outputs(design)
    assert shown["anyone views parcel by code"] == "code, status, postcode"
    assert shown["scanner records scan once"] == ""
    assert shown["shipper lists own parcels by status, postcode"] == (
        "id, created_at, updated_at, code, postcode, grams, signed_by, status"
    )


def test_helpdesk_means(asked: Asked) -> None:
    design = asked.design(**story("helpdesk"))
    assert contract(design)[6:9] == [
        "lead POST /tickets/{id}/close 204",
        "agent+lead GET /tickets 200 by status, priority, due",
        "agent POST /notes 201 with ticket, text, internal",
    ]
    shown = outputs(design)
    assert shown["agent adds note"] == "id, created_at, updated_at, ticket, internal"
    assert shown["agent, lead lists notes by ticket"] == "ticket.title, text, internal, created_at"
    priority = design["things"][0]["field"]["priority"]
    assert (priority["choices"], priority["default"]) == (["low", "normal", "high", "urgent"], "normal")
    assert design["things"][1]["field"]["internal"]["default"] is False


def test_notes_need_no_identity(asked: Asked) -> None:
    design = asked.design(**story("notes"))
    assert (design["identity"], design["actors"]) == (False, [])
    assert contract(design) == ["anyone POST /notes 201 with text", "anyone GET /notes 200"]


def test_case_blanks_and_comments_do_not_matter(asked: Asked) -> None:
    design = asked.design(
        use_cases="# all of it\r\n  Guest ,staff  ADDS Table with name ,kind # and more\r\n\r\nstaff closes table:open->shut once\n",
        data='Table :\n    NAME :  Text  2..40 = "Two Words"   secret # shown\n\n  kind: A|b | C optional\n  state: open|shut\n',
    )
    first, second = design["use_cases"]
    assert first["text"] == "guest, staff adds table with name, kind"
    assert second["text"] == "staff closes table: open -> shut once"
    assert (second["froms"], second["to"], second["once"]) == (["open"], "shut", True)
    name, kind, _ = design["things"][0]["fields"]
    assert (name["name"], name["min"], name["max"], name["default"], name["secret"]) == (
        "name",
        "2",
        "40",
        "Two Words",
        True,
    )
    assert (kind["choices"], kind["optional"]) == (["a", "b", "c"], True)


def test_a_pattern_and_a_default_are_kept_as_typed(asked: Asked) -> None:
    data = 'table:\n  code: text ..9 = "A 1" matching ^[A-Z] [0-9"|=-]{1,3}$\n  seats: integer = 07\n'
    code, seats = asked.design(data=data)["things"][0]["fields"]
    assert (code["pattern"], code["default"]) == ('^[A-Z] [0-9"|=-]{1,3}$', "A 1")
    assert seats["default"] == 7


def test_plurals_and_verbs(asked: Asked) -> None:
    use_cases = """
    staff adds person
    staff lists people
    staff adds city
    staff watches city: new -> seen
    staff carries city: seen -> new
    staff passes city: new -> new
    staff adds day
    staff adds big_box
    staff adds bus
    """
    data = "person (people):\n  aa: text\ncity:\n  aa: text\n  state: new | seen\nday:\n  aa: text\nbig_box:\n  aa: text\nbus:\n  aa: text\n"
    assert asked.refusal("use_cases", use_cases=use_cases) == ""
    assert [use["path"] for use in asked.design(use_cases=use_cases, data=data)["use_cases"]] == [
        "/people",
        "/people",
        "/cities",
        "/cities/{id}/watch",
        "/cities/{id}/carry",
        "/cities/{id}/pass",
        "/days",
        "/big-boxes",
        "/buses",
    ]


def test_a_ref_must_be_to_their_own_where_they_see_only_their_own(asked: Asked) -> None:
    use_cases = "keeper adds pet\nkeeper lists own pets\nkeeper requests visit with pet\nvet lists pets"
    data = "pet:\n  name: text\nvisit:\n  pet: ref pet\n"
    assert [use["own_refs"] for use in asked.design(use_cases=use_cases, data=data)["use_cases"]] == [
        [],
        [],
        ["pet"],
        [],
    ]
    # Who may refer to any in the same line: who sees all, and who sees none.
    several = use_cases.replace("keeper requests", "keeper, vet, clerk requests")
    use = asked.design(use_cases=several, data=data)["use_cases"][2]
    assert [use["own_refs"], use["any_refs"]] == [["pet"], {"pet": ["vet", "clerk"]}]
    everybody = use_cases.replace("vet lists", "anyone views")
    assert [use["own_refs"] for use in asked.design(use_cases=everybody, data=data)["use_cases"]] == [[], [], [], []]


def test_required_refs_are_made_first(asked: Asked) -> None:
    use_cases = "".join(f"anyone adds {name}\n" for name in ["aa", "bb", "cc", "dd"])
    data = "aa:\n  bb: ref bb\nbb:\n  cc: ref cc\n  aa: ref aa optional\ncc:\n  name: text\ndd:\n  name: text\n"
    order = asked.design(use_cases=use_cases, data=data)["order"]
    assert order.index("cc") < order.index("bb") < order.index("aa")
    assert sorted(order) == ["aa", "bb", "cc", "dd"]


AWKWARD_THINGS = """order user table group session model address category list type event request service error test
database settings web app field item index value key token response repository controller schema status select match
base entity string object exception""".split()
AWKWARD_FIELDS = """type date time datetime uuid index count items limit key value select from_date json_text name user
token request response service repository url text list set fields values keys pop get update none true false data
cursor page order group table session format hash field none match case""".split()


def test_awkward_names_work(asked: Asked) -> None:
    fields = "".join(f"  {name}: text optional\n" for name in dict.fromkeys(AWKWARD_FIELDS))
    use_cases = "".join(f"staff adds {name}\nstaff lists {name}\n" for name in AWKWARD_THINGS)
    data = "".join(f"{name}:\n{fields}" for name in AWKWARD_THINGS)
    assert asked.refusal("use_cases", use_cases=use_cases) == ""
    assert asked.refusal("data", use_cases=use_cases, data=data) == ""


# ---- what is refused


@pytest.mark.parametrize(
    "case", [case for cases in REFUSALS.values() for case in cases], ids=lambda case: case["says"].split("\n")[0][:60]
)
def test_a_mistake_is_told_like_a_compiler_would(asked: Asked, case: dict[str, str]) -> None:
    question = [name for name in ["use_cases", "data", "outputs"] if name in case][-1]
    assert asked.refusal(question, **{name: text for name, text in case.items() if name in PLAIN}) == case["says"]


def test_every_sentence_has_its_refusal() -> None:
    topics = json.loads((ROOT / "hooks/tables/sentences.json").read_text())
    said = {code: sentence for sentences in topics.values() for code, sentence in sentences.items()}
    assert said.keys() == REFUSALS.keys()
    for code, sentence in said.items():
        for variant in [sentence] if isinstance(sentence, str) else sentence.values():
            shape = ".+".join(map(re.escape, re.split(r"{.+?}", variant)))
            assert any(re.search(shape, case["says"]) for case in REFUSALS[code]), f"{code}: {variant}"


def test_line_and_word_come_before_the_prompt_ends() -> None:
    """At 80 columns Copier leaves 37 of its one line to us."""
    for sentence in (case["says"].split("\n")[0] for cases in REFUSALS.values() for case in cases):
        head = re.match(r'(?:use_cases |data )?line \d+(?:: "[^"]*")?', sentence)
        assert head and len(head[0]) <= 37, sentence


def test_all_mistakes_are_told_at_once(asked: Asked) -> None:
    use_cases = "guest requsts booking\nguest lists own bookings with status\nanyone, staff adds table\n"
    assert asked.refusal("use_cases", use_cases=use_cases) == (
        'line 1: "requsts"? Write "requests". (+2 more)\n'
        'line 2: "with" means nothing here: "lists" sends no fields. Did you mean "by"?\n'
        'line 3: "anyone" means everybody, logged in or not, so it stands alone.'
    )


@pytest.mark.parametrize(
    "answers",
    [
        {"use_cases": ":::\n->\n, , ,\nown own own own\nwith by once\na: -> \n: a -> b"},
        {
            "data": '(:\n  : \n  "\n  a: "\n  b: = = =\n  one per:\n  always: < < <\n  c: ref\n  d: | \n  e: .. ..\n::\n)('
        },
        {"data": "table:\n  name: text = matching ^$\n  size: integer = \n  other: ref other matching\n  id.x: text"},
        {
            "outputs": ":\nanyone adds table: .\nanyone adds table: ..\nanyone: x\nanyone adds own table: id\n a b c d: e"
        },
        {"use_cases": "\x00\u2028\n\u00a0guest adds table\nİ adds ß"},
    ],
)
def test_nonsense_is_refused_with_a_sentence(asked: Asked, answers: dict[str, str]) -> None:
    (question,) = answers
    for line in asked.refusal(question, **answers).split("\n"):
        assert re.match(r'(use_cases |data )?line \d+: "', line), line


@pytest.mark.parametrize(
    "name", ["class", "json", "pydantic-settings", "tests", "aux", "Bistro", "2nd", "x", "a--b", "a-", "a" * 41]
)
def test_refused_service_names(asked: Asked, name: str) -> None:
    assert asked.refusal("service_name", service_name=name)


@pytest.mark.parametrize("name", ["bistro", "parcel-tracking", "a1", "x-2", "a" * 40])
def test_service_names(asked: Asked, name: str) -> None:
    assert asked.refusal("service_name", service_name=name) == ""


def test_standard_modules_are_no_service_names(asked: Asked) -> None:
    modules = [name for name in sys.stdlib_module_names if re.fullmatch("[a-z][a-z0-9_]+", name)]
    assert [name for name in modules if not asked.refusal("service_name", service_name=name.replace("_", "-"))] == []


# ---- what is offered


def test_the_defaults_are_a_whole_answer(asked: Asked) -> None:
    answers: dict[str, str] = {}
    for question in ["problem", "use_cases", "data", "outputs", "service_name", "database"]:
        answers[question] = asked.default(question, **answers)
        if "validator" in asked.questions[question]:
            assert asked.refusal(question, **answers) == ""
    assert answers["service_name"] == "bistro"
    assert answers == yaml.safe_load((ROOT / "tests/interviews/bistro.yml").read_text())


def test_own_use_cases_get_a_starter(asked: Asked) -> None:
    use_cases = """
    keeper adds goose with name, pen, bought_at
    keeper lists own geese by phase, name
    keeper sells own goose with price: hungry or fed -> sold
    keeper feeds own goose: hungry -> fed
    staff adds pen
    """
    assert asked.default("data", use_cases=use_cases) == (
        "goose (geese):\n"
        "  name: text 1..200\n"
        "  pen: ref pen\n"
        "  bought_at: datetime\n"
        "  price: money 0.. optional system\n"
        "  phase: hungry | fed | sold\n"
        "\n"
        "pen:\n"
        "  name: text 1..80"
    )
    assert (
        asked.default("service_name", use_cases=use_cases, data=asked.default("data", use_cases=use_cases)) == "geese"
    )


def test_a_starter_guesses_from_names(asked: Asked) -> None:
    use_cases = """
    member adds loan with due_on, pickup_date, seen_at, on, email, deposit, shop_link
    member lists own loans by due_on, condition
    member counts own loans by price
    staff views member_card by e_mail
    staff adds member_card
    """
    assert asked.default("data", use_cases=use_cases) == (
        "loan:\n"
        "  due_on: date\n"
        "  pickup_date: date\n"
        "  seen_at: datetime\n"
        "  on: text 1..200\n"
        "  email: email\n"
        "  deposit: money 0..\n"
        "  shop_link: url\n"
        "  condition: text 1..200 optional  # nobody sends it yet\n"
        "  price: text 1..200 optional  # nobody sends it yet\n"
        "\n"
        "member_card:\n"
        "  e_mail: email unique"
    )


@pytest.mark.parametrize(
    "use_cases",
    [
        "staff adds aa with due_on, due_on_from, price\nstaff lists aa by due_on, due_on_from, price, price_to",
        "staff adds aa with bb\nstaff adds bb with cc\nstaff adds cc with aa",
        "staff adds aa with bb, bb_id\nstaff adds bb\nstaff changes bb",
        "staff adds aa with aa\nstaff lists aa by limit, cursor, x_at",
        "staff adds aa with status\nstaff moves aa with state: bb -> bb\nstaff lists aa by stage",
        "staff adds aa\nstaff moves aa with why: bb -> cc\nstaff changes aa\nstaff adds aa_status",
        "staff adds json_file\nstaff lists json_files by owned_at, created_at, updated_at",
    ],
)
def test_a_starter_is_a_valid_answer(asked: Asked, use_cases: str) -> None:
    assert asked.refusal("use_cases", use_cases=use_cases) == ""
    data = asked.default("data", use_cases=use_cases)
    assert asked.refusal("data", use_cases=use_cases, data=data) == ""


def test_help_shows_what_follows(asked: Asked) -> None:
    answers = {
        question: asked.default(question, use_cases=asked.default("use_cases")) for question in ["use_cases", "data"]
    }
    shown = asked.help("outputs", **answers)
    assert "\n  guest requests booking;" in shown
    assert "\n  … and 5 more lines: see docs/use-cases.md afterwards\n" in shown
    lines = [" ".join(line.split()) for line in asked.help("service_name", **answers).splitlines()]
    assert "POST /bookings guest 201 401 403 409 422" in lines
    assert lines[-1] == "… and 10 more lines: see contract/api.txt afterwards"


@pytest.mark.parametrize("name", STORIES)
def test_help_shows_the_contract(asked: Asked, name: str, tell: Any) -> None:
    """What the help of the last question says, in full, is what contract/api.txt says afterwards."""
    found = re.findall(
        r"^(\w+) (\S+): .*\n  for (.*)\n(?:    .*\n|  [qbp].*\n)*  response (\d+).*\n(?:    .*\n)*  errors (.*)$",
        tell(name).files()["contract/api.txt"],
        re.MULTILINE,
    )
    # That a body may be too large, or no JSON, goes without saying.
    unsaid = ["413", "415", "none"]
    told = {" ".join([*words, *[no for no in refusals.split(", ") if no not in unsaid]]) for *words, refusals in found}

    # What is too long for its column goes on in the next line.
    table = '{% from "hooks/offer/follows.jinja" import contract_table %}{{ contract_table(use_cases, data, outputs) }}'
    rows = re.sub(r"\n {12,}", " ", asked.render(table, **story(name)))
    shown = [" ".join(line.split()) for line in rows.splitlines()]

    assert {line for line in shown if line.split(" ")[0] in ["GET", "POST", "PATCH", "DELETE"]} == told


@pytest.mark.parametrize("name", ["bistro", "notes", "shop", "clinic", "parcels", "helpdesk", "awkward"])
def test_help_fits_a_terminal(asked: Asked, name: str) -> None:
    """80 columns, of which Copier takes some of the first line, and at most eight lines, of which it says how to end."""
    for question in ["problem", "use_cases", "data", "outputs", "service_name", "database"]:
        first, *others = asked.help(question, **story(name)).splitlines()
        assert [line for line in others if len(line) > 78] == []
        assert len(first) <= 76 and len(others) <= 7
        assert re.search("([Tt]hen Enter|Esc, then Enter: done)[.]", first[:57]), "at 60 columns, the line is cut"


# ---- on the command line, in the terminal, on an update


def copier(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "copier", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (
            {"use_cases": "guest lits tables\nguest adds table by name"},
            [
                'ValueError: Validation error for question \'use_cases\': line 1: "lits"? Write "lists". (+1 more)',
                'line 2: "by" means nothing here: "adds" does not search. Did you mean "with"?',
            ],
        ),
        (
            {"use_cases": "guest adds table", "data": "desk:\n  name: text"},
            [
                "ValueError: Validation error for question 'data': use_cases line 1: \"table\"? "
                "data describes no such thing. Add it there, or write one of desk."
            ],
        ),
        (
            {"database": "mysql"},
            ["ValueError: Invalid choice for 'database': 'mysql' is not in ['sqlite', 'postgresql']"],
        ),
        (
            {"problem": "Two\nlines."},
            ["ValueError: Validation error for question 'problem': One line, please, without line breaks or tabs."],
        ),
    ],
)
def test_a_refused_file_leaves_nothing(
    interview: Path, tmp_path: Path, answers: dict[str, str], says: list[str]
) -> None:
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    run = copier("copy", "--defaults", "--data-file", tmp_path / "answers.yml", interview, tmp_path / "service")
    assert run.returncode != 0
    assert run.stderr.rstrip("\n").split("\n")[-len(says) :] == says
    assert not (tmp_path / "service").exists()


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def published(interview: Path, tmp_path: Path) -> Path:
    """The interview as a tagged repository, in a path that a glob would trip over."""
    template = tmp_path / "published"
    shutil.copytree(interview, template)
    git(template, "init")
    git(template, "add", ".")
    git(template, "commit", "-m", "first")
    git(template, "tag", "v1.0.0")
    return template


@pytest.fixture
def project(published: Path, tmp_path: Path) -> Path:
    project = tmp_path / "a [b] c*" / "geese"
    answers = {
        "use_cases": "keeper adds goose\nkeeper lists own geese",
        "data": "# my birds\ngoose (geese):\n  name: text",
        "service_name": "flock",
    }
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    run = copier("copy", "--defaults", "--data-file", tmp_path / "answers.yml", published, project)
    assert run.returncode == 0, run.stderr
    git(project, "init")
    git(project, "add", ".")
    git(project, "commit", "-m", "generated")
    return project


def answers_of(project: Path) -> dict[str, str]:
    answers: dict[str, str] = yaml.safe_load((project / ".copier-answers.yml").read_text())
    return answers


def test_an_update_with_refused_answers_changes_nothing(published: Path, project: Path, tmp_path: Path) -> None:
    before = (project / ".copier-answers.yml").read_bytes()
    git(published, "commit", "--allow-empty", "-m", "second")
    git(published, "tag", "v1.1.0")
    (tmp_path / "new.yml").write_text(
        yaml.safe_dump({"use_cases": "keeper adds goose with weight\nkeeper lists own geese"})
    )
    run = copier("update", "--defaults", "--data-file", tmp_path / "new.yml", project)
    assert run.returncode != 0
    assert run.stderr.rstrip("\n").split("\n")[-1] == (
        "ValueError: Validation error for question 'data': use_cases line 1: \"weight\" is not a field of goose. "
        "Add it in data, or leave it out."
    )
    assert git(project, "status", "--porcelain") == ""
    assert (project / ".copier-answers.yml").read_bytes() == before


def test_a_stricter_template_keeps_former_answers(published: Path, project: Path) -> None:
    for question, word in [
        ("use_cases", "keeper"),
        ("data", "birds"),
        ("service_name", "flock"),
        ("problem", "Guests"),
    ]:
        text = (published / "copier.yml").read_text()
        copier_yml = yaml.safe_load(text)
        copier_yml[question]["validator"] = f"{{% if '{word}' in {question} %}}no {word}{{% endif %}}"
        (published / "copier.yml").write_text(yaml.safe_dump(copier_yml, sort_keys=False))
        git(published, "commit", "-am", "stricter")
        git(published, "tag", f"v1.1.{len(question)}", "--force")
        run = copier("update", "--defaults", "--vcs-ref", "HEAD", project)
        assert run.returncode != 0
        assert run.stderr.rstrip("\n").endswith(f"Validation error for question '{question}': no {word}")
        assert git(project, "status", "--porcelain") == ""
        (published / "copier.yml").write_text(text)


def test_an_update_brings_a_starter_for_what_is_new(published: Path, project: Path, tmp_path: Path) -> None:
    git(published, "commit", "--allow-empty", "-m", "second")
    git(published, "tag", "v1.1.0")
    (tmp_path / "new.yml").write_text(
        yaml.safe_dump({"use_cases": "keeper adds goose\nkeeper lists own geese\nkeeper adds pen with goose"})
    )
    run = copier("update", "--defaults", "--data-file", tmp_path / "new.yml", project)
    assert run.returncode == 0, run.stderr
    assert answers_of(project)["data"].strip() == "# my birds\ngoose (geese):\n  name: text\n\npen:\n  goose: ref goose"
    assert answers_of(project)["service_name"] == "flock"


END, CLEAR = "\x1b\r", "\x15"
SIZES = pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (60, 24)])


@SIZES
def test_a_newcomer_types_their_own(interview: Path, tmp_path: Path, columns: int, rows: int) -> None:
    """Nothing of the example is there to be deleted; after 22 lines the question and its end are still on the screen."""
    terminal = Terminal("copier", "copy", interview, tmp_path / "service", columns=columns, rows=rows)

    def sees(*texts: str) -> None:
        terminal.sees(*texts, wrapped=True)

    sees("What problem are we solving", "Then Enter.", "Guests book a table")
    terminal.types("Geese get lost.\r")
    sees("What is the user trying to do? Esc, then Enter: done.", "staff adds table")
    assert "manager exports bookings" not in terminal.everything()
    lines = [f"keeper adds pen{at}" for at in range(20)] + ["keeper adds goose with name", "keeper lits geese"]
    terminal.types("\r".join(lines) + END)
    sees('line 22: "lits"', "What is the user trying to do? Esc, then Enter: done.", "keeper lits geese")
    if columns > 60:
        sees('line 22: "lits"? Write "lists".')
    terminal.types("\x7f" * len("lits geese") + "lists geese" + END)
    sees("What data do we need? Esc, then Enter: done.", "name: text 1..200")
    terminal.types(END)
    sees("What output makes sense? Esc, then Enter: done.", "The frontend gets")
    terminal.types(END)
    sees("What do you call the service? Then Enter.", "POST", "more lines: see contract/api.txt")
    terminal.types(f"{CLEAR}flock\r")
    sees("Where does the data live?")
    terminal.types("\r")
    assert "flock is ready" in terminal.ends()
    answers = answers_of(tmp_path / "service")
    assert answers["use_cases"].strip() == "\n".join([*lines[:-1], "keeper lists geese"])
    assert answers["data"].strip().endswith("goose (geese):\n  name: text 1..200")


def test_who_asks_for_nothing_gets_the_example(interview: Path, tmp_path: Path) -> None:
    assert copier("copy", "--defaults", interview, tmp_path / "service").returncode == 0
    answers = answers_of(tmp_path / "service")
    bistro = yaml.safe_load((ROOT / "tests/interviews/bistro.yml").read_text())
    assert {name: answers[name].strip() for name in bistro} == {name: text.strip() for name, text in bistro.items()}
