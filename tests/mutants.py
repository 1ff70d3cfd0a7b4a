"""Runs the tests of many copies of services, each in a fork of one process that has imported all that they need.

python mutants.py    with the tools of a service, jobs as JSON on stdin: [{"folder": "…", "tests": ["…"]}, …]

Starting Python and importing FastAPI and SQLAlchemy takes longer than a test; here it is done once. What a job
writes is in out.txt of its folder. On stdout, as JSON: the status of each job, negative where a signal ended it.
"""

import gc
import importlib
import json
import os
import signal
import sys

import pytest

# Not psycopg: services on SQLite do not have it.
MODULES = """
    alembic.command anyio.pytest_plugin anyio._backends._asyncio fastapi.testclient jwt limits.aio.strategies
    pydantic_settings sqlalchemy.dialects.postgresql sqlalchemy.dialects.sqlite uvicorn
"""
# pytest warns of what it can no longer rewrite, and a service makes errors of warnings.
IGNORED = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
AT_ONCE = 2
# A mistake that makes a test wait for ever fails it.
SECONDS = 20


def run(folder: str, tests: list[str]) -> None:
    """In a fork, which ends with the status of pytest."""
    signal.alarm(SECONDS)
    out = os.open(f"{folder}/out.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    sys.path[:0] = [f"{folder}/src", folder]
    status = pytest.main(["--quiet", "--exitfirst", "--tb=short", "-p", "no:cacheprovider", *IGNORED, *tests])
    sys.stdout.flush()
    os._exit(status)


def main() -> None:
    for module in MODULES.split():
        importlib.import_module(module)
    # Else each fork looks for garbage in all of it, several times.
    gc.freeze()
    jobs = json.load(sys.stdin)
    statuses: list[int] = [0] * len(jobs)
    running: dict[int, int] = {}
    waiting = list(enumerate(jobs))
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            number, job = waiting.pop(0)
            if pid := os.fork():
                running[pid] = number
            else:
                run(job["folder"], job["tests"])
        pid, status = os.wait()
        statuses[running.pop(pid)] = os.waitstatus_to_exitcode(status)
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
