"""The commands about journeys: show, logs, replay and test."""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

from ..settings import SERVICE
from . import show, store
from .store import Json


def add(command: Callable[..., Any]) -> None:
    commands = [
        ("show", _show, "show a request to `dev` as it travelled"),
        ("logs", _logs, "print its lines of the log"),
        ("replay", _replay, "send it again, and show what differs"),
        ("test", _test, "write a test that fails until the response is the wanted one"),
    ]
    for name, run, help in commands:
        parser = command(name, run, help)
        which = "an id, or its beginning; last, which is the default; last 4xx; last 409"
        parser.add_argument("which", nargs="*", default=["last"], help=which)
        if name == "show":
            parser.add_argument("--json", action="store_true", help="for programs")
        if name == "test":
            parser.add_argument("--expect", type=int, metavar="STATUS", help="the status that was wanted")
            parser.add_argument("--has", metavar="TEXT", help="what the response should have, such as an id")
            parser.add_argument("--lacks", metavar="TEXT", help="what the response should not have")


def _show(arguments: argparse.Namespace) -> None:
    journey = _find(arguments.which)
    whole = json.dumps(journey, indent=2, ensure_ascii=False) if arguments.json else ""
    print(whole or "\n".join(show.lines(journey)))


def _logs(arguments: argparse.Namespace) -> None:
    print("\n".join(_find(arguments.which)["logs"]) or "It wrote no line.")


def _replay(arguments: argparse.Namespace) -> None:
    # Here and below, since production does not have what they import.
    from . import replay

    logging.disable(logging.INFO)
    journey = _find(arguments.which)
    again = replay.send(journey)
    for when, one in [("then", journey), ("now ", again)]:
        print(f"{when}  {show.line(one)}  {one['id']}")
    print("\n".join(replay.differences(journey, again)) or "The same status and body.")


def _test(arguments: argparse.Namespace) -> None:
    from . import regression

    journey = _find(arguments.which)
    if arguments.expect is None and not sys.stdin.isatty():
        sys.exit(f"{SERVICE}: only a person knows which status was wanted. Say it: --expect 201")
    wanted = arguments.expect or input(f"It was {journey.get('status')}. Which status was wanted? ")
    sys.exit(regression.write_and_run(journey, int(wanted), arguments.has, arguments.lacks))


def _find(which: list[str]) -> Json:
    journey = store.find(" ".join(which))
    if journey is None:
        newest = ", ".join(str(one["id"]) for one in islice(store.newest_first(), 5))
        sys.exit(f"{SERVICE}: {store.FOLDER}/ has no such journey. The newest: {newest or 'none'}")
    return journey
