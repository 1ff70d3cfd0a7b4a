"""What is written, and that it is clean as it was written: no formatter has run."""

import ast
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy
from pytest_copie.plugin import Copie
from rendering import render
from stories import BIN, ROOT, Story, run

# A misspelt name in a path that loops renders nothing, and says nothing: so every file is named here.
ALWAYS = """
    .copier-answers.yml .env.example .gitattributes .gitignore Makefile README.md pyproject.toml docs/use-cases.md
    .dockerignore .github/workflows/ci.yml .pre-commit-config.yaml Dockerfile renovate.json
    migrations/env.py migrations/script.py.mako migrations/versions/0001_first.py
    src/PACKAGE/__init__.py src/PACKAGE/app.py src/PACKAGE/cli.py src/PACKAGE/clock.py
    src/PACKAGE/development.py src/PACKAGE/errors.py src/PACKAGE/schemas.py
    src/PACKAGE/settings.py src/PACKAGE/telemetry.py src/PACKAGE/types.py src/PACKAGE/features/__init__.py src/PACKAGE/database/__init__.py
    src/PACKAGE/database/base.py src/PACKAGE/database/engine.py src/PACKAGE/database/repository.py
    src/PACKAGE/database/revision.py src/PACKAGE/database/transaction.py src/PACKAGE/database/url.py
    src/PACKAGE/journey/__init__.py src/PACKAGE/journey/commands.py src/PACKAGE/journey/recorder.py
    src/PACKAGE/journey/page.css src/PACKAGE/journey/page.html src/PACKAGE/journey/page.js
    src/PACKAGE/journey/page.py src/PACKAGE/journey/replay.py src/PACKAGE/journey/store.py
    src/PACKAGE/journey/watch.py
    src/PACKAGE/web/__init__.py src/PACKAGE/web/health.py
    src/PACKAGE/web/logging.py src/PACKAGE/web/middleware.py src/PACKAGE/web/problems.py src/PACKAGE/web/rate_limit.py
    src/PACKAGE/web/responses.py src/PACKAGE/web/transaction.py
    contract/api.txt docs/database.md docs/debugging.md docs/frontend.md docs/recipes.md docs/security.md
    tests/contract.py tests/migration.py tests/test_contract.py tests/test_docs.py
    tests/conftest.py tests/test_migrations.py tests/test_middleware.py tests/test_problems.py tests/test_security.py
    tests/test_cli.py tests/test_settings.py tests/test_transaction.py
    tests/world.py tests/accept.py tests/databases.py tests/stale.py docs/examples.md tests/examples.py AGENTS.md
"""
WHERE_SOMETHING_CHANGES = "src/PACKAGE/web/if_match.py tests/test_if_match.py"
WHERE_SOMETHING_HAS_STATES = "src/PACKAGE/lifecycle.py"
WHERE_SOMEBODY_LOGS_IN = "src/PACKAGE/web/auth.py tests/test_provider.py"
WHERE_SOMEBODY = {
    " exports ": "src/PACKAGE/web/csv.py tests/test_csv.py",
    " once": "src/PACKAGE/web/idempotency.py",
}
# A change, or a reference, can break a rule that its body alone does not show.
WHERE_THE_SERVICE_CHECKS_RULES = "src/PACKAGE/rules.py"
ROOMS = ["__init__", "controller", "service", "repository", "schemas", "model", "errors"]
# Each thing, and which of its layers refuse something: controller, service, repository.
REFUSING = {
    "alike": "ticket:csr",
    "bistro": "table:cr booking:csr",
    "bistro_postgresql": "table:cr booking:csr",
    "shop": "product:csr category:csr review:csr badge:cr",
    "helpdesk": "ticket:csr note:csr",
    "expenses": "expense:csr",
    "hiring": "job:csr application:csr",
    "jobs": "job:csr application:csr",
    "jobs_postgresql": "job:csr application:csr",
    "parcels": "parcel:csr scan:csr",
    "articles": "article:cr",
    "blog": "article:csr comment:csr",
    "notes": "note:cr",
    "orders": "card:cr label:cr line:csr order:csr product:csr",
    "zammad": """
        article:csr checklist:cr checklist_item:cr group:cr mention:c note:cr organization:cr tag:cr ticket:csr
        ticket_tag:csr time_entry:cr
    """,
    "replies": "ticket:cr reply:csr",
    "clinic": "pet:csr room:cr visit:csr order:csr",
    "threads": "article:cr comment:csr summary:cr picture:csr",
    "ticketing": "event:csr ticket:cr booking:csr",
    "longest": "refrigerated_carrier:cr international_parcel:csr extraordinary_object:csr",
    "awkward": """
        user:csr order:csr group:cr table:csr session:cr model:cr address:csr category:csr person:csr list:cr type:cr
        event:c request:csr service:cr error:cr test:csr field:csr page:cr entity:csr choice:cr move:csr value:cs
        a2:cr a10:csr b1:cs
    """,
}
# GitHub has tags of its own: ${{ … }}
TAG = r"(?<!\$)\{\{"
RUFF = "ARG ASYNC B C4 DTZ E4 E7 E9 F FURB I N PGH PIE PT RET RUF SIM T20 UP W".split()


