"""What is served, in the words of contract/api.txt, and what a difference between the two does to clients."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "contract" / "api.txt"
WORDS = {"string": "text", "date-time": "datetime", "uri": "url", "array": "list"}
# Not written, since they hold everywhere: the limits of an integer in a body and in a query; that no text has a NUL.
EVERYWHERE = ["..", "-2147483648..2147483647", "-9007199254740991..9007199254740991"]
NO_NUL = r"^[^\x00]*$"

SENT = ["path", "query", "body"]
LIMITS = {"integer": ("-2147483648", "2147483647")}
FIELD = re.compile(
    r"(?P<name>.+?): (?P<types>.+?)(?: (?P<low>\S*?)\.\.(?P<high>\S*))?(?P<when> future| past)?"
    r"(?P<null> \| null)?(?P<default> = .+?)?(?P<pattern> matching .+)?"
)

Json = dict[str, Any]


@dataclass
class Change:
    """`where` is an operation and a part of it; `harm` says why a client that worked before fails, if one does."""

    where: str
    before: str
    after: str
    harm: str


def changes(openapi: Json) -> list[Change]:
    """What is served, compared with what contract/api.txt says."""
    accepted, served = _facts(_accepted()), _facts(described(openapi))
    found = []
    for fact in accepted | served:
        before, after = accepted.get(fact, ""), served.get(fact, "")
        # Of an operation that is new or gone, one line says it all.
        alone = len(fact) == 1 or (fact[:1] in accepted and fact[:1] in served)
        if before != after and alone and {before, after}.isdisjoint(SENT):
            found.append(Change(" ".join(fact[:2]), before, after, _harm(fact, before, after)))
    return found


def report(found: list[Change]) -> str:
    """Equal changes together, under all places that they are made at."""
    places: dict[str, list[str]] = {}
    for change in found:
        lines = [f"    {sign} {line}\n" for sign, line in [("-", change.before), ("+", change.after)] if line]
        mark = f"breaks clients: {change.harm}" if change.harm else "fine for clients"
        places.setdefault(f"{''.join(lines)}      {mark}\n", []).append(f"\n{change.where}")
    return "".join("".join(where) + "\n" + lines for lines, where in places.items())


def stale(openapi: Json) -> str:
    """One line that names the command, where contract/api.txt is not what is served; else nothing."""
    found = changes(openapi)
    if not found:
        return ""
    breaking = len([change for change in found if change.harm])
    count = f"changes: {len(found)}, of which break clients: {breaking}"
    return f"contract/api.txt is not what is served ({count}). Read `git diff` after you run: make contract"


def accept(openapi: Json) -> str:
    """Writes what is served into contract/api.txt, and returns the report of what that changes."""
    found = report(changes(openapi))
    head = [line for line in _accepted().splitlines() if line.startswith("#")]
    FILE.write_text("\n".join(head) + "\n" + described(openapi), "utf-8")
    return found


def described(openapi: Json) -> str:
    parts, lines = openapi["components"]["schemas"], []
    operations = [(path, *one) for path, methods in openapi["paths"].items() for one in methods.items()]
    for path, method, operation in operations:
        who = ", ".join(callers(operation)) or ("anyone logged in" if "security" in operation else "anyone")
        lines += ["", f"{method.upper()} {path}: {operation['summary']}", f"  for {who}"]
        for title, schema in _payloads(parts, operation):
            lines += [f"  {title}", *(f"    {line}" for line in _fields(parts, schema))]
        errors = sorted(status for status in operation["responses"] if status >= "400")
        lines.append(f"  errors {', '.join(errors) or 'none'}")
    return "\n".join(lines) + "\n"


def callers(operation: Json) -> list[str]:
    return [name for scheme in operation.get("security", []) for names in scheme.values() for name in names]


def _accepted() -> str:
    return FILE.read_text("utf-8") if FILE.exists() else ""


def _payloads(parts: Json, operation: Json) -> Iterator[tuple[str, Json]]:
    for place in ["path", "query"]:
        found = [one for one in operation.get("parameters", []) if one["in"] == place and one["name"] != "id"]
        fields = {one["name"]: {**one["schema"], "null": False} for one in found}
        if fields:
            yield place, {"properties": fields, "required": [one["name"] for one in found if one["required"]]}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "body", content["schema"]
    for status in sorted(status for status in operation["responses"] if status < "400"):
        contents = operation["responses"][status].get("content", {}).values()
        schemas = [plain(parts, content.get("schema", {})) for content in contents]
        schema = schemas[0] if schemas else {"properties": {}}
        if schema.get("properties", {}).keys() == {"items", "next"}:
            yield f"response {status}, a page of", schema["properties"]["items"]["items"]
        elif "items" in schema:
            yield f"response {status}, a list of", schema["items"]
        else:
            yield f"response {status}{', text/csv' if 'x-columns' in schema else ''}", schema


def plain(parts: Json, schema: Json) -> Json:
    """With what it refers to, and with what it is where it is not null."""
    if "$ref" in schema:
        schema = parts[schema["$ref"].split("/")[-1]] | schema
    choices = schema.get("anyOf", [])
    some = [choice for choice in choices if choice.get("type") != "null"]
    return plain(parts, some[0]) | {"null": len(choices) > 1} | schema if len(some) == 1 else schema


def _fields(parts: Json, schema: Json, name: str = "") -> Iterator[str]:
    """`room?.name` is the name of a room that may be null."""
    schema = plain(parts, schema)
    inside = name if name.endswith("?") or not schema.get("null") else f"{name}?"
    if "properties" in schema and name.count(".") < 4:
        for key, field in schema["properties"].items():
            mark = "" if key in schema.get("required", []) else "?"
            yield from _fields(parts, field, f"{inside}.{key}{mark}".removeprefix("."))
    elif "items" in schema:
        if "maxItems" in schema:
            yield f"{name}: {_type(schema)}"
        yield from _fields(parts, schema["items"], f"{inside}[]")
    else:
        yield from schema.get("x-columns", [f"{name or 'all'}: {_type(schema)}"])


def _type(schema: Json) -> str:
    kind: str = schema.get("format") or schema.get("type", "anything")
    about: str = schema.get("description", "")
    ends = [[str(schema[key]) for key in schema if end in key.lower()] or [""] for end in ("min", "max")]
    limits = "..".join(end[0].removesuffix(".0") for end in ends)
    pattern = NO_NUL if "format" in schema else schema.get("pattern", NO_NUL)
    default = json.dumps(schema.get("default"), ensure_ascii=False)
    return (
        (" | ".join(map(json.dumps, schema.get("enum", []))) or WORDS.get(kind, kind))
        + ("" if limits in EVERYWHERE else f" {limits}")
        + (" future" if about.startswith("Must be in the future") else "")
        + (" past" if about.startswith("Must not be in the future") else "")
        + (" | null" if schema.get("null") else "")
        + ("" if default == "null" else f" = {default}")
        + ("" if pattern == NO_NUL else f" matching {pattern}")
    )


def _facts(text: str) -> dict[tuple[str, ...], str]:
    """Each line, by the names that lead to it: operation, place, field."""
    facts, names = {}, [""]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            depth, name = (len(line) - len(line.lstrip())) // 2, line.strip().split(":")[0]
            names[depth:] = [re.sub(r"\?|\[\]|[ ,].*", "", name) if depth else name]
            facts[tuple(names)] = line.strip()
    return facts


def _harm(fact: tuple[str, ...], was: str, now: str) -> str:
    """Why a client fails that relies on what was there before; empty where none does."""
    place = fact[1] if len(fact) > 1 else ""
    if not now:
        return "it is gone"
    if not was:
        return "they do not send it" if place in SENT and "?" not in now.split(":")[0] else ""
    if place == "query" and "[]" in now:
        # One value is a list of one.
        was, now = was.replace("[]", ""), now.replace("[]", "")
    if place in SENT:
        return "" if _within(was, now) else "what they send may be refused"
    if len(fact) == 3:
        return "" if _within(now, was) else "they may not understand what they get"
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
