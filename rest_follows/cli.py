"""The commands. What takes long to import is imported where it is used."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NoReturn, TextIO

from rest_follows.answers import UnreadableError, load

FILE = "an answers file, as `rest-follows new` writes it"


def main() -> NoReturn:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("rest-follows", description="From use cases to a FastAPI service.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("check", help="say all that is wrong in an answers file; exit 1 where anything is")
    one.add_argument("file", type=Path, help=FILE)
    one.add_argument("--json", action="store_true", help="for editors, CI and coding agents")
    one.set_defaults(run=check)

    one = commands.add_parser("contract", help="print the contract that follows from an answers file")
    one.add_argument("file", type=Path, help=FILE)
    one.add_argument("--openapi", action="store_true", help="as OpenAPI 3.1, in JSON")
    one.set_defaults(run=contract)

    given = parser.parse_args(arguments)
    return int(given.run(given))


def check(given: argparse.Namespace) -> int:
    found = wrong(given.file)
    if given.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        tell(given.file, found)
        print("" if found else f"{given.file}: nothing is wrong.\n", end="")
    return int(bool(found))


def contract(given: argparse.Namespace) -> int:
    from rest_follows.hooks import Hooks
    from rest_follows.openapi import openapi

    if found := wrong(given.file):
        tell(given.file, found, sys.stderr)
        return 1
    hooks = Hooks()
    answers = hooks.completed(load(given.file).answers)
    if given.openapi:
        model = hooks.model(answers)
        print(json.dumps(openapi(model["service"], model["contract"]), indent=2, ensure_ascii=False))
    else:
        print(hooks.contract(answers))
    return 0


def wrong(path: Path) -> list[dict[str, Any]]:
    from rest_follows.hooks import Hooks

    try:
        file = load(path)
    except UnreadableError as error:
        return [
            {"question": "", "line": 0, "word": "", "message": said, "file_line": line} for line, said in error.found
        ]
    return [vars(fault) | {"file_line": file.line(fault)} for fault in Hooks().faults(file.answers)]


def tell(path: Path, found: list[dict[str, Any]], stream: TextIO | None = None) -> None:
    """As a compiler does, so that an editor jumps to the line."""
    for one in found:
        print(f"{path}:{one['file_line']}: {one['question']} {one['message']}".replace(":  ", ": "), file=stream)
