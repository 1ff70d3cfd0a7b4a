"""What a service brings for where it is tested, built and run: that it says what it should, and does what it says."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from serving import HTTP, free_port, running, status_of
from stories import BIN, Story, installed, run

LINTED = pytest.mark.parametrize("name", ["bistro", "bistro_postgresql"])
# Root without its powers: it may write only where the permissions let it.
CONFINED = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
SETTINGS = {"AUTH_ISSUER": "https://login.example.com", "AUTH_AUDIENCE": "a", "AUTH_JWKS_URL": "http://127.0.0.1:1"}


def stages(story: Story) -> list[list[tuple[str, str]]]:
    """The instructions of its Dockerfile, for each FROM."""
    text = re.sub(r"^#.*\n|\\\n", "", story.files()["Dockerfile"], flags=re.MULTILINE)
    lines = [tuple(line.split(" ", 1)) for line in text.splitlines() if line]
    starts = [index for index, (word, _) in enumerate(lines) if word == "FROM"]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]  # type: ignore[misc]


# ---- what it says


def test_the_workflow_may_only_read(story: Story) -> None:
    text = story.files()[".github/workflows/ci.yml"]
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {} and "cancel-in-progress" in workflow["concurrency"]
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"} and 0 < job["timeout-minutes"] <= 30
        first, *others = job["steps"]
        assert first["uses"].startswith("actions/checkout@") and first["with"] == {"persist-credentials": False}
        # What comes from outside is in no command.
        assert not any("${{" in step.get("run", "") for step in others)
    for use in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use), use


def test_the_workflow_does_what_its_owner_does(story: Story) -> None:
    workflow = yaml.safe_load(story.files()[".github/workflows/ci.yml"])
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == [
        "make test",
        "docker build --tag image . && docker run --rm image --help",
        "uv audit",
    ]
    (python,) = {step["with"]["python-version"] for step in steps if "python-version" in step.get("with", {})}
    assert {base for (_, base), *_ in stages(story)} == {
        f"python:{python}-slim-trixie AS build",
        f"python:{python}-slim-trixie",
    }


def test_the_workflow_needs_no_lock_and_uses_one(bistro: Story, tmp_path: Path) -> None:
    service = Path(shutil.copytree(bistro.path, tmp_path / "service"))
    workflow = yaml.safe_load((service / ".github/workflows/ci.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    locked = "${{ hashFiles('uv.lock') != '' }}"
    assert [step["env"] for step in steps if "if" not in step] == [{"UV_LOCKED": locked}] * 2
    # An image is made of what is locked.
    assert [step["if"] for step in steps if "if" in step] == [locked[4:-3]]
    assert "env" not in workflow
    # As `make setup` does, but for the installation.
    sync: list[str | Path] = [BIN / "uv", "sync", "--dry-run"]
    done = run(service, *sync, UV_LOCKED="false")
    assert done.returncode == 0, done.stderr
    assert run(service, BIN / "uv", "lock").returncode == 0
    assert run(service, *sync, UV_LOCKED="true").returncode == 0
    project = service / "pyproject.toml"
    project.write_text(project.read_text().replace('"pydantic>=', '"anyio",\n    "pydantic>='))
    assert run(service, *sync, UV_LOCKED="true").returncode == 1


def test_the_hooks_are_the_verbs_of_the_makefile(story: Story) -> None:
    hooks = yaml.safe_load(story.files()[".pre-commit-config.yaml"])
    (local,) = hooks["repos"]
    assert local["repo"] == "local"
    verbs = re.findall(r"^([a-z]+):", story.files()["Makefile"], re.MULTILINE)
    for hook in local["hooks"]:
        assert hook["language"] == "system" and hook["pass_filenames"] is False
        assert hook["entry"].removeprefix("make ") in verbs
        assert hook["stages"][0] in hooks["default_install_hook_types"]


def test_renovate_knows_where_the_service_came_from(story: Story) -> None:
    renovate = json.loads(story.files()["renovate.json"])
    assert "config:recommended" in renovate["extends"]
    assert [rule["matchManagers"] for rule in renovate["packageRules"]] == [["copier"]]
    # What its copier manager reads, without a word of trust.
    assert {"_commit", "_src_path"} <= yaml.safe_load(story.files()[".copier-answers.yml"]).keys()
    assert not re.search("trust|allowScripts|ignoreScripts", story.files()["renovate.json"])


def test_the_image_holds_what_production_needs(story: Story) -> None:
    build, final = stages(story)
    assert ("RUN", "uv sync --locked --no-dev --all-extras --no-editable") in [
        (word, rest.split("cache/uv ")[-1]) for word, rest in build
    ]
    assert [rest for word, rest in final if word == "COPY"] == [
        "--from=build /app/.venv .venv",
        "pyproject.toml ./",
        "migrations migrations",
    ]
    last = dict(final)
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last["USER"])
    assert json.loads(last["ENTRYPOINT"]) == [story.answers["service_name"]]
    assert json.loads(last["CMD"]) == ["serve"]
    assert last["ENV"].endswith(" HOST=0.0.0.0 PORT=8000") and last["EXPOSE"] == "8000"
    assert json.loads(last["HEALTHCHECK"].split("CMD ")[1])[0] == "python"
    assert ("VOLUME", "/data") in final or story.answers["database"] == "postgresql"
    # All that is copied from the folder, and nothing else, reaches the builder.
    copied = {
        part for word, rest in build + final if word == "COPY" and "--from" not in rest for part in rest.split()[:-1]
    }
    ignored = story.files()[".dockerignore"].splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied and "*" in ignored


def test_compose_gives_each_no_more_than_it_needs(tell: Callable[[str], Story]) -> None:
    text = tell("bistro_postgresql").files()["compose.yaml"]
    compose = yaml.safe_load(text)
    services = compose["services"]
    for name, service in services.items():
        assert service["read_only"] is True and "/tmp" in service["tmpfs"], name
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else []), name
        assert ("ports" in service) == (name == "proxy")
        assert service["networks"] == {"proxy": ["front"], "app": ["front", "back"]}.get(name, ["back"])
        assert service["mem_limit"] == ("1g" if name == "database" else "512m") and service["pids_limit"] == 256
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
        assert not service.keys() & {"privileged", "pid", "ipc", "network_mode", "devices"}
    assert compose["networks"]["back"] == {"internal": True}
    assert not services["database"]["user"].startswith(("0", "root"))


def test_compose_has_no_password_of_its_own(tell: Callable[[str], Story]) -> None:
    text = tell("bistro_postgresql").files()["compose.yaml"]
    passwords = re.findall(r"(?m)^ *\w*PASSWORD: (.*)$", text)
    assert len(passwords) == 2
    assert {re.sub(r":\?.*", ":?", each) for each in passwords} == {"${POSTGRES_PASSWORD:?"}
    assert not re.search(r"://\w+:", text)
    assert "\n# POSTGRES_PASSWORD=\n" in tell("bistro_postgresql").files()[".env.example"]


def test_compose_migrates_before_it_serves(tell: Callable[[str], Story]) -> None:
    services = yaml.safe_load(tell("bistro_postgresql").files()["compose.yaml"])["services"]
    assert services["migrate"]["command"] == ["migrate"] and services["migrate"]["restart"] == "on-failure"
    assert {name: service.get("depends_on") for name, service in services.items()} == {
        "proxy": {"app": {"condition": "service_healthy"}},
        "app": {"migrate": {"condition": "service_completed_successfully"}},
        "migrate": {"database": {"condition": "service_healthy"}},
        "database": None,
    }
    # Longer than what the service gives to requests that have begun.
    graceful = re.findall(r"timeout_graceful_shutdown=(\d+)", tell("bistro_postgresql").files()["src/bistro/cli.py"])
    assert int(services["app"]["stop_grace_period"].removesuffix("s")) > max(map(int, graceful))


@LINTED
def test_zizmor_finds_nothing(name: str, tell: Callable[[str], Story]) -> None:
    done = run(tell(name).path, BIN / "zizmor", "--offline", "--no-progress", ".github/workflows")
    assert done.returncode == 0, done.stdout


@LINTED
def test_hadolint_finds_nothing(name: str, tell: Callable[[str], Story]) -> None:
    done = run(tell(name).path, BIN / "hadolint", "Dockerfile")
    assert done.returncode == 0, done.stdout


# ---- what it depends on


def test_every_dependency_is_bounded(story: Story) -> None:
    project = tomllib.loads(story.files()["pyproject.toml"])
    optional = project["project"]["optional-dependencies"].values()
    groups = [project["project"]["dependencies"], *optional, project["dependency-groups"]["dev"]]
    for line in sum(groups, project["build-system"]["requires"]):
        bounds = {bound.operator: Version(bound.version) for bound in Requirement(line).specifier}
        assert bounds.keys() == {">=", "<"}, line
        assert bounds[">="] < bounds["<"] <= Version(str(bounds[">="].major + 1)), line


# ---- what it does, as far as that goes without Docker


def test_the_oldest_that_it_allows_will_do(tell: Callable[[str], Story], tmp_path: Path) -> None:
    service = tell("bistro_postgresql").path
    with installed(service, "--all-extras", "--resolution", "lowest-direct") as tools:
        for check in ["ruff check --no-cache", "lint-imports --no-cache", "pytest --quiet -p no:cacheprovider"]:
            program, *options = check.split()
            done = run(service, tools / program, *options, PYTHONPATH="src", PYTHONDONTWRITEBYTECODE="1")
            assert done.returncode == 0, done.stdout
        serve = [tools / "python", "-c", "from bistro.cli import main; main()", "serve", "--port", str(free_port())]
        settings = {"DATABASE_URL": "postgresql://localhost/nothing", "PYTHONPATH": f"{service}/src", **SETTINGS}
        with running(tmp_path, f"http://127.0.0.1:{serve[-1]}/health/live", *serve, **settings):
            assert status_of(f"http://127.0.0.1:{serve[-1]}/docs") == 404


@pytest.fixture(scope="module")
def image(bistro: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/app of the image: the steps of the Dockerfile, with this Python and this uv for the ones that it fetches."""
    folder = tmp_path_factory.mktemp("image")
    context = Path(shutil.copytree(bistro.path, folder / "context"))
    assert run(context, BIN / "uv", "lock").returncode == 0
    built, app = folder / "built", folder / "app"
    for stage in stages(bistro):
        if app.exists():
            app.rename(built)
        app.mkdir()
        environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "UV_PYTHON": sys.executable}
        for word, rest in stage:
            if word == "ENV":
                environment |= dict(each.split("=") for each in rest.split() if "$" not in each)
            elif word == "COPY" and "ghcr.io" not in rest:
                *sources, target = rest.removeprefix("--from=build ").split()
                for source in sources:
                    path = built / source[5:] if source.startswith("/app/") else context / source
                    copy: Any = shutil.copytree if path.is_dir() else shutil.copy
                    copy(path, app / target, **({"symlinks": True} if path.is_dir() else {}))
            elif word == "RUN" and "uv sync" in rest:
                done = run(app, *re.sub(r"--mount=\S+ ", "", rest).split(), **environment)
                assert done.returncode == 0, done.stderr
    shutil.rmtree(built)
    subprocess.run(["chmod", "-R", "a-w", app], check=True)
    return app


