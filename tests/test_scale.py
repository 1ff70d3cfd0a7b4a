"""On 100,000 rows: nothing that is looked up is searched for in a whole table, and no page costs more than the first."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from stories import ROOT, Story, run


@pytest.mark.parametrize("name", ["bistro", "bistro_postgresql", "parcels", "jobs", "jobs_postgresql"])
def test_a_service_reads_by_its_indexes(name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    service = shutil.copytree(tell(name).path, tmp_path / "service")
    shutil.copy(ROOT / "tests/scale.py", service / "tests/test_scale.py")
    done = run(service, tools / "pytest", "-q", "tests/test_scale.py", PYTHONPATH="src")
    assert done.returncode == 0, done.stdout


LONG = """
import secrets

def test_only_what_is_unique_is_too_long(world):
    title = secrets.token_hex(4900)
    link = "https://example.com/" + title[:1900]
    answers = [
        world.send("POST", "/articles", {}, body).status_code
        for body in [
            {"title": "a", "town": "here", "text": title, "link": link},
            {"title": title, "town": "here", "text": "a"},
        ]
    ]
    assert answers == [201, 422]
"""


def test_what_no_index_can_hold_is_refused(tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    """An entry of a B-tree of PostgreSQL has 2704 bytes at most, however long a text may be."""
    service = shutil.copytree(tell("articles").path, tmp_path / "service")
    (service / "tests/test_long.py").write_text(LONG)
    done = run(service, tools / "pytest", "-q", "tests/test_long.py", PYTHONPATH="src")
    assert done.returncode == 0, done.stdout
