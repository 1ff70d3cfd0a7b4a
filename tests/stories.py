"""The interviews of tests/interviews/, and what is done with the services that they give."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
STORIES = sorted(path.stem for path in (ROOT / "tests/interviews").glob("*.yml"))


def interview(name: str) -> dict[str, str]:
    answers: dict[str, str] = yaml.safe_load((ROOT / f"tests/interviews/{name}.yml").read_text())
    return answers


@dataclass(frozen=True)
class Story:
    """A generated service. It is shared: a test that changes it makes a copy."""

    name: str
    answers: dict[str, str]
    path: Path

    @property
    def package(self) -> str:
        return self.answers["service_name"].replace("-", "_")

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.path)): path.read_text() for path in written(self.path)}


def written(folder: Path) -> list[Path]:
    """What Copier wrote, and not what was made of it since."""
    made = {".journeys", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "uv.lock"}
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and made.isdisjoint(path.relative_to(folder).parts)
    )


def run(folder: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=clean() | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def clean() -> dict[str, str]:
    """The environment without what would decide for the service, or for its tools."""
    ours = "ENVIRONMENT DATABASE_URL HOST PORT WORKERS ROOT_PATH VIRTUAL_ENV PYTHONPATH PYTHONDONTWRITEBYTECODE MAKEFLAGS MAKELEVEL"
    return {name: value for name, value in os.environ.items() if name not in ours.split()}


@contextmanager
def installed(service: Path, *options: str) -> Iterator[Path]:
    """The programs of a service and of all that it depends on.

    Not in a folder of pytest: it shuts them to other users, and PostgreSQL, which is one of them, never runs as root.
    """
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder) / "venv"
        install = ["install", "--compile-bytecode", "--python", str(venv), "-r", "pyproject.toml", "--group", "dev"]
        for command in [["venv", str(venv)], ["pip", *install, *options]]:
            done = run(service, BIN / "uv", *command)
            assert done.returncode == 0, done.stderr
        yield venv / "bin"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done: Any = run(folder, "git", *identity, *arguments)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def owned(story: Story, service: Path) -> Path:
    """A copy to break, in git, and installed as far as `make` knows."""
    shutil.copytree(story.path, service)
    (service / ".venv").mkdir()
    (service / ".venv/ready").touch()
    git(service, "init")
    git(service, "add", ".")
    git(service, "commit", "-m", "first")
    return service
