"""A guest's way to a table at a newly generated bistro, over HTTP: `demo.py build/bistro`."""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, GREEN, YELLOW, CYAN = 1, 32, 33, 36
FILL = textwrap.TextWrapper(
    width=96,
    initial_indent=" " * 4,
    subsequent_indent=" " * 5,
    break_long_words=False,
    break_on_hyphens=False,
)
PEOPLE = {"ann": "guest", "bob": "guest", "sam": "staff"}
NEXT = """
That was your bistro, and it has stopped. Now look around:

  cd {home}
  make run     # serve it, and try it at http://127.0.0.1:8000/docs
  make test    # everything it promises, checked

To read along, open src/bistro/features/booking/: controller.py, then service.py,
repository.py and model.py. docs/debugging.md leads from a wrong response to its line.
"""

# Without what `make` tells the commands it runs, and what would lead uv to another .venv.
OURS = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in OURS}
ENVIRONMENT |= {"ENVIRONMENT": "development", "DATABASE_URL": "sqlite:///demo.db"}

# Straight to our own server, whatever proxy this machine has.
http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DemoError(Exception):
    """It did not go as it should have."""


def run(home: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=home, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise DemoError(f"`{' '.join(command)}` failed.\n{done.stdout}")
    return done.stdout.strip()


def token(home: Path, name: str) -> str:
    return run(home, ".venv/bin/bistro", "token", PEOPLE[name], name)


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of the service, which runs within the block, with an empty database."""
    for old in home.glob("demo.db*"):
        old.unlink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command, log = [".venv/bin/bistro", "dev", "--port", port], home / "demo.log"
    with log.open("wb") as file:
        # In a group of its own: Ctrl-C reaches only us, and we end all of it.
        server = subprocess.Popen(command, cwd=home, env=ENVIRONMENT, stdout=file, stderr=file, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        if not is_ready(server, url):
            end = "\n".join(log.read_text().splitlines()[-20:])
            raise DemoError(f"The service did not start. {log} ends with:\n{end}")
        yield url
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def is_ready(server: "subprocess.Popen[bytes]", url: str) -> bool:
    end = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < end:
        try:
            return send(urllib.request.Request(url + "/health/ready"))[0] == 200
        except OSError:
            time.sleep(0.1)
    return False


def send(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with http.open(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def show(text: str, colour: int, value: Any = None) -> None:
    print(f"\033[{colour}m{text}\033[0m" if COLOURED else text, flush=True)
    if value is not None:
        # A key stays on the line of its value: no line ends at a blank that does not break.
        line = json.dumps(value, ensure_ascii=False, separators=(", ", ":\N{NO-BREAK SPACE}"))
        print(FILL.fill(line).replace("\N{NO-BREAK SPACE}", " "), flush=True)


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoError(otherwise)


class Story:
    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        self._url, self._tokens = url, tokens

    def tell(self, says: str, who: str, what: str, expected: int, body: Any = None) -> Any:
        """Sends a request and shows it with its answer, which must have the expected status."""
        method, path = what.split()
        headers = {"Content-Type": "application/json"}
        if who:
            headers["Authorization"] = f"Bearer {self._tokens[who]}"
        data = None if body is None else json.dumps(body).encode()
        show(f"\n{says}", BOLD)
        show(f"  {what}   {f'{who}, {PEOPLE[who]}' if who else 'no token'}", CYAN, body)
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        status, answer = send(request)
        phrase = f"{status} {HTTPStatus(status).phrase}"
        show(f"  {phrase}", GREEN if status < 400 else YELLOW, answer)
        check(status == expected, f'"{says}" should be answered with {expected}, not {phrase}.')
        return answer

    def run(self) -> None:
        day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=7)
        window = {"name": "Window", "seats": 4}
        table = self.tell("Staff adds a table.", "sam", "POST /tables", 201, window)["id"]
        self.tell("Anyone may look at the tables.", "", "GET /tables", 200)

        wish = {"table": table, "starts_at": f"{day}T19:00:00Z", "ends_at": f"{day}T21:00:00Z"}
        good = {**wish, "party_size": 2, "note": "A birthday"}
        bad = {**wish, "party_size": 0, "colour": "red"}
        self.tell("Who is it that would like a booking?", "", "POST /bookings", 401, good)
        no = self.tell("Ann sends two mistakes.", "ann", "POST /bookings", 422, bad)
        where = {error["pointer"] for error in no["errors"]}
        check(where == {"/party_size", "/colour"}, f"422 should not point to {where}.")
        id = self.tell("Ann requests a booking.", "ann", "POST /bookings", 201, good)["id"]

        cancel, confirm = f"POST /me/bookings/{id}/cancel", f"POST /bookings/{id}/confirm"
        self.tell("Bob would cancel it. For him it is not there.", "bob", cancel, 404)
        self.tell("Ann would confirm it herself. That is for staff.", "ann", confirm, 403)
        self.tell("Staff confirms it.", "sam", confirm, 200)
        no = self.tell("Once more? It is confirmed already.", "sam", confirm, 409)
        facts = no["current"], no["allowed"]
        check(facts == ("confirmed", ["cancel"]), f"409 should not say {facts}.")
        listed = self.tell("Ann lists her own bookings.", "ann", "GET /me/bookings", 200)
        check(len(listed["items"]) == 1, "Ann should have one booking.")


def main() -> None:
    # Who ends us, ends the server, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped, and the server with it."))
    home = Path(sys.argv[1])
    try:
        show(f"Installing and starting the bistro in {home} …", BOLD)
        run(home, "make", "--no-print-directory", "setup")
        with served(home) as url:
            show(f"It runs at {url}. Three people get their tokens:", BOLD)
            for name, role in PEOPLE.items():
                show(f"  bistro token {role} {name}", CYAN)
            with ThreadPoolExecutor() as pool:
                tokens = pool.map(lambda name: token(home, name), PEOPLE)
            Story(url, dict(zip(PEOPLE, tokens, strict=True))).run()
        show("\nHow the second confirmation travelled: bistro show last 409", BOLD)
        # Not by `run`, so that it has colours where this is a terminal.
        shown = subprocess.run([".venv/bin/bistro", "show", "last", "409"], cwd=home, env=ENVIRONMENT)
        check(shown.returncode == 0, "The journey of the 409 should be there.")
    except DemoError as failure:
        sys.exit(f"\n{failure}")
    except KeyboardInterrupt:
        sys.exit("\nStopped, and the server with it.")
    print(NEXT.format(home=home))


if __name__ == "__main__":
    main()
