"""The commands about journeys: show, logs, replay and test."""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

from ..settings import SERVICE, read_settings
from . import show, store
from .store import Json


def add(command: Callable[..., Any]) -> None:
    which = "last, which is the default; last 4xx; last 409; an id, or its beginning"
    for name, run, help in [
        ("show", _show, "show a request to `dev` as it travelled"),
        ("logs", _logs, "print its lines of the log"),
        ("replay", _replay, "send it again, and show what differs"),
        ("test", _test, "write a test that fails until the response is the wanted one"),
    ]:
        parser = command(name, run, help)
        parser.add_argument("which", nargs="*", default=["last"], help=which)
        if name == "show":
            parser.add_argument("--json", action="store_true", help="for programs")
        if name == "test":
            parser.add_argument("--expect", type=int, metavar="STATUS", help="the status that was wanted")
            parser.add_argument("--has", default="", metavar="TEXT", help="what the response should have")
            parser.add_argument("--lacks", default="", metavar="TEXT", help="what it should not have")


def _show(arguments: argparse.Namespace) -> None:
    journey = _find(arguments.which)
    whole = json.dumps(journey, indent=2, ensure_ascii=False) if arguments.json else ""
    print(whole or "\n".join(show.lines(journey)))


def _logs(arguments: argparse.Namespace) -> None:
    print("\n".join(_find(arguments.which)["logs"]) or "It wrote no line.")


def _replay(arguments: argparse.Namespace) -> None:
    # Here and below, since production does not have what they import.
    from ..app import create_app
    from .replay import differences, send
    from .watch import watch

    logging.disable(logging.INFO)
    journey, settings = _find(arguments.which), read_settings(environment="development")
    app = create_app(settings)
    watch(app, settings.port)
    again = send(journey, app)
    for when, one in [("then", journey), ("now ", again)]:
        print(f"{when}  {show.line(one)}  {one['id']}")
    print("\n".join(differences(journey, again)) or "The same status and body.")


def _test(arguments: argparse.Namespace) -> None:
    from .replay import write_test

    journey = _find(arguments.which)
    if arguments.expect is None and not sys.stdin.isatty():
        sys.exit(f"{SERVICE}: only a person knows which status was wanted. Say it: --expect 201")
    wanted = arguments.expect or input(f"It was {journey.get('status')}. Which status was wanted? ")
    fails, text = write_test(journey, int(wanted), arguments.has, arguments.lacks)
    print(text)
    sys.exit(not fails)


def _find(which: list[str]) -> Json:
    journey = store.find(" ".join(which))
    if journey is None:
        newest = ", ".join(str(one["id"]) for one in islice(store.newest_first(), 5))
        sys.exit(f"{SERVICE}: {store.FOLDER}/ has no such journey. The newest: {newest or 'none'}")
    return journey
