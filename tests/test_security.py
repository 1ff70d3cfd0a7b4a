"""Each row of the OWASP API Security Top 10 in a service's docs names tests that notice when its protection is gone."""

import re
import shutil
from pathlib import Path

import pytest
from stories import Story, run

BOOKING = "src/bistro/features/booking"


def rows(service: Path) -> dict[int, list[str]]:
    """The tests of each row, as pytest takes them."""
    text = (service / "docs/security.md").read_text()
    return {
        int(number): re.findall(r"`([^`]+)`", tests)
        for number, tests in re.findall(r"^\| API(\d+) .*? \| (`[^|]*|none[^|]*) \|$", text, re.MULTILINE)
    }


def chosen(service: Path, tests: list[str]) -> list[str]:
    files = [str(path.relative_to(service)) for test in tests if "/" in test for path in service.glob(test)]
    return files + [f"tests/test_security.py::{test}" for test in tests if "/" not in test]


def test_every_row_names_tests_that_are_there(story: Story) -> None:
    found = rows(story.path)
    assert list(found) == [*range(1, 11)]
    text = story.files()["tests/test_security.py"]
    written = set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))
    for tests in found.values():
        assert all("/" in test or test in written for test in tests)
        assert all(list(story.path.glob(test)) for test in tests if "/" in test)
    assert written == {test for tests in found.values() for test in tests if "/" not in test}


@pytest.mark.parametrize(
    ("row", "file", "old", "new"),
    [
        pytest.param(1, f"{BOOKING}/repository.py", ", model.Booking.owner == owner)", ")", id="1 anybody's row"),
        pytest.param(2, "src/bistro/web/auth.py", "if credentials is None:", "if not credentials and 0:", id="2"),
        pytest.param(2, "src/bistro/web/auth.py", '["exp", "iss"', '["iss"', id="2 a token for ever"),
        pytest.param(2, "src/bistro/web/auth.py", "leeway=LEEWAY", "leeway=9**9", id="2 a token that has expired"),
        pytest.param(3, "src/bistro/schemas.py", 'extra="forbid"', 'extra="ignore"', id="3 more is sent"),
        pytest.param(
            3,
            f"{BOOKING}/schemas.py",
            "    reason: str | None\n",
            "    reason: str | None\n    phone: str | None\n",
            id="3",
        ),
        pytest.param(
            3,
            "src/bistro/web/problems.py",
            'detail = error["msg"]',
            'detail = str(error) + error["msg"]',
            id="3 an echo",
        ),
        pytest.param(4, f"{BOOKING}/schemas.py", "        max_length=500,\n", "", id="4 a text without an end"),
        pytest.param(4, "src/bistro/schemas.py", "ge=1, le=100", "ge=1", id="4 a page without an end"),
        pytest.param(
            4, "src/bistro/web/middleware.py", "int(length) > MAX_BODY_SIZE", "0", id="4 a body without an end"
        ),
        pytest.param(4, "src/bistro/web/rate_limit.py", "if not settings.rate_limit:", "if 1:", id="4 too often"),
        pytest.param(
            5, "src/bistro/web/auth.py", "if caller.roles.isdisjoint(roles):", "if not roles:", id="5 any role"
        ),
        pytest.param(
            5, f"{BOOKING}/controller.py", '    dependencies=[auth.require("manager")],\n', "", id="5 no role"
        ),
        pytest.param(6, "src/bistro/lifecycle.py", "if current not in self.sources:", "if not current:", id="6 a move"),
        pytest.param(
            6,
            "src/bistro/web/idempotency.py",
            "self._execute(claim.on_conflict_do_nothing().returning(keys.c.key)).first() is None",
            "False",
            id="6 done twice",
        ),
        pytest.param(
            7,
            f"{BOOKING}/service.py",
            '        values = {**new.model_dump(), "owner": owner}',
            "        import urllib.request\n\n        urllib.request.urlopen('http://127.0.0.1:9/' + str(new.note))\n"
            '        values = {**new.model_dump(), "owner": owner}',
            id="7 an address of a client's",
        ),
        pytest.param(8, "src/bistro/app.py", 'settings.environment == "development"', "True", id="8 docs for all"),
        pytest.param(
            8,
            "src/bistro/web/middleware.py",
            '[*SECURITY_HEADERS, (b"content-security-policy", policy)]',
            "[]",
            id="8 bare answers",
        ),
        pytest.param(
            9,
            "src/bistro/web/health.py",
            '    @router.get("/live")',
            '    @router.get("/live")\n    @router.get("/old")',
            id="9",
        ),
        pytest.param(9, f"{BOOKING}/schemas.py", "    ends_at: dt.datetime\n", "", id="9 not as was told"),
        pytest.param(10, "src/bistro/web/auth.py", "OSError, ValueError", "OSError", id="10 junk"),
    ],
)
def test_a_row_fails_without_its_protection(
    bistro: Story, tools: Path, tmp_path: Path, row: int, file: str, old: str, new: str
) -> None:
    service = Path(shutil.copytree(bistro.path, tmp_path / "bistro"))
    text = (service / file).read_text()
    assert old in text
    (service / file).write_text(text.replace(old, new))
    tests = chosen(service, rows(service)[row])
    done = run(service, tools / "pytest", "-q", "-p", "no:cacheprovider", *tests, PYTHONPATH="src")
    assert done.returncode == 1 and "FAILED" in done.stdout, done.stdout
