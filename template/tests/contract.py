"""What is served, told as contract/api.txt tells it: `make contract` writes there what it reads here."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "contract" / "api.txt"
WORDS = {"string": "text", "date-time": "datetime", "uri": "url"}
# What goes without saying: the limits of any integer, those of one in a query, and that no text has a NUL.
UNTOLD = ["..", "-2147483648..2147483647", "-9007199254740991..9007199254740991"]
NO_NUL = r"^[^\x00]*$"

Json = dict[str, Any]


def told(openapi: Json) -> str:
    parts, lines = openapi["components"]["schemas"], []
    operations = [(path, *one) for path, methods in openapi["paths"].items() for one in methods.items()]
    for path, method, operation in operations:
        schemes = operation.get("security", [])
        who = ", ".join(name for scheme in schemes for names in scheme.values() for name in names)
        who = who or ("anyone logged in" if schemes else "anyone")
        lines += ["", f"{method.upper()} {path}: {operation['summary']}", f"  for {who}"]
        for title, schema in _payloads(parts, operation):
            lines += [f"  {title}", *(f"    {line}" for line in _fields(parts, schema))]
        refusals = sorted(status for status in operation["responses"] if status >= "400")
        lines.append(f"  refuses {', '.join(refusals) or 'nothing'}")
    return "\n".join(lines) + "\n"


def _payloads(parts: Json, operation: Json) -> Iterator[tuple[str, Json]]:
    for place in ["path", "query"]:
        given = [one for one in operation.get("parameters", []) if one["in"] == place and one["name"] != "id"]
        fields = {one["name"]: {**one["schema"], "null": False} for one in given}
        if fields:
            yield place, {"properties": fields, "required": [one["name"] for one in given if one["required"]]}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "body", content["schema"]
    for status in sorted(status for status in operation["responses"] if status < "400"):
        contents = operation["responses"][status].get("content", {}).values()
        schemas = [_plain(parts, content.get("schema", {})) for content in contents]
        schema = schemas[0] if schemas else {"properties": {}}
        if schema.get("properties", {}).keys() == {"items", "next"}:
            yield f"answers {status}, a page of", schema["properties"]["items"]["items"]
        elif "items" in schema:
            yield f"answers {status}, a list of", schema["items"]
        else:
            yield f"answers {status}{', text/csv' if 'x-columns' in schema else ''}", schema


def _plain(parts: Json, schema: Json) -> Json:
    """With what it refers to, and with what it is where it is not null."""
    if "$ref" in schema:
        schema = parts[schema["$ref"].split("/")[-1]] | schema
    choices = schema.get("anyOf", [])
    some = [choice for choice in choices if choice.get("type") != "null"]
    return _plain(parts, some[0]) | {"null": len(choices) > 1} | schema if len(some) == 1 else schema


def _fields(parts: Json, schema: Json, name: str = "") -> Iterator[str]:
    """`room?.name` is the name of a room that may be null."""
    schema = _plain(parts, schema)
    inside = name if name.endswith("?") or not schema.get("null") else f"{name}?"
    if "properties" in schema and name.count(".") < 4:
        for key, field in schema["properties"].items():
            mark = "" if key in schema.get("required", []) else "?"
            yield from _fields(parts, field, f"{inside}.{key}{mark}".removeprefix("."))
    elif "items" in schema:
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
        + ("" if limits in UNTOLD else f" {limits}")
        + (" future" if about.startswith("Must be in the future") else "")
        + (" past" if about.startswith("Must not be in the future") else "")
        + (" | null" if schema.get("null") else "")
        + ("" if default == "null" else f" = {default}")
        + ("" if pattern == NO_NUL else f" matching {pattern}")
    )


if __name__ == "__main__":
    head = [line for line in FILE.read_text("utf-8").splitlines() if line.startswith("#")]
    FILE.write_text("\n".join(head) + "\n" + told(json.load(sys.stdin)), "utf-8")
