"""A guest's evening at a freshly generated bistro, over HTTP: `python tests/demo.py build/bistro`."""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

WIDTH = 96
COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, DIM, GREEN, YELLOW, CYAN = "1", "2", "32", "33", "36"

# Straight to our own server, whatever proxy this machine has.
http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failed(Exception):
    """Something is not as the story has it."""


def paint(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if COLOURED else text


def readable(value: Any, indent: int = 4, before: int = 0) -> str:
    """JSON on one line where it fits after what is before it, else one member a line."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + before + len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + 2
    if isinstance(value, list):
        start, end, members = "[", "]", [readable(item, inner) for item in value]
    else:
        start, end, members = "{", "}", []
        for key, item in value.items():
            members.append(f'"{key}": ' + readable(item, inner, len(key) + 4))
    lines = ",\n".join(" " * inner + member for member in members)
    return f"{start}\n{lines}\n{' ' * indent}{end}"


class Bistro:
    """The service in `home`, on a free port, with a database and a log of this demo's own."""

    def __init__(self, home: Path) -> None:
        self._home, self._log = home, home / "demo.log"
        ours = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV"}
        self._environment = {name: value for name, value in os.environ.items() if name not in ours}
        self._environment["DATABASE_URL"] = "sqlite:///demo.db"
        for old in home.glob("demo.db*"):
            old.unlink()
        self._run("make", "--no-print-directory", "setup")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self._url = f"http://127.0.0.1:{port}"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [".venv/bin/bistro", "dev", "--port", port],
                cwd=home,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._tokens: dict[str, str] = {}

    def wait(self) -> None:
        """Until it answers that it is ready."""
        for _ in range(300):
            if self._process.poll() is not None:
                break
            try:
                if self.send("GET", "/health/ready")[0] == 200:
                    print(paint(f"The service runs at {self._url}", BOLD))
                    return
            except OSError:
                pass
            time.sleep(0.1)
        end = "\n".join(self._log.read_text().splitlines()[-20:])
        raise Failed(f"The service did not start. The end of {self._log}:\n{end}")

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)

    def ask(self, says: str, who: str, request: str, status: int, body: Any = None) -> Any:
        """Prints a request and its answer, which must have the status; returns the answer's JSON."""
        print("\n" + paint(says, BOLD))
        method, path = request.split()
        sent = "" if body is None else "\n    " + readable(body)
        print("  " + paint(request, CYAN) + paint(f"  as {who or 'nobody'}", DIM) + sent)
        answered, answer = self.send(method, path, who, body)
        line = f"{answered} {HTTPStatus(answered).phrase}"
        print("  " + paint(line, GREEN if answered < 400 else YELLOW))
        print("    " + readable(answer))
        if answered != status:
            raise Failed(f"{says} {request} was to be answered with {status}, and was with {line}.")
        return answer

    def send(self, method: str, path: str, who: str = "", body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        if who:
            name, role = who.split(", ")
            headers["Authorization"] = "Bearer " + self._token(role, name)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with http.open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def _token(self, role: str, name: str) -> str:
        if name not in self._tokens:
            self._tokens[name] = self._run(".venv/bin/bistro", "token", role, name).strip()
        return self._tokens[name]

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self._home,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise Failed(f"{' '.join(command)} failed.\n{done.stdout}")
        return done.stdout


def story(bistro: Bistro) -> None:
    ann, bob, sam = "ann, guest", "bob, guest", "sam, staff"
    evening = dt.datetime.now(dt.timezone.utc).replace(hour=19, minute=0, second=0, microsecond=0)
    starts_at = evening + dt.timedelta(days=7)
    ends_at = starts_at + dt.timedelta(hours=2)

    window = {"name": "Window", "seats": 4}
    table = bistro.ask("Staff adds a table.", sam, "POST /tables", 201, window)["id"]
    bistro.ask("A guest looks at the tables, without logging in.", "", "GET /tables", 200)

    wanted = {
        "table": table,
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
        "party_size": 2,
        "note": "A birthday",
    }
    bistro.ask("Nobody requests a booking: who is it?", "", "POST /bookings", 401, wanted)
    wrong = {**wanted, "party_size": 0, "colour": "red"}
    said = "Ann sends nonsense, and is told each place where it is wrong."
    refused = bistro.ask(said, ann, "POST /bookings", 422, wrong)
    if {error["pointer"] for error in refused["errors"]} != {"/party_size", "/colour"}:
        raise Failed(f"{said} The pointers are others.")
    booking = bistro.ask("Ann requests a booking.", ann, "POST /bookings", 201, wanted)["id"]

    cancel, confirm = f"POST /me/bookings/{booking}/cancel", f"POST /bookings/{booking}/confirm"
    bistro.ask("Bob would cancel it. To him it does not exist.", bob, cancel, 404)
    bistro.ask("Ann would confirm it herself. That is for staff.", ann, confirm, 403)
    bistro.ask("Staff confirms it.", sam, confirm, 200)
    said = "Staff confirms it again: it is too late for that, and what is possible is said."
    refused = bistro.ask(said, sam, confirm, 409)
    if (refused["current"], refused["allowed"]) != ("confirmed", ["cancel"]):
        raise Failed(f"{said} The state or the moves are others.")
    said = "Ann lists her own bookings, and gets what the answers say that she sees."
    bistro.ask(said, ann, "GET /me/bookings", 200)


NEXT = """
The server is stopped. All of it is in {home}:

  cd {home}
  make run     # serve it, then try it at http://127.0.0.1:8000/docs
  make test    # everything it promises, checked

To see how a request travels, read in src/bistro/features/booking/, in this order:
controller.py, service.py, repository.py, model.py.
"""


def main() -> None:
    # Whoever ends us ends the server, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = Path(sys.argv[1])
    try:
        bistro = Bistro(home)
        try:
            bistro.wait()
            story(bistro)
        finally:
            bistro.stop()
    except Failed as failure:
        sys.exit(f"\n{failure}")
    except KeyboardInterrupt:
        sys.exit("\nStopped, and the server, too.")
    print(NEXT.format(home=home))


if __name__ == "__main__":
    main()
