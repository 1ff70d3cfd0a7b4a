"""Three owners: the answers of each, what they write in their service, and what they change about it afterwards."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edits import BOOKING, CHANGES, EDITS, Answers, Edit, Files, answers, write
from stories import BIN, interview

Change = Callable[[Answers], Answers]
BETTER_TEMPLATE = "a better template"


@dataclass(frozen=True, eq=False)
class Owner:
    """`renamed` are the fields that a change calls otherwise."""

    story: str
    package: str
    edits: dict[str, Edit]
    changes: dict[str, Change]
    renamed: dict[str, tuple[str, str]]

    @property
    def answers(self) -> Answers:
        return {"outputs": ""} | interview(self.story)


# ---- what a refactoring does


def _block(text: str, name: str) -> tuple[int, int]:
    """A function or a class with its decorators, from its first line to the blank lines below it."""
    found = re.search(rf"(?m)^( *)(?:def|class) {name}\b", text)
    assert found, name
    indent, start = found[1], found.start()
    lines = text[:start].splitlines(keepends=True)
    while lines and lines[-1].strip() and lines[-1].startswith((indent + "@", indent + ")", indent + " ")):
        start -= len(lines.pop())
    end = found.end()
    for line in text[found.start() :].splitlines(keepends=True)[1:]:
        end = text.index("\n", end) + 1 if end == found.end() else end
        if line.strip() and not line.startswith((indent + " ", indent + ")")):
            break
        end += len(line)
    return start, end


def renaming_method(feature: str, old: str, new: str) -> Edit:
    patterns = {
        "service.py": rf"\bdef {old}\(",
        "controller.py": rf"\)\.{old}\(",
        "test_service.py": rf'\("{old}", .*\):',
    }

    def edit(files: Files) -> None:
        for name, pattern in patterns.items():
            for path in [path for path in files if path.endswith(f"{feature}/{name}")]:
                assert re.search(pattern, files[path]), path
                files[path] = re.sub(pattern, lambda found: found[0].replace(old, new), files[path])

    return edit


def renaming_variable(path: str, method: str, old: str, new: str) -> Edit:
    def edit(files: Files) -> None:
        start, end = _block(files[path], method)
        block = re.sub(rf"\b{old}\b", new, files[path][start:end])
        assert new in block
        files[path] = files[path][:start] + block + files[path][end:]

    return edit


def renaming_file(feature: str) -> Edit:
    def edit(files: Files) -> None:
        assert f"{feature}service.py" in files
        files[f"{feature}rules.py"] = files.pop(f"{feature}service.py")
        controller = f"{feature}controller.py"
        imported = "import rules as service\nfrom . import schemas\n"
        files[controller] = files[controller].replace("import schemas, service\n", imported)

    return edit


def moving(path: str, method: str, above: str) -> Edit:
    def edit(files: Files) -> None:
        start, end = _block(files[path], method)
        block, text = files[path][start:end], files[path][:start] + files[path][end:]
        at = _block(text, above)[0]
        files[path] = text[:at] + block.rstrip("\n") + "\n\n" + text[at:]

    return edit


def moving_class(feature: str, name: str) -> Edit:
    """Out of schemas.py, into a module of its own."""

    def edit(files: Files) -> None:
        text = files[f"{feature}schemas.py"]
        start, end = _block(text, name)
        head = '"""Made by hand."""\n\nfrom pydantic import Field\n\nfrom ... import schemas as shared\n'
        files[f"{feature}by_hand.py"] = f"{head}from ...types import Text\n\n\n{text[start:end].rstrip()}\n"
        text = text[:start] + text[end:]
        files[f"{feature}schemas.py"] = text.replace(
            "from .model import", f"from .by_hand import {name} as {name}\nfrom .model import"
        )

    return edit


def removing(parts: Iterable[tuple[str, str]]) -> Edit:
    def edit(files: Files) -> None:
        for path, name in parts:
            start, end = _block(files[path], name)
            files[path] = files[path][:start] + files[path][end:]

    return edit


def removing_use_case(feature: str, endpoint: str, method: str) -> Edit:
    layers = {"controller": endpoint, "service": method, "repository": method}
    return removing([(f"{feature}{layer}.py", name) for layer, name in layers.items()])


def formatting(width: int, chosen: str = "") -> Edit:
    """By ruff, one file or all."""

    def edit(files: Files) -> None:
        paths = [path for path in files if path.endswith(".py") and chosen in path]
        assert paths
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), {}, {path: files[path] for path in paths})
            command = [
                str(BIN / "ruff"),
                "format",
                "--isolated",
                "--quiet",
                "--no-cache",
                f"--line-length={width}",
                ".",
            ]
            subprocess.run(command, cwd=folder, check=True)
            for path in paths:
                files[path] = (Path(folder) / path).read_text()
        if not chosen:
            files["pyproject.toml"] = files["pyproject.toml"].replace("line-length = 110", f"line-length = {width}")

    return edit


def logging_everywhere(path: str) -> Edit:
    """A line more at the beginning of each method that has a docstring."""

    def edit(files: Files) -> None:
        text = re.sub(r'(?m)^(        )(""".*""")$', r"\1\2\n\1log.info(\2)", files[path])
        assert text != files[path]
        text = re.sub(r"(?m)^from uuid import UUID$", "import logging\nfrom uuid import UUID", text, count=1)
        files[path] = re.sub(r"(?m)^\n\nclass ", '\nlog = logging.getLogger("rules")\n\n\nclass ', text, count=1)

    return edit


def readme_of_ones_own(files: Files) -> None:
    files["README.md"] = "# Ours\n\nAsk Anna; she has written it down.\n"


# ---- edits that any service may have


def rule_of(feature: str, transition: str) -> Edit:
    check = f'        model.{transition}.check(row["status"], model.TRANSITIONS)\n'
    return [(f"{feature}service.py", check, f"{check}        # Not on Sundays.\n        print(id)\n")]


def common(package: str, thing: str) -> dict[str, Edit]:
    feature = f"src/{package}/features/{thing}/"
    menu = f"src/{package}/features/menu/"
    service, tests = f"{feature}service.py", f"tests/features/{thing}/"
    router = (
        '"""The menu of the day."""\n\nfrom fastapi import APIRouter\n\nfrom . import service\n\n'
        "router = APIRouter(include_in_schema=False)\n\n\n"
        '@router.get("/menu")\ndef show_menu() -> dict[str, str]:\n    return service.MenuService().today()\n'
    )
    return {
        "a file renamed": renaming_file(feature),
        "formatted at 88, one file": formatting(88, f"{feature}repository.py"),
        "formatted at 88, all files": formatting(88),
        "a log line in each rule": logging_everywhere(service),
        "a README instead": readme_of_ones_own,
        "a section of the README": [
            ("README.md", "## Deploy it\n", "## Ask us\n\nOn the fifth floor.\n\n## Deploy it\n")
        ],
        "a section of the README less": lambda files: files.update(
            {"README.md": re.sub(r"(?s)## Debug it\n.*?(?=## )", "", files["README.md"])}
        ),
        "a feature of one's own": [
            (f"{menu}__init__.py", None, ""),
            (f"{menu}controller.py", None, router),
            (
                f"{menu}service.py",
                None,
                '"""What there is today."""\n\n\nclass MenuService:\n    def today(self) -> dict[str, str]:\n'
                '        return {"soup": "of the day"}\n',
            ),
            ("tests/features/menu/test_menu.py", None, "def test_soup() -> None:\n    assert True\n"),
        ],
        "a setting more": [
            (
                f"src/{package}/settings.py",
                "    forwarded_allow_ips: str",
                '    house: str = pydantic.Field(default="ours", min_length=1)\n    forwarded_allow_ips: str',
            ),
            (".env.example", "", "\n# The name on letters.\n# HOUSE=ours\n"),
        ],
        "a rule of the linter less": [("pyproject.toml", '    "ASYNC",\n', "")],
        "a step of the CI": [
            (".github/workflows/ci.yml", "      - run: make test\n", "      - run: make test\n      - run: echo done\n")
        ],
        "a fixture": [
            (
                "tests/conftest.py",
                "",
                "\n\n@pytest.fixture\ndef evening() -> str:\n    return '20:00'\n",
            )
        ],
        "deleted recipes": [("docs/recipes.md", "", None)],
        "a header for all responses": [
            (
                f"src/{package}/web/middleware.py",
                "",
                '\n\ndef powered(headers: dict[str, str]) -> None:\n    headers["X-Powered-By"] = "us"\n',
            )
        ],
        "a package in the image": [("Dockerfile", "USER 10001", "RUN true # our own step\nUSER 10001")],
        "a dependency": EDITS["a dependency"],
        "a target of make": EDITS["a target of make"],
        "a query more": [(f"{feature}repository.py", "", "\n    def first(self) -> None:\n        return None\n")],
        "a rule more": [(service, "", "\n    def first(self) -> None:\n        return self._repository.first()\n")],
        "an endpoint at the end": [
            (
                f"{feature}controller.py",
                "",
                f'\n\n@router.get("/{thing}s/first")\ndef first_{thing}(request: Request) -> None:\n    return None\n',
            )
        ],
        "an error more": [
            (f"{feature}errors.py", "", f'\n\nclass {thing.title()}Late(Conflict):\n    title = "Too late"\n')
        ],
        "a payload more": [
            (f"{feature}schemas.py", "", f"\n\nclass First{thing.title()}Out(shared.Payload):\n    pass\n")
        ],
        "a test at the end": [
            (f"{tests}test_use_cases.py", "", f"\n\ndef test_first(world: World) -> None:\n    world.make_{thing}()\n")
        ],
        "a comment in the model": [
            (f"{feature}model.py", "    owner: orm.Mapped[str]\n", "    # Who made it.\n    owner: orm.Mapped[str]\n")
        ],
        "a docstring of a class": [
            (service, "Service:\n    def __init__", 'Service:\n    """Ours."""\n\n    def __init__')
        ],
        "another text of an error": [
            (f"{feature}errors.py", f'"{thing.title()} not found"', f'"There is no such {thing}"')
        ],
        "another row of the tests": [
            ("tests/world.py", '            "owner": "ann",\n', '            "owner": "ann",  # as all\n')
        ],
        "a word on errors": [
            ("docs/use-cases.md", "## What an error means\n", "## What an error means\n\nAsk Anna.\n")
        ],
        "a log line in one rule": [
            (
                service,
                "        values = {**new.model_dump()",
                "        print(owner)\n        values = {**new.model_dump()",
            )
        ],
        "the first test removed": removing([(f"{tests}test_use_cases.py", rf"test_create_{thing}\b")]),
    }


# ---- bistro


def swapping(question: str, one: str, other: str) -> Change:
    """Two texts change places."""

    def change(given: Answers) -> Answers:
        text = given[question]
        assert one in text and other in text, (one, other)
        text = text.replace(one, "\0", 1).replace(other, one, 1).replace("\0", other, 1)
        return given | {question: text}

    return change


def swapping_things(given: Answers) -> Answers:
    return given | {"data": "\n\n".join(reversed(given["data"].strip().split("\n\n")))}


BISTRO = Owner(
    "bistro",
    "bistro",
    {
        **EDITS,
        **common("bistro", "booking"),
        "a method renamed": renaming_method("booking", "confirm", "promise"),
        "a variable renamed": renaming_variable(f"{BOOKING}repository.py", "list_own", "listed_own", "mine"),
        "a function extracted": [
            (
                f"{BOOKING}service.py",
                '        values = {"status": model.CONFIRM.target}\n'
                "        return self._repository.update(id, values, schemas.BookingOut)\n",
                "        return self._finish(id, model.CONFIRM)\n",
            ),
            (
                f"{BOOKING}service.py",
                "",
                "\n    def _finish(self, id: UUID, done: lifecycle.Transition) -> schemas.BookingOut:\n"
                '        return self._repository.update(id, {"status": done.target}, schemas.BookingOut)\n',
            ),
            (
                f"{BOOKING}service.py",
                "from ...clock import now\n",
                "from ... import lifecycle\nfrom ...clock import now\n",
            ),
        ],
        "a method moved": moving(f"{BOOKING}service.py", "count", "create"),
        "a class moved": moving_class(BOOKING, "BookingDeclineIn"),
        "a use case removed": removing_use_case(BOOKING, "count_bookings", "count"),
        "a field of one's own": [
            (
                f"{BOOKING}model.py",
                "    party_size: orm.Mapped[int]\n",
                "    party_size: orm.Mapped[int]\n    babies: orm.Mapped[int | None]\n",
            ),
            (
                f"{BOOKING}schemas.py",
                "    note: Text | None = Field(\n",
                "    babies: Integer | None = Field(default=None, ge=0, le=4)\n    note: Text | None = Field(\n",
            ),
            (
                "tests/world.py",
                '            "party_size": 1,\n',
                '            "party_size": 1,\n            "babies": 0,\n',
            ),
        ],
        "a field for staff only": [
            (
                f"{BOOKING}schemas.py",
                "class BookingListOut(shared.Out):\n    id: UUID\n",
                "class BookingListOut(shared.Out):\n    id: UUID\n    updated_at: dt.datetime\n",
            ),
        ],
        "a tighter bound": [(f"{BOOKING}schemas.py", "        max_length=200,\n", "        max_length=100,\n")],
        "a condition of a list": [
            (
                f"{BOOKING}repository.py",
                "        return self._page(listed_own, query, schemas.OwnBookingPage)\n",
                "        listed_own = listed_own.where(model.Booking.note.is_not(None))\n"
                "        return self._page(listed_own, query, schemas.OwnBookingPage)\n",
            )
        ],
        "an audit in each write": [
            (
                f"{BOOKING}controller.py",
                "        return service.BookingService(tx).confirm(",
                '        audit.note("confirm")\n        return service.BookingService(tx).confirm(',
            ),
            (
                f"{BOOKING}controller.py",
                "        return service.BookingService(tx).decline(",
                '        audit.note("decline")\n        return service.BookingService(tx).decline(',
            ),
            (
                f"{BOOKING}controller.py",
                "from ...web import (",
                "from ... import audit\nfrom ...web import (",
            ),
            ("src/bistro/audit.py", None, '"""Who did what."""\n\n\ndef note(what: str) -> None:\n    print(what)\n'),
        ],
    },
    {
        **CHANGES,
        "two use cases swapped": swapping(
            "use_cases",
            "staff confirms booking: requested -> confirmed",
            "staff declines booking with reason: requested -> declined",
        ),
        "two fields swapped": swapping(
            "data",
            "  party_size: integer 1..12\n  note: text ..500 optional\n",
            "  phone: text 5..20 optional secret\n",
        ),
        "the things swapped": swapping_things,
    },
    {
        "a field renamed": ("note", "wish"),
        "an actor more": ("Staff confirms booking", "Host or staff confirms booking"),
    },
)

# ---- helpdesk, on PostgreSQL

TICKET = "src/helpdesk/features/ticket/"
LAST = "lead exports tickets by due"
HELPDESK = Owner(
    "helpdesk",
    "helpdesk",
    {
        "nothing": [],
        **common("helpdesk", "ticket"),
        "a method renamed": renaming_method("ticket", "take", "pick_up"),
        "a variable renamed": renaming_variable(f"{TICKET}repository.py", "list_all", "listed_all", "found"),
        "a method moved": moving(f"{TICKET}service.py", "export", "create"),
        "a class moved": moving_class(TICKET, "TicketSolveIn"),
        "a use case removed": removing_use_case(TICKET, "count_tickets", "count"),
        "a rule of a move": rule_of(TICKET, "TAKE"),
        "a tighter bound": [(f"{TICKET}schemas.py", "        max_length=80,\n", "        max_length=40,\n")],
        "a condition of a list": [
            (
                f"{TICKET}repository.py",
                "        return self._page(listed_own, query,",
                "        listed_own = listed_own.where(model.Ticket.priority != model.TicketPriority.LOW)\n"
                "        return self._page(listed_own, query,",
            )
        ],
        "an index": [
            (
                f"{TICKET}model.py",
                '        sa.Index("ix_tickets_due", "due"),\n',
                '        sa.Index("ix_tickets_due", "due"),\n        sa.Index("ix_tickets_due_priority", "due", "priority"),\n',
            )
        ],
        "a field for staff only": [
            (
                f"{TICKET}schemas.py",
                "class TicketOut(shared.SingleOut):\n    id: UUID\n",
                "class TicketOut(shared.SingleOut):\n    id: UUID\n    version: int\n",
            )
        ],
        "a mail at a move": [
            (
                f"{TICKET}controller.py",
                "        return service.TicketService(tx).solve(",
                "        mail.send(id)\n        return service.TicketService(tx).solve(",
            ),
            (f"{TICKET}controller.py", "from ...web import", "from ...clients import mail\nfrom ...web import"),
            ("src/helpdesk/clients/__init__.py", None, ""),
            ("src/helpdesk/clients/mail.py", None, '"""Mail."""\n\n\ndef send(id: object) -> None:\n    print(id)\n'),
        ],
        "an error's text": [(f"{TICKET}errors.py", '"Ticket not found"', '"We know of no such ticket"')],
        "a service of compose": [("compose.yaml", "", "\n# Our own: docker compose up mailer\n")],
    },
    {
        "a thing more": answers(
            (
                "use_cases",
                LAST,
                LAST
                + "\nlead writes article: draft -> ready\nlead creates article with title, words\nanyone lists articles",
            ),
            (
                "data",
                "  internal: boolean = false",
                "  internal: boolean = false\n\narticle:\n  title: text 1..80\n  words: text ..5000\n  status: draft | ready",
            ),
        ),
        "a use case more": answers(("use_cases", LAST, LAST + "\nlead views ticket\nagent changes ticket with due")),
        "a field more": answers(
            ("data", "  priority: low", "  channel: web | phone = web\n  priority: low"),
            ("use_cases", "title, body, priority once", "title, body, channel, priority once"),
        ),
        "a wider field": answers(("data", "title: text 5..120", "title: text 5..200")),
        "a field less": answers(
            ("data", "  due: date optional system\n", ""),
            ("use_cases", "by status, priority, due", "by status, priority"),
            ("use_cases", LAST, "lead exports tickets"),
        ),
        "a field renamed": answers(
            ("data", "  body: text", "  message: text"),
            ("use_cases", "title, body, priority", "title, message, priority"),
        ),
        "a state and a move more": answers(
            ("data", "solved | closed", "solved | closed | spam"),
            ("use_cases", LAST, LAST + "\nagent rejects ticket: open -> spam"),
        ),
        "an actor more": answers(
            ("use_cases", "lead closes ticket", "agent, lead closes ticket"),
            ("outputs", "lead closes ticket", "agent, lead closes ticket"),
        ),
        "an actor less": answers(("use_cases", "agent, lead lists tickets", "lead lists tickets")),
        "a move less": answers(("use_cases", "requester reopens own ticket: solved -> open\n", "")),
        "a use case less": answers(("use_cases", "requester views own ticket\n", "")),
        "no more exports": answers(("use_cases", LAST, "")),
        "another output": answers(
            ("outputs", "title, priority, status, created_at", "id, title, priority, status, due, created_at")
        ),
        "another problem": answers(("problem", "without repeating it to every agent", "at any hour")),
        "SQLite": answers(("database", "postgresql", "sqlite")),
        "two use cases swapped": swapping(
            "use_cases",
            "agent takes ticket with agent: open -> pending",
            "agent solves ticket with resolution: open or pending -> solved",
        ),
        "two fields swapped": swapping("data", "  title: text 5..120\n", "  body: text 10..10000\n"),
        "the things swapped": swapping_things,
    },
    {"a field renamed": ("body", "message")},
)

# ---- tickets, whose lists and payloads are alike

ALIKE_TICKET = "src/tickets/features/ticket/"
BY = "by status, topic, opened_on, urgent"
ALIKE = Owner(
    "alike",
    "tickets",
    {
        "nothing": [],
        **common("tickets", "ticket"),
        "a method renamed": renaming_method("ticket", "take", "claim"),
        "a variable renamed": renaming_variable(f"{ALIKE_TICKET}repository.py", "list_all", "listed_all", "found"),
        "a method moved": moving(f"{ALIKE_TICKET}service.py", "export", "create"),
        "a use case removed": removing_use_case(ALIKE_TICKET, "export_tickets", "export"),
        "a condition of a list": [
            (
                f"{ALIKE_TICKET}repository.py",
                "            listed_own = listed_own.where(model.Ticket.topic.in_(query.topic))\n",
                "            listed_own = listed_own.where(model.Ticket.topic.in_(query.topic))\n"
                '        listed_own = listed_own.where(model.Ticket.topic != "internal")\n',
            )
        ],
        "a condition of an export": [
            (
                f"{ALIKE_TICKET}repository.py",
                "            exported = exported.where(model.Ticket.topic.in_(query.topic))\n",
                "            exported = exported.where(model.Ticket.topic.in_(query.topic))\n"
                '        exported = exported.where(model.Ticket.topic != "internal")\n',
            )
        ],
        "a bound of one payload": [
            (
                f"{ALIKE_TICKET}schemas.py",
                "class TicketDropIn(shared.In):\n    note: Text | None = Field(\n        default=None,\n        max_length=500,\n",
                "class TicketDropIn(shared.In):\n    note: Text = Field(\n        min_length=10,\n        max_length=500,\n",
            )
        ],
        "a bound of a change": [
            (
                f"{ALIKE_TICKET}schemas.py",
                "class TicketChangeIn(shared.ChangeIn):\n    title: Text = Field(\n",
                "class TicketChangeIn(shared.ChangeIn):\n    title: Text = Field(\n        pattern='^[A-Z]',\n",
            )
        ],
        "a field for leads only": [
            (
                f"{ALIKE_TICKET}schemas.py",
                "class TicketViewOut(shared.SingleOut):\n    id: UUID\n    title: str\n    topic: str\n    opened_on: dt.date  # TicketViewOut\n",
                "class TicketViewOut(shared.SingleOut):\n    id: UUID\n    title: str\n    topic: str\n    opened_on: dt.date  # TicketViewOut\n"
                "    version: int\n",
            )
        ],
        "a rule of a move": rule_of(ALIKE_TICKET, "DROP"),
        "an assertion of a test": [
            (
                "tests/features/ticket/test_use_cases.py",
                '    assert [again.status_code, again.json()["current"]] == [409, "dropped"]\n',
                '    assert [again.status_code, again.json()["current"]] == [409, "dropped"]\n    assert "ETag" not in again.headers\n',
            )
        ],
    },
    {
        "no more changes by leads": answers(("use_cases", "lead changes ticket with title, topic, opened_on\n", "")),
        "no more changes by agents": answers(
            ("use_cases", "agent changes own ticket with title, topic, opened_on\n", "")
        ),
        "a move less": answers(("use_cases", "lead takes ticket with note: open -> taken\n", "")),
        "the other move less": answers(("use_cases", "lead drops ticket with note: open -> dropped\n", "")),
        "no more exports": answers(("use_cases", f"lead exports tickets {BY}", "")),
        "no more own list": answers(
            ("use_cases", f"agent lists own tickets {BY}\n", ""),
            ("outputs", "agent lists own tickets: id, title, topic, opened_on, urgent, status", ""),
        ),
        "no more list": answers(
            ("use_cases", f"lead lists tickets {BY}\n", ""),
            ("outputs", "lead lists tickets: id, title, topic, opened_on, urgent, owner, status\n", ""),
        ),
        "no more own view": answers(
            ("use_cases", "agent views own ticket\n", ""),
            ("outputs", "agent views own ticket: id, title, topic, opened_on, urgent, status\n", ""),
        ),
        "a thing more": answers(
            (
                "use_cases",
                f"lead exports tickets {BY}",
                f"lead exports tickets {BY}\nlead adds team\nanyone lists teams",
            ),
            ("data", "taken | dropped", "taken | dropped\n\nteam:\n  name: text 1..40"),
        ),
        "a use case more": answers(
            (
                "use_cases",
                f"lead exports tickets {BY}",
                f"lead exports tickets {BY}\nlead counts tickets by status\nlead removes ticket",
            )
        ),
        "a state and a move more": answers(
            ("data", "taken | dropped", "taken | dropped | parked"),
            ("use_cases", "lead views ticket", "lead parks ticket with note: open -> parked\nlead views ticket"),
        ),
        "a field more": answers(
            ("data", "  urgent: boolean", "  place: text 1..60\n  urgent: boolean"),
            ("use_cases", "lead changes ticket with title, topic,", "lead changes ticket with title, topic, place,"),
        ),
        "a wider field": answers(("data", "title: text 1..80", "title: text 1..120")),
        "a filter more": answers(
            ("use_cases", f"lead lists tickets {BY}", f"lead lists tickets {BY}, title"),
        ),
        "a field renamed": answers(
            ("data", "  topic: text", "  area: text"),
            *[("use_cases", "topic", "area")],
            *[("outputs", "topic", "area")],
        ),
        "another problem": answers(("problem", "see that they are taken", "see who has them")),
        "PostgreSQL": answers(("database", "sqlite", "postgresql")),
        "two use cases swapped": swapping(
            "use_cases", "lead takes ticket with note: open -> taken", "lead drops ticket with note: open -> dropped"
        ),
        "two fields swapped": swapping("data", "  title: text 1..80\n", "  topic: text 1..40\n"),
        "another order": lambda given: (
            given | {"use_cases": "\n".join(reversed(given["use_cases"].strip().splitlines()))}
        ),
    },
    {"a field renamed": ("topic", "area")},
)

OWNERS = {owner.story: owner for owner in [BISTRO, HELPDESK, ALIKE]}
# What touches all of a file, or each method of it: a conflict there is no wonder.
WHOLE = {
    "formatted at 88, one file",
    "formatted at 88, all files",
    "a README instead",
    "a log line in each rule",
}
