"""Examples are what they say: judged here by rules written a second time, in Python."""

import datetime as dt
import itertools
import operator
import re
import unicodedata
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import test_questions
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_questions import Asked

# pytest finds its fixtures here too.
interview, worker, asked = test_questions.interview, test_questions.worker, test_questions.asked

Field = dict[str, Any]
Thing = dict[str, Any]

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "!=": operator.ne,
}
BOUNDS = {
    "text": ("0", "10000"),
    "integer": ("-2147483648", "2147483647"),
    "decimal": ("-999999999999.999999", "999999999999.999999"),
    "money": ("-999999999999.99", "999999999999.99"),
}
SHAPES = {
    "decimal": r"-?\d{1,12}(\.\d{1,6})?",
    "money": r"-?\d{1,12}(\.\d{1,2})?",
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"\d\d:\d\d(:\d\d)?",
    "datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "email": r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+",
    "url": r"https?://[A-Za-z0-9.-]+(:\d{1,5})?([/?#][!-~]*)?",
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "ref": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}
READ: dict[str, Callable[[str], Any]] = {
    "text": lambda text: unicodedata.normalize("NFC", text.strip()),
    "decimal": Decimal,
    "money": Decimal,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "datetime": lambda text: dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC),
    "uuid": UUID,
    "ref": UUID,
    "integer": int,
}
# What is in the future today still is when the service is old.
FUTURE, PAST = dt.date(2060, 1, 1), dt.date(2026, 1, 1)


def python(literal: str, **names: object) -> Any:
    return eval(literal, {"dt": dt, "Decimal": Decimal, "UUID": UUID} | names)


def read(field: Field, value: Any) -> Any:
    """A JSON value as Python has it; ValueError where it is none of this field's."""
    kind = field["type"]
    if kind in {"integer", "boolean"}:
        if type(value) is not {"integer": int, "boolean": bool}[kind]:
            raise ValueError
    elif not isinstance(value, str) or (kind in SHAPES and not re.fullmatch(SHAPES[kind], value, re.ASCII)):
        raise ValueError
    return READ[kind](value) if kind in READ else value


def may_be(field: Field, value: Any) -> bool:
    """Whether a Python value is within all that the field's own line says."""
    kind = field["type"]
    if kind in BOUNDS:
        low, high = field["min"] or BOUNDS[kind][0], field["max"] or BOUNDS[kind][1]
        size = len(value) if kind == "text" else value
        fits = Decimal(low) <= size <= Decimal(high)
        return fits and (kind != "text" or (re.fullmatch(field["pattern"] or r"[^\x00]*", value) is not None))
    if kind == "choice":
        return value in field["choices"]
    if kind in {"date", "datetime"}:
        day = value.date() if kind == "datetime" else value
        return 1900 <= day.year < 2200 and (day >= FUTURE or not field["future"]) and (day < PAST or not field["past"])
    return kind not in {"email", "url"} or len(value) <= {"email": 254, "url": 2000}[kind]


def is_good(field: Field, value: Any) -> bool:
    try:
        return may_be(field, read(field, value))
    except (ValueError, OverflowError):
        return False


def broken(thing: Thing, row: dict[str, Any]) -> list[int]:
    """The rules that do not hold, by number."""
    found = []
    for number, rule in enumerate(thing["always"]):
        left = thing["field"][rule["left"]]
        right = rule["right"]
        other = READ.get(left["type"], str)(right) if rule["literal"] else row[right]
        if not COMPARE[rule["op"]](row[left["name"]], other):
            found.append(number)
    return found


def judge(thing: Thing) -> None:
    fields = thing["fields"]
    whole = {field["name"]: python(field["good"][0]) for field in fields}
    row = {field["name"]: read(field, whole[field["name"]]) for field in fields}
    assert broken(thing, row) == []
    for field in fields:
        name = field["name"]
        first, second = (read(field, python(text)) for text in field["good"])
        assert may_be(field, first) and may_be(field, second)
        assert broken(thing, row | {name: second}) == []
        ruled = [rule for rule in thing["always"] if name in (rule["left"], rule["right"])]
        assert first != second or ruled or field["pattern"] in {"^ab$", "^a+$", "^A?$"}, field
        for text in field["wrong"]:
            assert len(text) <= 60 and not is_good(field, python(text)), (field, text)
        if field["has_default"] and not ruled:
            default = READ[field["type"]](field["default"]) if field["type"] in READ else field["default"]
            assert default == first or not may_be(field, default)
    for entry in thing["broken"]:
        changes = {name: python(text) for name, text in entry["changes"].items()}
        assert entry["field"] in {thing["always"][entry["rule"]]["left"], thing["always"][entry["rule"]]["right"]}
        assert all(is_good(thing["field"][name], value) for name, value in changes.items())
        changed = {name: read(thing["field"][name], value) for name, value in changes.items()}
        assert entry["rule"] in broken(thing, row | changed)
    judge_rows(thing, row)


