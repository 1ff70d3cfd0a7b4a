"""The first day with a service: it starts, says where to look, reloads, has rows, docs and remedies."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import HTTP, Service, database_of, provider, served
from stories import Story, clean, run

TABLE = "src/bistro/features/table/"
BOOKING = "src/bistro/features/booking/"


@pytest.fixture
def dev(bistro: Story, tools: Path, tmp_path: Path) -> Service:
    """`dev` as one starts it, of a bistro to change."""
    own = replace(bistro, path=Path(shutil.copytree(bistro.path, tmp_path / "bistro")))
    (own.path / "bistro").write_text(
        f"#!{tools}/python\nfrom bistro.cli import main\n\nif __name__ == '__main__':\n    main()\n"
    )
    (own.path / "bistro").chmod(0o755)
    return Service(own, tools, tmp_path / "log", {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db"}, ("dev",))


@pytest.fixture(scope="module")
def service(bistro: Story, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("dayone")
    with served(Service(bistro, tools, folder / "log", {"DATABASE_URL": f"sqlite:///{folder}/bistro.db"})) as service:
        yield service


@contextmanager
def production(story: Story, tools: Path, folder: Path) -> Iterator[tuple[Service, str]]:
    with provider(tools, {"ann": ["guest"]}) as login:
        settings = {"DATABASE_URL": f"sqlite:///{folder}/production.db", **login.settings}
        service = Service(story, tools, folder / "production.log", settings, ("serve",))
        service.run("migrate")
        with served(service):
            yield service, login.tokens["ann"]


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))


def eventually(found: Callable[[], Any], service: Service) -> None:
    end = time.monotonic() + 30
    while not found():
        assert time.monotonic() < end, service.log.read_text()[-3000:]
        time.sleep(0.1)


def summary(service: Service) -> str:
    document = service.ask("GET", "/openapi.json").body or {"paths": {"/tables": {"get": {"summary": ""}}}}
    return str(document["paths"]["/tables"]["get"]["summary"])


# ---- it reloads


def test_it_reloads_what_has_changed(dev: Service) -> None:
    controller = dev.story.path / TABLE / "controller.py"
    with served(dev):
        assert dev.process
        change(controller, 'summary="Anyone lists tables"', 'summary="Anyone reads tables"')
        eventually(lambda: summary(dev) == "Anyone reads tables", dev)
        change(controller, 'summary="Anyone reads tables"', 'summary=="Anyone reads tables"')
        eventually(lambda: "NameError" in dev.log.read_text() or "SyntaxError" in dev.log.read_text(), dev)
        change(controller, 'summary=="Anyone reads tables"', 'summary="Anyone finds tables"')
        eventually(lambda: summary(dev) == "Anyone finds tables", dev)
        # What the last process recorded, and the next one serves.
        assert dev.ask("GET", "/tables").headers["X-Journey"].startswith(f"http://127.0.0.1:{dev.port}/journeys/")
    log = dev.log.read_text()
    assert log.count(f"http://127.0.0.1:{dev.port}/docs, which starts again when a file in src/ changes") == 1
    assert log.count("To begin with: ") == 1
    assert log.count("StatReload detected changes in 'src/bistro/features/table/controller.py'. Reloading...") == 3
    assert "INFO uvicorn" not in log


def test_it_reloads_without_journeys(dev: Service) -> None:
    shutil.rmtree(dev.story.path / "src/bistro/journey")
    with served(dev):
        change(dev.story.path / TABLE / "controller.py", 'summary="Anyone lists', 'summary="Anyone reads')
        eventually(lambda: summary(dev) == "Anyone reads tables", dev)
        assert dev.ask("GET", "/tables").headers["X-Journey"] is None


def test_all_of_it_ends(dev: Service) -> None:
    with served(dev):
        assert dev.stop(signal.SIGTERM) == 0
    with socket.create_server(("127.0.0.1", dev.port)):
        pass


MISSING = 'A migration is missing (bookings). Run: make migration name="what changes"'


def test_a_model_without_its_migration(dev: Service) -> None:
    """Of a CHECK, too, which Alembic does not compare."""
    model = dev.story.path / BOOKING / "model.py"
    change(model, ".between(1, 12)", ".between(1, 13)")
    with served(dev):
        eventually(lambda: dev.log.read_text().count(MISSING) == 1, dev)
        change(model, ".between(1, 13)", ".between(1, 14)")
        eventually(lambda: dev.log.read_text().count(MISSING) == 2, dev)
        assert dev.ask("GET", "/tables").status == 200
        done = run(dev.story.path, dev.tools / "python", "-m", "tests.migration", "bigger parties", PYTHONPATH="src")
        assert done.returncode == 0, done.stderr
        change(model, ".between(1, 14)", ".between(1,  14)")
        behind = "the database is at migration 0001, not the newest: start `bistro dev` again, which migrates"
        eventually(lambda: behind in dev.log.read_text(), dev)
    assert "Traceback" not in dev.log.read_text()
    with served(dev):
        eventually(lambda: "bigger parties" in dev.log.read_text(), dev)


# ---- its start


def test_a_port_in_use(dev: Service, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", dev.port)):
        command = [f"{dev.story.path}/bistro", "dev"]
        settings = {**clean(), **dev.environment("dev"), "PORT": str(dev.port)}
        done = subprocess.run(command, cwd=dev.story.path, env=settings, capture_output=True, text=True, check=False)
    remedy = f"bistro dev --port {dev.port + 1}, or PORT={dev.port + 1}"
    assert done.stderr == f"bistro: port {dev.port}: Address already in use. Another one: {remedy}\n"
    assert (done.returncode, done.stdout) == (1, "")
    assert not (tmp_path / "bistro.db").exists()


def test_what_it_says_first_works_as_it_stands(dev: Service) -> None:
    settings = {**clean(), **dev.environment("dev")}
    start = ["./bistro", "dev", "--port", str(dev.port)]
    with dev.log.open("wb") as log:
        dev.process = subprocess.Popen(start, cwd=dev.story.path, env=settings, stdout=log, stderr=log)
    try:
        dev.wait_for("/health/ready", 200)
        said = dev.log.read_text()

        def shell(command: str) -> str:
            done = subprocess.run(
                command, shell=True, cwd=dev.story.path, env=settings, capture_output=True, check=True
            )
            return done.stdout.decode().strip()

        tokens = dict(re.findall(r"^A token: (.* token (\w+) ann)$", said, re.MULTILINE))
        assert sorted(tokens.values()) == ["guest", "manager", "staff"]
        for command, role in tokens.items():
            path = {"guest": "/me/bookings", "manager": "/bookings/counts", "staff": "/bookings"}[role]
            assert dev.ask("GET", path, shell(command)).status == 200
        (seed,) = re.findall("^Rows to try it with: (.*)$", said, re.MULTILINE)
        assert "new rows" in shell(seed)
        (curl,) = re.findall("^To begin with: (.*)$", said, re.MULTILINE)
        assert len(json.loads(shell(curl))["items"]) > 3
    finally:
        dev.stop(signal.SIGTERM)


# ---- its rows


def requests(story: Story) -> Iterator[tuple[str, str, str, dict[str, str], str, int]]:
    """Heading, method, path, headers, body and status of each example."""
    text = (story.path / "docs/examples.md").read_text()
    for section in text.split("\n## ")[1:]:
        heading, request, status = re.findall(r"(.*)\n\n```http\n(.*?)\n```\n\nResponse (\d+)", section, re.DOTALL)[0]
        head, _, body = request.partition("\n\n")
        first, *headers = head.splitlines()
        method, path = first.split(" ")
        yield heading, method, path, dict(line.split(": ", 1) for line in headers), body, int(status)


@pytest.mark.parametrize("name", ["bistro", "notes", "helpdesk"])
def test_each_example_runs_as_it_stands(
    name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    story = tell(name)
    service = Service(story, tools, tmp_path / "log", {"DATABASE_URL": database_of(story, tmp_path, request)})
    first, again = service.run("seed"), service.run("seed")
    assert re.fullmatch(r"[1-9]\d* new rows. Each request of docs/examples.md finds what it needs.", first), first
    assert again.startswith("0 new rows. ")
    with served(service):
        found = {}
        for heading, method, path, headers, body, status in requests(story):
            if "Authorization" in headers:
                role = headers["Authorization"].removeprefix("Bearer <token of ").removesuffix(">")
                headers["Authorization"] = f"Bearer {service.token('ann', role)}"
            url = f"http://127.0.0.1:{service.port}{path}"
            asked = urllib.request.Request(url, body.encode() or None, headers, method=method)
            try:
                with HTTP.open(asked, timeout=30) as response:
                    text, got = response.read().decode(), response.status
            except urllib.error.HTTPError as error:
                text, got = error.read().decode(), error.code
            # A list without rows would be a poor example.
            if got != status or text.startswith('{"items":[]'):
                found[heading] = (got, text)
    assert found == {}


@pytest.mark.parametrize("command", ["seed", "replay last", "test last --expect 200"])
@pytest.mark.parametrize("stated", [{}, {"ENVIRONMENT": "production"}])
def test_production_is_left_alone(
    bistro: Story, tools: Path, tmp_path: Path, command: str, stated: dict[str, str]
) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db", "PYTHONPATH": "src", **stated}
    start = "from bistro.cli import main; main()"
    done = run(bistro.path, tools / "python", "-c", start, *command.split(), **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert "this is for ENVIRONMENT=development, but it is `production`" in done.stderr
    assert not (tmp_path / "bistro.db").exists()


# ---- /docs, and what leads there


def fetch(service: Service, path: str) -> Any:
    return HTTP.open(f"http://127.0.0.1:{service.port}{path}", timeout=30)


def test_docs_come_from_the_service_alone(service: Service) -> None:
    with fetch(service, "/") as page:
        assert page.url.endswith("/docs")
        html, policy = page.read().decode(), page.headers["Content-Security-Policy"]
    assert policy == "default-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    base = f"http://127.0.0.1:{service.port}"
    found = re.findall(r"""(?:href|src|url)(?:=|: )["']([^"']+)["']""", html)
    assert len(found) == 4
    for url in found:
        with fetch(service, url.removeprefix(base)) as file:
            text = file.read().decode("latin-1")
        if url.endswith(".css"):
            assert [
                part for part in re.findall(r"url\(([^)]*)", text) if not part.strip("\"'").startswith("data:")
            ] == []
    assert service.ask("GET", "/health/live").headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_docs_have_our_examples(service: Service) -> None:
    document = service.ask("GET", "/openapi.json").body
    names = [one["summary"] for operations in document["paths"].values() for one in operations.values()]
    text = (service.story.path / "docs/examples.md").read_text()
    assert names == re.findall("^## (.*)$", text, re.MULTILINE)
    confirm = document["paths"]["/bookings/{id}/confirm"]["post"]
    (id,) = [parameter for parameter in confirm["parameters"] if parameter["name"] == "id"]
    example = confirm["responses"]["200"]["content"]["application/json"]["example"]
    assert example["id"] == id["example"] and (example["status"], example["owner"]) == ("confirmed", "ann")
    problem = confirm["responses"]["409"]["content"]["application/problem+json"]["example"]
    assert (problem["type"], problem["status"]) == ("/problems/conflict", 409)
    (scheme,) = document["components"]["securitySchemes"].values()
    for role in ["guest", "staff", "manager"]:
        assert f"`bistro token {role} ann`" in scheme["description"]


def test_docs_with_a_conflict_in_the_examples(dev: Service) -> None:
    change(dev.story.path / "docs/examples.md", '"status": "declined"', '<<<<<<< before\n"status": "declined"')
    with served(dev):
        assert dev.ask("GET", "/openapi.json").status == 200


def test_production_has_no_docs(bistro: Story, tools: Path, tmp_path: Path) -> None:
    project = tomllib.loads(bistro.files()["pyproject.toml"])
    assert "swagger" not in str([project["project"]["dependencies"], project["project"]["optional-dependencies"]])
    with production(bistro, tools, tmp_path) as (service, _):
        for path in ["/", "/docs", "/docs/swagger-ui.css", "/openapi.json"]:
            problem = service.ask("GET", path)
            assert (problem.status, problem.body.get("detail")) == (404, None)


# ---- first requests that are wrong

JSON = "application/json"
MISTAKES = {
    "no content type": (
        "POST",
        "/tables",
        "staff",
        "application/x-www-form-urlencoded",
        "{}",
        415,
        "With curl: -H 'Content-Type: application/json'",
    ),
    "broken JSON": (
        "POST",
        "/tables",
        "staff",
        JSON,
        '{"name": "A",\n "seats" 4}',
        422,
        "Must be JSON: Expecting ':' delimiter: line 2 column 10 (char 23)",
    ),
    "no body": ("POST", "/tables", "staff", JSON, "", 422, "Must be a JSON object"),
    "an unknown field": (
        "POST",
        "/tables",
        "staff",
        JSON,
        '{"name": "A", "seats": 4, "places": 4}',
        422,
        "Must be one of name, seats",
    ),
    "an unknown parameter": (
        "GET",
        "/bookings?stat=new",
        "staff",
        "",
        "",
        422,
        "Must be one of limit, cursor, table, status, starts_at_from, starts_at_to",
    ),
    "no token": (
        "GET",
        "/bookings",
        "",
        "",
        "",
        401,
        "Send a bearer token in the Authorization header. In development: bistro token staff ann",
    ),
    "a wrong path": ("GET", "/booking", "staff", "", "", 404, "Is it GET /bookings?"),
    "a slash too many": ("GET", "/tables/", "", "", "", 404, "Is it GET /tables?"),
    "a missing id": ("DELETE", "/tables", "staff", "", "", 405, "Is it DELETE /tables/{id}?"),
    "a wrong verb": (
        "POST",
        "/bookings/01980000-0000-7000-8000-000000000001/confrm",
        "staff",
        "",
        "",
        404,
        "Is it POST /bookings/{id}/confirm?",
    ),
}


def detail(service: Service, token: str, method: str, path: str, kind: str, body: str) -> tuple[int, str]:
    headers = {"Content-Type": kind} if kind else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://127.0.0.1:{service.port}{path}"
    request = urllib.request.Request(url, body.encode() or None, headers, method=method)
    with pytest.raises(urllib.error.HTTPError) as failed:
        HTTP.open(request, timeout=30)
    with failed.value as error:
        problem = json.load(error)
    return error.code, problem.get("detail") or "".join(one["detail"] for one in problem.get("errors", []))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_first_request_that_is_wrong(mistake: str, service: Service) -> None:
    method, path, role, kind, body, *expected = MISTAKES[mistake]
    token = service.token("ann", role) if role else ""
    assert [*detail(service, token, method, path, kind, body)] == expected


def test_a_token_that_has_expired(service: Service) -> None:
    remedy = "The token is not valid, or has expired. In development: bistro token guest ann"
    assert detail(service, "nonsense", "GET", "/me/bookings", "", "") == (401, remedy)


def test_production_names_no_command_and_no_path(bistro: Story, tools: Path, tmp_path: Path) -> None:
    with production(bistro, tools, tmp_path) as (service, _):
        for path, status in [("/bookings", 401), ("/booking", 404)]:
            problem = service.ask("GET", path)
            assert problem.status == status
            assert "bistro token" not in str(problem.body) and "Is it" not in str(problem.body)
