"""The commands. What takes long to import is imported where it is used."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NoReturn, TextIO

from rest_follows.answers import UnreadableError, load

ANSWERS_FILE = ".copier-answers.yml"
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

    one = commands.add_parser("new", help="ask, and write a new service")
    one.add_argument("folder", type=Path, metavar="DIR", help="where it is written")
    one.add_argument("--file", type=Path, help="its answers file: DIR.answers.yml; read first where there is one")
    one.add_argument("--template", help="as `copier copy` takes it: the one of this guide")
    one.set_defaults(run=new)

    one = commands.add_parser("change", help="change the answers of a service, and update it")
    one.add_argument("folder", type=Path, metavar="DIR", nargs="?", default=".", help="the service: this folder")
    one.set_defaults(run=change)

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


def new(given: argparse.Namespace) -> int:
    if given.folder.exists() and any(given.folder.iterdir()):
        remedy = f"rest-follows change {given.folder}" if (given.folder / ANSWERS_FILE).exists() else "another name"
        print(f"{given.folder} is not empty. Take: {remedy}", file=sys.stderr)
        return 1
    file = given.file or beside(given.folder)
    try:
        start = load(file).answers if file.exists() else {}
    except UnreadableError as error:
        print(*(f"{file}:{line}: {said}" for line, said in error.found), sep="\n", file=sys.stderr)
        return 1
    from rest_follows.guide import guide

    command = ["copier", "copy", "--data-file", str(file), given.template or "", str(given.folder)]
    return guide(file, start, Path("nowhere"), command)


def change(given: argparse.Namespace) -> int:
    folder = given.folder.resolve()
    try:
        start = load(folder / ANSWERS_FILE).answers
    except UnreadableError as error:
        print(f"{error.found[0][1]}\nIs {folder} a service that was written by rest-follows?", file=sys.stderr)
        return 1
    from rest_follows.guide import guide

    file = beside(folder)
    return guide(file, start, folder, ["copier", "update", "--defaults", "--data-file", str(file), str(folder)])


def beside(folder: Path) -> Path:
    """Not in the folder: an update begins only where nothing is uncommitted."""
    return folder.resolve().with_name(f"{folder.resolve().name}.answers.yml")


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