def test_the_tree_is_complete(story: Story) -> None:
    expected = ALWAYS.split()
    if any(not line.startswith("anyone") for line in story.answers["use_cases"].splitlines()):
        expected += WHERE_SOMEBODY_LOGS_IN.split()
    if story.name not in ["notes", "articles"]:
        expected += [*WHERE_SOMETHING_CHANGES.split(), WHERE_SOMETHING_HAS_STATES]
    if story.name in ["shop", "longest", "ticketing"]:
        expected += [WHERE_THE_SERVICE_CHECKS_RULES]
    for verb, paths in WHERE_SOMEBODY.items():
        expected += paths.split() if verb in story.answers["use_cases"] else []
    if story.answers["database"] == "postgresql":
        expected += ["tests/postgres.py", "compose.yaml", "Caddyfile"]
    for thing, layers in (words.split(":") for words in REFUSING[story.name].split()):
        expected += [f"src/PACKAGE/features/{thing}/{room}.py" for room in ROOMS]
        tested = [layer for layer in ["controller", "service", "repository"] if layer[0] in layers]
        expected += [f"tests/features/{thing}/test_{what}.py" for what in [*tested, "use_cases"]]

    assert sorted(story.files()) == sorted(path.replace("PACKAGE", story.package) for path in expected)


@pytest.mark.parametrize(
    ("name", "long"),
    [
        # The condition of an index has a keyword of its own in each database.
        ("bistro", ["src/bistro/features/booking/model.py", "migrations/versions/0001_first.py"]),
        # The index of a long text is a hash in PostgreSQL.
        ("shop", ["src/shop/features/product/model.py", "migrations/versions/0001_first.py"]),
    ],
)
def test_the_database_shows_where_it_is_hidden_and_nowhere_else(
    name: str, long: list[str], tell: Callable[[str], Story], template: Path, tmp_path: Path
) -> None:
    """No feature knows which one it is, nor does the contract, nor a test of a use case."""
    story = tell(name)
    answers = story.answers | {"database": "postgresql"}
    here, there = story.files(), Story(name, answers, render(template, answers, tmp_path / "other")).files()
    assert {path for path in here | there if here.get(path) != there.get(path)} == {
        ".copier-answers.yml",
        ".env.example",
        ".gitignore",
        "Caddyfile",
        "Dockerfile",
        "Makefile",
        "README.md",
        "compose.yaml",
        "docs/database.md",
        "pyproject.toml",
        f"src/{story.package}/settings.py",
        *(f"src/{story.package}/database/{part}.py" for part in ["base", "engine", "repository", "url"]),
        f"src/{story.package}/web/transaction.py",
        f"src/{story.package}/cli.py",
        *(
            f"tests/{part}.py"
            for part in [
                "databases",
                "migration",
                "postgres",
                "test_migrations",
                "test_settings",
                "test_transaction",
                "world",
            ]
        ),
        "migrations/env.py",
        *long,
    }


def test_nothing_of_the_template_is_left(story: Story) -> None:
    for name, text in story.files().items():
        ours = [line for line in text.splitlines() if "{{ nobody }} {% knows %}" not in line]
        assert re.findall(rf"{TAG} |\{{%|\bUndefined\b", "\n".join(ours)) == [], name


def test_it_is_formatted_and_linted(story: Story) -> None:
    for check in [
        ["format", "--check", "--diff"],
        ["check"],
        ["check", "--select", ",".join(RUFF), "--ignore", "N818,RUF001,RUF012"],
    ]:
        done = run(story.path, BIN / "ruff", *check, "--no-cache")
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_rule_is_switched_off_in_the_code(story: Story) -> None:
    excused = [line.strip() for text in story.files().values() for line in text.splitlines() if "noqa" in line]
    assert [line for line in excused if not line.endswith("# noqa: F401 - imports all models")] == []


def test_each_payload_lists_its_own_fields(story: Story) -> None:
    """Else a field that is added to what staff sees is added to what guests see, or the other way round."""
    for path in story.path.glob("src/*/features/*/schemas.py"):
        payloads = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
        names = {payload.name for payload in payloads}
        heirs = {p.name: base.id for p in payloads for base in p.bases if isinstance(base, ast.Name)}
        assert {heir: base for heir, base in heirs.items() if base in names} == {}, path


def test_the_project_file_says_what_it_is(story: Story) -> None:
    project = tomllib.loads(story.files()["pyproject.toml"])
    assert project["project"]["name"] == story.answers["service_name"]
    assert project["project"]["description"] == story.answers["problem"]
    assert project["tool"]["mypy"]["strict"] is True
    assert project["tool"]["pytest"]["ini_options"]["filterwarnings"] == ["error"]
    assert set(RUFF) <= set(project["tool"]["ruff"]["lint"]["select"])