def counts(stored: str) -> bool:
    try:
        python(stored)
    except NameError:
        return True
    return False


def judge_rows(thing: Thing, good: dict[str, Any]) -> None:
    fields = thing["fields"]
    rows = [{field["name"]: python(field["stored"], n=n) for field in fields} for n in range(thing["rows"])]
    assert 1 <= len(rows) <= 3
    for field in fields:
        name = field["name"]
        values = [row[name] for row in rows]
        assert all(may_be(field, value) and type(value) is type(good[name]) for value in values)
        assert field["counts"] == counts(field["stored"])
        assert len(set(values)) == (len(values) if field["counts"] else 1)
        assert field["counts"] or values[0] == good[name]
        assert field["counts"] or not field["unique"] or field["type"] == "ref" or len(rows) == 1
        assert len(f'            "{name}": {field["stored"]},') <= 110
    for row in rows:
        assert broken(thing, row) == []
    for names in thing["one_per"]:
        refs = any(thing["field"][name]["ref"] for name in names if name != "owner")
        if not refs and not (thing["varies_owner"] and "owner" in names):
            seen = [tuple(row[name] for name in names if name != "owner") for row in rows]
            assert len(set(seen)) == len(seen)
    assert thing["counts"] == (thing["varies_owner"] or any(field["counts"] for field in fields))
    assert not thing["varies_owner"] or len(rows) == 1


def exemplified(asked: Asked, data: str) -> Thing:
    """The last thing of data, with its examples."""
    names = re.findall(r"^(\w+):", data, re.MULTILINE)
    use_cases = "".join(f"guest adds {name}\n" for name in names) + f"guest lists own {names[-1]}\n"
    if "status:" in data:
        use_cases += f"guest closes {names[-1]}: open -> closed\n"
    design = asked.design(use_cases=use_cases, data=data)
    thing: Thing = design["things"][-1]
    asked.render('{% from "hooks/derive/examples.jinja" import exemplify %}{{ exemplify(thing) }}', thing=thing)
    return thing


WORDS = ["a", "b", "c", "d"]
PATTERNS = [
    "^[A-Z0-9]{10}$",
    "^[A-Z]{2}-[0-9]{4}$",
    "^[0-9]{2}$",
    "^[0-9]$",
    "^[a-z]+x?$",
    "^[ab]{3,9}$",
    "^ab$",
    "^a+$",
    "^A?$",
    "^[a-z_-]*@?$",
    "^[{}\"'0-9]{12}$",
    "^[+]?[0-9]{5,15}$",
    "^[a-c][0-9][x-z]$",
    "^[a-f]{200}$",
    "^Nr[0-9]{80}x$",
]
SPECS: dict[str, list[str]] = {
    "text": ["", "1..40", "..1", "5..5", "..500", "400..", "..3 = x", '= "It\'s"']
    + [f"matching {p}" for p in PATTERNS],
    "integer": ["", "1..12", "..1", "0..", "1..3 = 2", "= 7", "-5..-3", "0..1", "..9007199254740991", "1..1000 = 1000"],
    "decimal": ["", "0..1", "0..", "..-2.5", "0.1..0.3", "= 07.50", "-1..1 = -0.5", "0.000001..0.000003"],
    "money": ["", "0..", "0..9.99", "10..10.02", "= 5", "..-1"],
    "boolean": ["", "= true", "= false"],
    "date": ["", "future", "past", "= 2031-01-02", "future = 2026-12-31", "past = 2020-01-31"],
    "time": ["", "= 09:30", "= 18:00:00"],
    "datetime": ["", "future", "past", "= 2030-01-31t10:00+02:00", "= 2030-01-31T10:00:30Z"],
    "email": ["", "= me@example.com"],
    "url": ["", "= https://example.org/x"],
    "uuid": ["", "= 01980000-0000-7000-8000-00000000000A"],
    "ref other": [""],
    "a | b | c": ["", "= b"],
    "b | c": ["", "= c"],
}
LITERALS = {
    "integer": ["0", "1", "2", "3", "100"],
    "decimal": ["0", "0.2", "-3", "1.5"],
    "money": ["0", "12.50", "10.01"],
    "date": ["2020-01-31", "2099-12-31"],
    "time": ["00:00", "18:00", "23:59:59"],
    "datetime": ["2020-01-31T10:00Z", "2099-01-31T10:00:00Z"],
    "choice": ["b"],
}


