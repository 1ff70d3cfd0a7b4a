"""What is served is what contract/api.txt tells; a change is accepted there, where a review sees it."""

import re
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from tests.contract import FILE, told

SENT = ["path", "query", "body"]
LIMITS = {"integer": ("-2147483648", "2147483647")}
FIELD = re.compile(
    r"(?P<name>.+?): (?P<types>.+?)(?: (?P<low>\S*?)\.\.(?P<high>\S*))?(?P<when> future| past)?"
    r"(?P<null> \| null)?(?P<default> = .+?)?(?P<pattern> matching .+)?"
)
HELP = "Is it meant? Then `make contract` accepts it there, and the review reads it."


def test_contract(edge: TestClient) -> None:
    kept, served = _facts(FILE.read_text("utf-8")), _facts(told(edge.get("/openapi.json").json()))
    changes: dict[str, list[str]] = {}
    for fact in kept | served:
        was, now = kept.get(fact, ""), served.get(fact, "")
        alone = len(fact) > 1 and fact[:1] in kept and fact[:1] in served
        if was != now and (alone or len(fact) == 1) and {was, now}.isdisjoint(SENT):
            harm = _harm(fact, was, now)
            lines = [f"    {sign} {line}\n" for sign, line in [("-", was), ("+", now)] if line]
            mark = f"breaks clients: {harm}" if harm else "fine for clients"
            changes.setdefault(f"{''.join(lines)}      {mark}\n", []).append(f"\n{' '.join(fact[:2])}")
    report = "".join("".join(where) + "\n" + change for change, where in changes.items())
    if report:
        pytest.fail(f"What is served (+) differs from contract/api.txt (-).\n{report}\n{HELP}", pytrace=False)


def _facts(text: str) -> dict[tuple[str, ...], str]:
    """Each line, by the names that lead to it: operation, place, field."""
    facts, names = {}, [""]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            depth, name = (len(line) - len(line.lstrip())) // 2, line.strip().split(":")[0]
            names[depth:] = [re.split("[ ,]", name)[0].replace("?", "") if depth else name]
            facts[tuple(names)] = line.strip()
    return facts


def _harm(fact: tuple[str, ...], was: str, now: str) -> str:
    """Why a client fails that keeps to what was told; empty where none does."""
    place = fact[1] if len(fact) > 1 else ""
    if not now:
        return "it is gone"
    if not was:
        return "they do not send it" if place in SENT and "?" not in now.split(":")[0] else ""
    if place in SENT:
        return "" if _within(was, now) else "what they send may be refused"
    if len(fact) == 3:
        return "" if _within(now, was) else "what they are shown may surprise them"
    if place == "for":
        fewer = set(re.findall(r"\w+", was)) - set(re.findall(r"\w+", now))
        return "some may not call it any more" if fewer and now != "for anyone" else ""
    return "another status, or another form" if place else ""


def _within(inner: str, outer: str) -> bool:
    """Whether a field can hold all that another one can."""
    a, b = FIELD.fullmatch(inner), FIELD.fullmatch(outer)
    if not a or not b:
        return False
    least, most = LIMITS.get(a["types"], ("-Infinity", "Infinity"))
    return (
        a["name"].count("?") <= b["name"].count("?")
        and set(a["types"].split(" | ")) <= set(b["types"].split(" | "))
        and Decimal(b["low"] or least) <= Decimal(a["low"] or least)
        and Decimal(a["high"] or most) <= Decimal(b["high"] or most)
        and all(a[part] in (None, b[part]) for part in ("null", "default"))
        and all(b[part] in (None, a[part]) for part in ("when", "pattern"))
    )
