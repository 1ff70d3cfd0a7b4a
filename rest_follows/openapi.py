"""The contract as OpenAPI 3.1, made of the lines of contract/api.txt before anything is generated."""

import json
import re
from typing import Any

Json = dict[str, Any]

TYPES: dict[str, Json] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "url": {"type": "string", "format": "uri"},
}
RANGES = {"text": ("minLength", "maxLength"), "integer": ("minimum", "maximum"), "list": ("minItems", "maxItems")}
# Of a parameter that may be sent several times.
MOST_VALUES = 20
WHEN = {"future": "Must be in the future", "past": "Must not be in the future"}
LINE = re.compile(
    r"(?P<name>\S+): (?P<type>\".+?\"|\S+)(?: (?P<low>[^\s.]*(?:\.\d+)?)\.\.(?P<high>\S*))?(?: (?P<when>future|past))?"
    r"(?P<null> \| null)?(?: = (?P<default>.+?))?(?: matching (?P<pattern>.+))?"
)
PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type", "title", "status"],
}


def openapi(service: str, contract: str) -> Json:
    paths: dict[str, Json] = {}
    for text in contract.split("\n\n"):
        head, *lines = text.split("\n")
        method, path, summary = re.fullmatch(r"(\S+) (\S+): (.*)", head).groups()  # type: ignore[union-attr]
        paths.setdefault(path, {})[method.lower()] = _operation(path, summary, _sections(lines))
    login = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    parts = {"schemas": {"Problem": PROBLEM}, "securitySchemes": {"login": login}}
    return {"openapi": "3.1.0", "info": {"title": service, "version": "1"}, "paths": paths, "components": parts}


def _sections(lines: list[str]) -> dict[str, list[str]]:
    """By its first word: {"for": ["guest"], "body": ["table: uuid", …], "response": ["201", …]}"""
    found: dict[str, list[str]] = {}
    title = ""
    for line in lines:
        if line.startswith("    "):
            found[title].append(line.strip())
        else:
            title, _, rest = line.strip().partition(" ")
            found[title] = [rest] * bool(rest)
    return found


def _operation(path: str, summary: str, sections: dict[str, list[str]]) -> Json:
    who, (head, *fields), (errors,) = sections["for"][0], sections["response"], sections["errors"]
    status, _, form = head.partition(", ")
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses: Json = {status: {"description": summary}}
    if fields:
        media = "text/csv" if form == "text/csv" else "application/json"
        responses[status]["content"] = {media: {"schema": _response(form, fields)}}
    for code in errors.split(", ") if errors != "none" else []:
        responses[code] = {"description": "A problem", "content": problem}
    ids = ["id: uuid"] * ("{id}" in path)
    parameters = [_parameter("path", line) for line in ids + sections.get("path", [])]
    parameters += [_parameter("query", line) for line in sections.get("query", [])]
    operation: Json = {"summary": summary, "parameters": parameters, "responses": responses}
    if "body" in sections:
        body = _object(sections["body"], sent=True)
        needed = bool(body["required"])
        operation["requestBody"] = {"required": needed, "content": {"application/json": {"schema": body}}}
    if who != "anyone":
        operation["security"] = [{"login": [actor]} for actor in who.split(", ")]
    return operation


def _response(form: str, fields: list[str]) -> Json:
    if form == "text/csv":
        return {"type": "string", "x-columns": fields}
    item = _object(fields)
    if form == "a list of":
        return {"type": "array", "items": item}
    if form == "a page of":
        after = {"anyOf": [{"type": "string"}, {"type": "null"}]}
        page = {"items": {"type": "array", "items": item}, "next": after}
        return {"type": "object", "properties": page, "required": ["items", "next"]}
    return item


def _parameter(place: str, line: str) -> Json:
    name, schema, optional = _field(line)
    return {"name": name, "in": place, "required": not optional, "schema": schema}


def _object(lines: list[str], sent: bool = False) -> Json:
    """`table.name: text` is a field of an object, which `table?.name` says may be null."""
    whole: Json = {"type": "object", "properties": {}, "required": []}
    if sent:
        whole["additionalProperties"] = False
    for line in lines:
        path, schema, optional = _field(line)
        *outer, name = path.split(".")
        inside = whole
        for part in outer:
            key = part.removesuffix("[]").removesuffix("?")
            if part.endswith("[]"):
                # Its own line came before: `lines?: list ..50 = []`, and then `lines?[].quantity: integer 1..99`.
                inside = inside["properties"][key]["items"]
                continue
            made: Json = {"type": "object", "properties": {}, "required": []}
            found = inside["properties"].setdefault(key, _nullable(made) if part.endswith("?") else made)
            inside["required"] = list(dict.fromkeys([*inside["required"], key]))
            inside = found["anyOf"][0] if "anyOf" in found else found
        inside["properties"][name] = schema
        inside["required"] += [name] * (not optional)
    return whole


def _field(line: str) -> tuple[str, Json, bool]:
    found = LINE.fullmatch(line)
    assert found, line
    kind = found["type"]
    name = found["name"].removesuffix("[]")
    if kind == "list":
        items: Json = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        schema: Json = {"type": "array", "items": items}
    elif kind.startswith('"'):
        schema = {"type": "string", "enum": json.loads(f"[{kind.replace(' | ', ', ')}]")}
    else:
        schema = dict(TYPES.get(kind, {"type": "string", "format": kind}))
    for key, end in zip(RANGES.get(kind, ("x-minimum", "x-maximum")), (found["low"], found["high"]), strict=True):
        if end:
            schema[key] = int(end) if kind in RANGES else end
    if found["when"]:
        schema["description"] = WHEN[found["when"]]
    if found["pattern"]:
        schema["pattern"] = found["pattern"]
    if found["null"]:
        schema = _nullable(schema)
    if found["default"]:
        schema["default"] = json.loads(found["default"])
    if name != found["name"]:
        schema = {"type": "array", "items": schema, "maxItems": MOST_VALUES}
    return name.removesuffix("?"), schema, name.endswith("?")


def _nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}