def confined(image: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{image}/.venv/bin:{os.environ['PATH']}"
    return run(image, *CONFINED, *command, PATH=path, **environment)


def test_the_image_needs_no_place_to_write_but_its_data(bistro: Story, image: Path, tmp_path: Path) -> None:
    last = dict(stages(bistro)[-1])
    start, check = (json.loads(last[word].split("CMD ")[-1]) for word in ["CMD", "HEALTHCHECK"])
    port = str(free_port())
    settings = {"PORT": port, "DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db", **SETTINGS}
    assert confined(image, "touch", "here").returncode != 0
    assert confined(image, "python", "-c", "import pytest").returncode != 0
    assert confined(image, *check, PORT=port).returncode == 1

    migrated = confined(image, "bistro", "migrate", **settings)
    assert migrated.returncode == 0, migrated.stderr
    (program,) = json.loads(last["ENTRYPOINT"])
    command = [*CONFINED, str(image / ".venv/bin" / program), *start]
    in_image = ["env", "--chdir", str(image), *command]
    with running(tmp_path, f"http://127.0.0.1:{port}/health/ready", *in_image, **settings):
        assert confined(image, *check, PORT=port).returncode == 0
        assert status_of(f"http://127.0.0.1:{port}/tables") == 200


@contextmanager
def begun(port: str) -> Iterator[socket.socket]:
    """A request whose headers do not end."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=0.5) as client:
        client.sendall(f"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
        yield client


def ended(client: socket.socket) -> bool:
    """Whether the other side has had enough, after one more header."""
    try:
        client.sendall(b"X-More: 1\r\n")
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@contextmanager
def proxied(caddyfile: str, folder: Path, to: str, prefix: str = "") -> Iterator[str]:
    """The port of the proxy before what listens on another."""
    port = str(free_port())
    folder.mkdir()
    assert "reverse_proxy app:8000\n" in caddyfile
    (folder / "Caddyfile").write_text(caddyfile.replace("app:8000", f"127.0.0.1:{to}"))
    site = f"http://127.0.0.1:{port}"
    command = [BIN / "caddy", "run", "--config", "Caddyfile"]
    settings = {"SITE": site, "ROOT_PATH": prefix, "XDG_DATA_HOME": str(folder)}
    with running(folder, f"{site}/health/live", *command, **settings):
        yield port


def test_the_proxy_cuts_off_who_is_slow_where_the_server_waits(
    tell: Callable[[str], Story], image: Path, tmp_path: Path
) -> None:
    caddyfile, direct = tell("bistro_postgresql").files()["Caddyfile"], str(free_port())
    serve = [image / ".venv/bin/bistro", "serve", "--port", direct]
    with (
        running(tmp_path, f"http://127.0.0.1:{direct}/health/live", *serve, DATABASE_URL="sqlite:///a.db", **SETTINGS),
        proxied(caddyfile, tmp_path / "proxy", direct) as port,
        begun(port) as there,
        begun(direct) as here,
    ):
        assert status_of(f"http://127.0.0.1:{port}/health/live", **{"X-Large": "a" * 20_000}) == 431
        assert any(ended(there) for _ in range(60))
        assert not ended(here)


@pytest.mark.parametrize("prefix", ["", "/shop"])
def test_the_proxy_lets_the_contract_through_and_nothing_else(
    tell: Callable[[str], Story], image: Path, tmp_path: Path, prefix: str
) -> None:
    caddyfile, direct = tell("bistro_postgresql").files()["Caddyfile"], str(free_port())
    settings = {"DATABASE_URL": "sqlite:///a.db", "PORT": direct, "ROOT_PATH": prefix, **SETTINGS}
    serve = [image / ".venv/bin/bistro", "serve"]
    with (
        running(tmp_path, f"http://127.0.0.1:{direct}/health/live", *serve, **settings),
        proxied(caddyfile, tmp_path / "proxy", direct, prefix) as port,
    ):
        assert status_of(f"http://127.0.0.1:{direct}{prefix}/health/live") == 200
        assert status_of(f"http://127.0.0.1:{port}{prefix}/bookings") == 401
        for start in {"", prefix}:
            for path in [
                "/health/live",
                "/health/ready",
                "/HEALTH/live",
                "/health%2Flive",
                "//health/live",
                "/x/../health/live",
            ]:
                assert status_of(f"http://127.0.0.1:{port}{start}{path}") == 404, path


# `serve`, with an app that says who calls.
WHO = """
import bistro.app, bistro.cli

async def who(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})