@st.composite
def things(draw: st.DrawFn) -> str:
    types = draw(st.lists(st.sampled_from(sorted(SPECS)), min_size=1, max_size=3))
    lines, kinds = ["other:", "  name: text", "thing:"], {}
    for number in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(["f{}", "a_very_long_named_x{}"])).format(number)
        kind, flags = draw(st.sampled_from(types)), draw(st.sampled_from(["", "", "unique", "optional"]))
        spec = draw(st.sampled_from(SPECS[kind]))
        head, _, tail = spec.partition("=" if "=" in spec else "matching")
        rest = f"{'=' if '=' in spec else 'matching'}{' ' if '=' in spec else ''}{tail}" if tail else ""
        lines.append(f"  {name}: {kind} {head} {flags} {rest}".rstrip())
        kinds[name] = "choice" if "|" in kind else kind
    lines.append("  status: open | closed")
    for left in draw(st.lists(st.sampled_from(sorted(kinds)), max_size=4)):
        peers = [name for name in kinds if kinds[name] == kinds[left] and name != left]
        operators = (
            list(COMPARE) if kinds[left] in {"integer", "decimal", "money", "date", "time", "datetime"} else ["!="]
        )
        sides = peers + LITERALS.get(kinds[left], [])
        if sides:
            lines.append(f"  always: {left} {draw(st.sampled_from(operators))} {draw(st.sampled_from(sides))}")
            # The same twice is refused.
            lines = list(dict.fromkeys(lines))
    if draw(st.booleans()):
        group = draw(st.lists(st.sampled_from([*kinds, "status", "owner"]), min_size=2, max_size=3, unique=True))
        lines.append(f"  one per: {', '.join(group)}")
    return "\n".join(lines) + "\n"


def refused(asked: Asked, data: str) -> list[str]:
    errors: list[dict[str, Any]] = []
    asked.render(
        '{% from "hooks/read/answers.jinja" import read %}{{ read(use_cases, data, "", design, errors) }}',
        use_cases="guest adds other\nguest adds thing\nguest lists own things\nguest closes thing: open -> closed\n",
        data=data,
        design={},
        errors=errors,
    )
    return [error["code"] for error in errors]


SENSE = {"always_never", "always_tight", "default_never", "unique_default", "unique_one", "one_per_one"}
BRIEFLY = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)


@BRIEFLY
@given(data=things())
def test_examples_are_what_they_say(asked: Asked, data: str) -> None:
    codes = refused(asked, data)
    assert set(codes) <= SENSE
    if not codes:
        judge(exemplified(asked, data))


def tiny_values(field: Field) -> Iterator[Any]:
    if field["type"] == "integer":
        return iter(range(int(field["min"]), int(field["max"]) + 1))
    return iter(field["choices"] or [True, False])