def test_the_answers_are_remembered(story: Story) -> None:
    remembered = yaml.safe_load(story.files()[".copier-answers.yml"])
    assert list(remembered) == [
        "_commit",
        "_src_path",
        "problem",
        "use_cases",
        "data",
        "outputs",
        "service_name",
        "database",
        "_checksum",
    ]
    assert remembered | story.answers == remembered


def test_nothing_unchosen_is_left_behind(tell: Any) -> None:
    """Nobody logs in to leave a note, nobody owns one, and it goes nowhere."""
    words = r"jwt (?<!an.)identity token role bearer auth_ \b401 \b403 unauth principal staff guest"
    of_the_code = rf"{words} owner transition \bmove(?!_on_after) booking \benum"
    files = tell("notes").files()
    # Where the template lies, and which commit of it this is: any word or number may be in that.
    files[".copier-answers.yml"] = re.sub(r"(?m)^_(commit|src_path): .*\n", "", files[".copier-answers.yml"])
    for name, text in files.items():
        # The first two name all modules, and the others read any contract, or show any value.
        general = ["README.md", "AGENTS.md", "tests/contract.py", "tests/test_security.py"]
        general += [f"src/notes/journey/{part}.py" for part in ["recorder", "replay", "watch"]]
        unchosen = words if name in general else of_the_code
        assert re.findall(rf"(?i)\w*(?:{'|'.join(unchosen.split())})\w*", text) == [], name


def test_one_database_knows_nothing_of_the_other(story: Story) -> None:
    other = "sqlite|pragma" if story.answers["database"] == "postgresql" else "postgres|psycopg|pgserver"
    for name, text in story.files().items():
        assert re.findall(rf"(?i)\w*(?:{other})\w*", text) == [], name


def test_bistro_is_small(bistro: Story) -> None:
    files = bistro.files()
    lines = sum(len(text.splitlines()) for name, text in files.items() if name.endswith(".py"))
    assert len(files) <= 110
    assert lines <= 7370


# ---- the same, however it is asked for, and without trust


def test_the_defaults_are_bistro(template: Path, bistro: Story, tmp_path: Path) -> None:
    done = run(tmp_path, BIN / "copier", "copy", "--defaults", template, "service")
    assert done.returncode == 0, done.stderr
    assert Story("bistro", {}, tmp_path / "service").files() == bistro.files()


@pytest.mark.parametrize("name", ["bistro_postgresql", "longest"])
def test_an_interview_may_be_a_file(template: Path, tell: Callable[[str], Story], tmp_path: Path, name: str) -> None:
    """Without --trust: Copier would refuse what needs it."""
    story, file = tell(name), ROOT / f"tests/interviews/{name}.yml"
    done = run(tmp_path, BIN / "copier", "copy", "--defaults", "--data-file", file, template, "service")
    assert done.returncode == 0, done.stderr
    assert Story(story.name, {}, tmp_path / "service").files() == story.files()


def test_copier_need_not_trust_us(template: Path, bistro: Story, tmp_path: Path) -> None:
    run_copy(str(template), tmp_path, data=bistro.answers, defaults=True, unsafe=False, quiet=True)
    assert Story("bistro", {}, tmp_path).files() == bistro.files()


def test_pytest_copie_gives_the_same(copie: Copie, template: Path, tell: Callable[[str], Story]) -> None:
    """It trusts every template and passes over answers to questions that are not asked; so it is not alone here."""
    story = tell("parcels")
    result = copie.copy(story.answers, template_dir=template)
    assert result.exception is None and result.project_dir is not None
    assert story.answers.items() <= result.answers.items()
    assert Story("parcels", {}, result.project_dir).files() == story.files()


# ---- how it is written


def template_files() -> list[Path]:
    return [path for path in (ROOT / "template").rglob("*") if path.is_file()]


def test_nothing_runs_on_the_users_machine() -> None:
    settings = yaml.safe_load((ROOT / "copier.yml").read_text())
    assert settings.keys().isdisjoint({"_tasks", "_migrations", "_jinja_extensions"})


@pytest.mark.parametrize("path", template_files(), ids=lambda path: str(path.relative_to(ROOT / "template"))[-60:])
def test_jinja_only_where_it_says_so(path: Path) -> None:
    tags = re.findall(rf"{TAG}.*?\}}\}}|\{{%.*?%\}}", path.read_text(), re.DOTALL)
    assert (path.suffix == ".jinja") == bool(tags)
    filtered = [tag for tag in tags if "|" in re.sub(r'"[^"]*"', "", tag)]
    assert filtered == [], "names are worked out in the model, not by filters"
    assert not re.search(r'[|"<>?*:]', str(path.relative_to(ROOT))), "no name for a file on Windows"