bistro.app.create_app = lambda: who
bistro.cli.main()
"""


@pytest.mark.parametrize(("believed", "directly"), [("*", "203.0.113.9"), ("192.0.2.1", "127.0.0.1")])
def test_only_a_proxy_says_who_the_client_is(
    tell: Callable[[str], Story], image: Path, tmp_path: Path, believed: str, directly: str
) -> None:
    caddyfile, direct = tell("bistro_postgresql").files()["Caddyfile"], str(free_port())
    settings = {"DATABASE_URL": "sqlite:///a.db", "FORWARDED_ALLOW_IPS": believed, **SETTINGS}
    serve = [image / ".venv/bin/python", "-c", WHO, "serve", "--port", direct]
    with (
        running(tmp_path, f"http://127.0.0.1:{direct}", *serve, **settings),
        proxied(caddyfile, tmp_path / "proxy", direct) as port,
    ):
        for through, client in [(direct, directly), (port, "127.0.0.1")]:
            claim = urllib.request.Request(f"http://127.0.0.1:{through}", headers={"X-Forwarded-For": "203.0.113.9"})
            with HTTP.open(claim) as answer:
                assert answer.read().decode() == client


def test_a_proxy_that_is_no_address_stops_the_start(image: Path) -> None:
    settings = {"DATABASE_URL": "sqlite:///a.db", "FORWARDED_ALLOW_IPS": "proxy.example.com", **SETTINGS}
    done = run(image, image / ".venv/bin/bistro", "serve", **settings)
    assert done.returncode == 1 and done.stderr.startswith("bistro: FORWARDED_ALLOW_IPS: Has the wrong form"), done