@st.composite
def tiny_things(draw: st.DrawFn) -> tuple[str, Thing]:
    """Few values, many rules: what can never hold is soon reached."""
    fields: dict[str, Field] = {}
    lines = ["other:", "  name: text", "thing:", "  status: open | closed"]
    for number in range(draw(st.integers(2, 4))):
        kind = draw(st.sampled_from(["integer", "choice", "boolean"] if not fields else [fields["f0"]["type"]]))
        field: Field = {"name": f"f{number}", "type": kind, "choices": [], "min": "", "max": ""}
        if kind == "integer":
            low = draw(st.integers(0, 3))
            field |= {"min": str(low), "max": str(low + draw(st.integers(1, 2)))}
        elif kind == "choice":
            field["choices"] = draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=3, unique=True))
        fields[field["name"]] = field
        spec = f"integer {field['min']}..{field['max']}" if kind == "integer" else " | ".join(field["choices"]) or kind
        lines.append(f"  f{number}: {spec}")
    always = []
    for _ in range(draw(st.integers(1, 6))):
        left, right = draw(st.permutations(sorted(fields)))[:2]
        op = draw(st.sampled_from(list(COMPARE))) if fields["f0"]["type"] == "integer" else "!="
        literal = fields["f0"]["type"] == "integer" and draw(st.booleans())
        rule = {"left": left, "op": op, "right": str(draw(st.integers(0, 5))) if literal else right, "literal": literal}
        if rule not in always:
            always.append(rule)
            lines.append(f"  always: {left} {op} {rule['right']}")
    return "\n".join(lines) + "\n", {"field": fields, "always": always}


@BRIEFLY
@given(drawn=tiny_things())
def test_what_can_never_hold_is_refused(asked: Asked, drawn: tuple[str, Thing]) -> None:
    data, thing = drawn
    rows = itertools.product(*map(tiny_values, thing["field"].values()))
    possible = any(not broken(thing, dict(zip(thing["field"], row, strict=True))) for row in rows)
    codes = refused(asked, data)
    # Where fields must differ, values may be there and not be found. "Never" is said only where it is proved.
    tight = codes == ["always_tight"] and any(rule["op"] == "!=" for rule in thing["always"])
    assert tight or codes == ([] if possible else ["always_never"])
    if not codes:
        judge(exemplified(asked, data))


FORTY = [f"f{number}" for number in range(10, 50)]


@pytest.mark.parametrize(
    ("spec", "rules", "codes"),
    [
        ("integer 1..40", [f"{low} < {high}" for low, high in itertools.pairwise(FORTY)], []),
        ("integer 1..39", [f"{low} < {high}" for low, high in itertools.pairwise(FORTY)], ["always_never"]),
        ("integer", [f"{low} < {high}" for low, high in itertools.pairwise([*FORTY, "f10"])], ["always_never"]),
        ("integer", [f"{low} <= {high}" for low, high in itertools.pairwise([*FORTY, "f10"])], []),
        ("integer = 7", [f"{high} >= {low}" for low, high in itertools.pairwise(FORTY)], []),
        ("integer 1..3", [f"{low} != {high}" for low, high in itertools.pairwise([*FORTY, "f10"])], []),
        ("integer 1..8", [f"{low} != {high}" for low, high in itertools.combinations(FORTY[:9], 2)], ["always_tight"]),
        ("a | b | c", [f"{low} != {high}" for low, high in itertools.pairwise([*FORTY, "f10"])], []),
        ("email", [f"{low} != {high}" for low, high in itertools.combinations(FORTY[:8], 2)], []),
    ],
)
def test_forty_fields_and_rules(asked: Asked, spec: str, rules: list[str], codes: list[str]) -> None:
    fields = "".join(f"  {name}: {spec}\n" for name in FORTY)
    data = f"other:\n  name: text\nthing:\n{fields}" + "".join(f"  always: {rule}\n" for rule in rules)
    data += "  status: open | closed\n"
    # In less than a second: a search tried 300 ways to go on, and took half a minute to give up.
    assert refused(asked, data) == codes
    if not codes:
        judge(exemplified(asked, data))


@pytest.mark.parametrize(
    ("lines", "rows", "owner"),
    [
        ("one per: owner", 1, True),
        ("kind: a | b\n  one per: owner, kind", 2, False),
        ("yes: boolean unique", 2, False),
        ("other: ref other\n  kind: a | b\n  one per: other, kind", 3, False),
        ("size: integer 1..5\n  kind: a | b\n  one per: size, kind", 3, False),
        ("one per: owner, status", 1, True),
        ("low: integer 1..4 unique\n  high: integer 1..4 unique\n  always: low < high", 2, False),
    ],
)
def test_as_many_rows_as_there_can_be(asked: Asked, lines: str, rows: int, owner: bool) -> None:
    data = f"other:\n  name: text\nthing:\n  name: text\n  status: open | closed\n  {lines}\n"
    thing = exemplified(asked, data)
    judge(thing)
    assert (thing["rows"], thing["varies_owner"]) == (rows, owner)
