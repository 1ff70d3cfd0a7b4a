"""Interviews drawn by chance: valid ones, built as things and use cases and then written down as somebody might type
them, and damaged ones. What comes first in a list is what a failing interview is shrunk to."""

import keyword
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from string import ascii_lowercase, digits
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Interview = dict[str, str]
Draw = Callable[[st.SearchStrategy[Any]], Any]

SPANS = "integer decimal money date time datetime".split()
TYPES = "text integer date datetime choice boolean ref choice ref text decimal money time email url uuid".split()
KINDS = {
    "list": ["lists"],
    "view": ["views"],
    "change": ["changes", "edits", "updates"],
    "remove": ["removes", "deletes"],
    "count": ["counts"],
    "export": ["exports"],
}
CREATES = "adds creates registers requests submits places records reports makes".split()

# Names that something below could trip over, and that must work.
THINGS = """table booking user order group session model address category person list type event request service error
test key page field index value schema status select match repository controller database settings web app item
entity person_order booking_out query move choice a1 a10 b_c""".split()
FIELDS = """name title seats note starts_at parent type date time datetime uuid index count items limit key value select
from_date json_text user token request response service repository url keys values get update copy_of pop description
data body change versions query cursor owner_name text list set fields none true false page order group table hash
match where primary session next state source target connection status created_on deleted_at email decimal number
statement window column_name model model_name entity caller counts exported once_more mine""".split()
WORDS = """open done new a b on none null true false self class name value mro text optional unique system date import
pass in is requested confirmed cancelled permanently_rejected z9 two_words items""".split()
VERBS = """confirms cancels passes raises yields imports carries watches fixes buzzes tests lists_owns list_owns
view_owns current_states has_tables gets sets moves is_ins inits publishes models services selects
overcharacterizes_xs submits records""".split()
ACTORS = "guest staff manager user admin system token role a1 test owner superintendent_chief vet nobody".split()
PLURALS = {"person": "people", "category": "categorys", "list": "list_all", "index": "indices"}
SERVICES = """bistro a1 features web-app model database main app-2-go errors service order
international-refrigerated-carriers-desk""".split()
PROBLEMS = [
    "Guests wait.",
    'Who\'s "on" first? C:\\new {{ nobody }} {% knows %} ☕ \'\'\' """ # all',
    "é",
    "$x `y` *z* <b>",
    "A long one: " + "word, " * 30 + "end",
]
# What the language, Python, Pydantic, SQLAlchemy and the generated code keep for themselves.
REFUSED = {
    *keyword.kwlist,
    *"own with by once or anyone nothing always id version created_at updated_at owner me password".split(),
    *"dt sa orm str int bool float bytes self copy dict json schema registry metadata construct".split(),
    *"con prn aux nul com1 com9 lpt1 lpt9".split(),
}
TEXTS = ["a", "Two", "optional", "{{x}}", '"Two  {% words %} it\'s"', '"\\n"', '"ß☕"', '""', '"a|b = c"', "x" * 36]
DEFAULTS = {
    "boolean": ["false", "true", "False"],
    "email": ["ann@example.com", "Ann.B+c@a-b.example.co.uk"],
    "url": ["https://example.com", '"http://example.com:8/a?b=c&d={{e}}#f"'],
    "uuid": ["01980000-0000-7000-8000-000000000000", "01980000-ABCD-7000-8000-00000000000F"],
}
WIDEST = {
    "integer": "-9007199254740991 9007199254740991",
    "decimal": "-999999999999.999999 999999999999.999999",
    "money": "-999999999999.99 999999999999.99",
}
# Each with letters that match it.
CLASSES = {"[A-Z]": "Q", "[a-z0-9]": "q7", "[0-9-]": "4-", "[A-Za-z0-9_.-]": "Z.", "[ab]": "ab", "[# ]": "# "}
CLASSES |= {'[{"%}|]': "{%", "[$()*+?'/]": "$/"}
# Without a blank: a text must not be able to begin or end with it.
LITERALS = "a-Z_/:=,'\"`#~&<!@;%7"


class Pen:
    """What is drawn, and how it is written."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.comma = self.one([", ", ",", " , "])
        self.arrow = self.one([" -> ", "->"])
        self.colon = self.one([": ", ":", " : "])
        self.bar = self.one([" | ", "|", "| "])
        self.end = self.one(["\n", "\n", "\r\n"])

    def chance(self, percent: int) -> bool:
        return self.number(0, 99) >= 100 - percent

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def one(self, of: Sequence[T]) -> T:
        return of[self.number(0, len(of) - 1)]

    def some(self, of: Sequence[T], least: int = 0, most: int = 9) -> list[T]:
        """Some of them, each once, in any order."""
        rest = list(of)
        count = self.number(min(least, len(rest)), min(most, len(rest)))
        return [rest.pop(self.number(0, len(rest) - 1)) for _ in range(count)]

    def all(self, of: Sequence[T]) -> list[T]:
        return self.some(of, len(of), len(of))

    def name(self, biting: Sequence[str], taken: Collection[str]) -> str:
        """One that is not taken: one that bites, or any, from two letters to twenty."""
        free = [name for name in biting if name not in taken and name not in REFUSED]
        if free and not self.chance(30):
            return self.one(free)
        words = [self.one(ascii_lowercase) + self.letters(self.number(0, 7)) for _ in range(self.number(1, 4))]
        name = "_".join(words)[:20].rstrip("_")
        while len(name) < 2 or name in taken or name in REFUSED:
            name = name[:19] + self.letters(1)
        return name

    def letters(self, count: int) -> str:
        return "".join(self.one(ascii_lowercase + digits) for _ in range(count))

    def join(self, names: Sequence[str]) -> str:
        return self.comma.join(names)

    def loud(self, line: str) -> str:
        """Case does not matter, except in a default and in a pattern."""
        return self.one([line.upper(), line.title()]) if self.chance(7) else line

    def text(self, lines: Sequence[str]) -> str:
        written = []
        for line in lines:
            if self.chance(8):
                written.append(self.one(["", "   ", "# guest adds {{ table }}: a -> b", "  # |"]))
            written.append(line + (self.one([" # {% so %} it is", "  ", " #"]) if self.chance(8) else ""))
        return self.end.join(written) + self.one([self.end, "", self.end * 2])


@dataclass
class Field:
    """A field. Its value is what the rules of its thing agree on: all can be kept together."""

    name: str
    type: str
    ref: str = ""
    ref_states: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    range: str = ""
    flags: list[str] = field(default_factory=list)
    default: str = ""
    pattern: str = ""
    value: int = 0

    def shown(self, more: int = 0) -> str:
        """The value, or one that is a little more."""
        value = self.value + more
        if self.type in ["decimal", "money"]:
            places = 3 if self.type == "decimal" else 2
            return f"{value / 10**places:.{places}f}"
        if self.type == "time":
            return f"{value // 60:02}:{value % 60:02}"
        if self.type in ["date", "datetime"]:
            return f"{date(1900, 1, 1) + timedelta(value)}" + "T12:30Z" * (self.type == "datetime")
        return str(value)

    def fits(self, text: str) -> bool:
        low, high = self.range.split("..") if self.range else ("", "")
        return int(low or 0) <= len(text) <= int(high or 10000)


@dataclass
class Use:
    actors: list[str]
    verb: str
    kind: str
    own: bool
    fields: list[str] = field(default_factory=list)
    froms: list[str] = field(default_factory=list)
    to: str = ""
    once: bool = False
    not_own: bool = False
    of: str = ""
    # The unique field that finds what it changes, moves or removes.
    key: str = ""
    newest: bool = False

    @property
    def whose(self) -> str:
        return "own" if self.own else "not own" if self.not_own else ""


@dataclass
class Thing:
    name: str
    plural: str
    irregular: bool
    fields: list[Field] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    state: str = ""
    rules: list[str] = field(default_factory=list)
    # System fields that are null until a transition sends them.
    awaited: list[str] = field(default_factory=list)
    # Its states, where there is a transition.
    moves: list[str] = field(default_factory=list)

    def within(self, states: list[str]) -> list[str]:
        """Those that can be in a path, beside words of ours and the thing itself."""
        ours = re.compile(rf"(all|counts|own|sums|{self.name})$|(by|own|{self.name})_")
        return [state for state in states if not ours.match(state)]

    def owners(self, own: bool) -> list[str]:
        return ["owner"] if not own and any(use.whose for use in self.uses) else []

    def created_by_all(self) -> list[str]:
        """Those who make it, if nobody makes it without logging in."""
        creates = [use for use in self.uses if use.kind == "create"]
        return [actor for use in creates for actor in use.actors] if all(use.actors for use in creates) else []


def plural_of(name: str) -> str:
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "z", "ch", "sh")) else "s")


def base_of(verb: str) -> str:
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("sses", "shes", "ches", "xes", "zzes")) else verb[:-1]


# ---- valid interviews


@st.composite
def interviews(draw: Draw) -> Interview:
    """A valid interview of 1 to 6 things."""
    pen = Pen(draw)
    actors = pen.some(ACTORS, 1, 3) if pen.chance(85) else []
    things: list[Thing] = []
    for _ in range(pen.one([1, 1, 2, 2, 3, 3, 4, 5, 6])):
        taken = {word for thing in things for word in [thing.name, thing.plural]}
        name = pen.name(THINGS, taken)
        irregular = name in PLURALS or pen.chance(10)
        plural = PLURALS.get(name, pen.one([f"{name}_set", name])) if irregular else plural_of(name)
        if plural not in taken:
            things.append(Thing(name, plural, irregular))
    for index, thing in enumerate(things):
        draw_fields(pen, thing, things, index)
        draw_uses(pen, thing, actors)
        draw_rules(pen, thing)
    for thing in things:
        draw_parents(pen, thing, things, actors)
    for thing in things:
        draw_parts(pen, thing, things)
    uses = [written_use(pen, use, thing) for thing in things for use in thing.uses]
    data = [line for thing in pen.all(things) for line in written_thing(pen, thing)]
    outputs = [line for thing in things for line in written_outputs(pen, thing, things)]
    return {
        "problem": pen.one(PROBLEMS),
        "use_cases": pen.text(pen.all(uses)),
        "data": pen.text(data),
        "outputs": pen.text(pen.all(outputs)),
        "service_name": pen.one(SERVICES),
        "database": pen.one(["sqlite", "postgresql"]),
    }


def draw_fields(pen: Pen, thing: Thing, things: list[Thing], index: int) -> None:
    names = [other.name for other in things]
    # A choice is a class of its own: that of a thing called booking_status is taken.
    taken = {name.removeprefix(thing.name + "_") for name in names if name.startswith(thing.name + "_")}
    for _ in range(pen.one([1, 2, 3, 4, 5, 6, 8])):
        one = Field(pen.name([*FIELDS, *names], taken), pen.one(TYPES))
        if one.type == "ref":
            draw_ref(pen, one, things, index)
        elif one.type == "choice":
            one.choices = pen.some(WORDS, 2, 5)
            if one.name in ["out", "page"] or one.name.endswith(("_in", "_out")):
                one.name = pen.name(["kind", "sort", "sort_of"], taken)
        else:
            draw_value(pen, one)
        odds = {"optional": 25, "unique": 15, "secret": 10, "system": 15} if one.type != "part of" else {}
        if len(one.choices or "many") < 4 and odds:
            # A rule might leave only one of them, and then there could be only one such thing.
            del odds["unique"]
        one.flags = pen.all([*one.flags, *[flag for flag in odds if flag not in one.flags and pen.chance(odds[flag])]])
        if "unique" in one.flags:
            one.default = ""
        elif pen.chance(25):
            draw_default(pen, one)
        # A ref is stored as its name and _id.
        taken |= {one.name, f"{one.name}_id", one.name.removesuffix("_id")}
        thing.fields.append(one)


def draw_ref(pen: Pen, one: Field, things: list[Thing], index: int) -> None:
    """Required only to what is before it, so that each thing can be made."""
    at = pen.number(0, len(things) - 1)
    one.ref = things[at].name
    if at < index and things[at].moves and pen.chance(30):
        one.ref_states = pen.some(things[at].moves, 1, 3)
    one.flags = ["optional"] if at >= index else []
    if at < index and pen.chance(25):
        one.type, one.range = "part of", pen.one(["", "0..50", "..7", "0..1"])


def draw_value(pen: Pen, one: Field) -> None:
    if one.type == "text":
        if pen.chance(25):
            draw_pattern(pen, one)
        elif pen.chance(60):
            low = pen.one([0, 1, 2, 36, 10000])
            high = pen.one([low + 40, low + 1, low or 1, 100000])
            one.range = pen.one([f"{low}..{high}", f"..{high}", f"{low}.."])
    elif one.type in WIDEST:
        one.value = pen.number(-1000, 1000)
        if pen.chance(60):
            ends = WIDEST[one.type].split() if pen.chance(15) else [one.shown(-pen.number(0, 50)), one.shown(50)]
            one.range = pen.one([f"{ends[0]}..{ends[1]}", f"..{ends[1]}", f"{ends[0]}.."])
    elif one.type == "time":
        one.value = pen.number(50, 1000)
    elif one.type in ["date", "datetime"]:
        one.flags = list(pen.one([[], [], ["future"], ["past"]]))
        one.value = {"past": 1000, "future": 90000}.get("".join(one.flags), 40000) + pen.number(0, 10000)


def draw_pattern(pen: Pen, one: Field) -> None:
    """A row of pieces, the first with a choice of letters, so that more than one text matches."""
    pattern, text = "", ""
    for at in range(pen.number(1, 5)):
        piece = pen.one([*LITERALS] if at and pen.chance(50) else list(CLASSES))
        some = [("", 1), ("+", 2), ("{3}", 3), ("{1,4}", 4)]
        times, count = pen.one([*some, ("?", 0), ("*", 1), ("{0,2}", 1)] if at else some)
        # After a blank, "#" would start a comment.
        if not (piece == "#" and pattern.endswith(" ")):
            pattern += piece + times
            text += (CLASSES.get(piece, piece) * 4)[:count]
    one.pattern = f"^{pattern}$"
    if pen.chance(40):
        low, high = max(len(text) - pen.number(0, 2), 0), len(text) + pen.number(1, 3)
        one.range = pen.one([f"{low}..{high}", f"..{high}", f"{low}.."])
    if pen.chance(25) and '"' not in text and " #" not in text and text == text.strip():
        one.default = f'"{text}"'


def draw_default(pen: Pen, one: Field) -> None:
    if one.type in SPANS:
        one.default = one.shown()
    elif one.type == "text" and not one.pattern:
        one.default = pen.one([*[text for text in TEXTS if one.fits(text.strip('"'))], ""])
    elif one.type in DEFAULTS:
        one.default = pen.one(DEFAULTS[one.type])
    elif one.choices:
        one.default = pen.one(one.choices)


def draw_uses(pen: Pen, thing: Thing, actors: list[str]) -> None:
    creators = pen.some(actors, 1, 2) if pen.chance(80) else []
    thing.uses.append(Use(creators, pen.one(CREATES), "create", False))
    state = draw_state(pen, thing) if pen.chance(40) else None
    kinds = [(pen.one(KINDS[kind]), kind) for kind in KINDS if pen.chance(40)]
    if state:
        verbs = {base_of(verb): verb for verb in [*pen.some(VERBS, 1, 4), pen.name([], REFUSED)[:19].rstrip("_") + "s"]}
        kinds += [(verb, "transition") for verb in pen.some(list(verbs.values()), 1, 4)]
    if all(one is state or one.type == "part of" for one in thing.fields):
        kinds = [(verb, kind) for verb, kind in kinds if kind != "change"]
    keys = [one for one in thing.fields if "unique" in one.flags and "secret" not in one.flags]
    kinds += [("views", f"by {key.name}") for key in keys if key.type in ["text", "integer", "uuid", "email"]]
    for verb, kind in kinds:
        own = bool(creators) and pen.chance(40)
        for whose in [own, not own] if creators and pen.chance(15) else [own]:
            use = Use(
                pen.some(creators if whose else actors, 1, 2) if whose or pen.chance(80) else [], verb, kind, whose
            )
            if state and kind == "transition":
                thing.moves = state.choices
                use.froms, use.to = pen.some(state.choices, 1, 3), pen.one(state.choices)
            elif state and kind in ["change", "remove"] and pen.chance(40):
                use.froms = pen.some(state.choices, 1, 3)
            elif state and kind not in ["change", "remove"] and pen.chance(40):
                use.froms = pen.some(thing.within(state.choices), 1, 3)
                if use.froms and pen.chance(40):
                    thing.uses.append(replace(use, froms=[], fields=[]))
            if kind in ["change", "remove", "transition"] and creators and use.actors and not whose:
                use.not_own = pen.chance(20)
            thing.uses.append(use)
    ends = [state for use in thing.uses for state in [*use.froms, use.to] if state]
    for one in thing.fields:
        if ends and one.choices and one is not state:
            tell_apart(one, ends[0])
    for one in thing.fields:
        bare = "system" in one.flags and "optional" not in one.flags and not one.default
        if ends and bare and one is not state and pen.chance(50):
            thing.awaited.append(one.name)
    for use in thing.uses:
        draw_clauses(pen, use, thing)
        if use.kind in ["change", "remove", "transition"] and keys and pen.chance(40):
            key = pen.one(keys)
            use.key = key.name if key.type in ["text", "integer", "uuid", "email"] else ""
    for use in [use for use in thing.uses if use.to][:1]:
        use.fields = list(dict.fromkeys([*use.fields, *thing.awaited]))


def draw_state(pen: Pen, thing: Thing) -> Field:
    taken = {name for one in thing.fields for name in [one.name, f"{one.name}_id", one.name.removesuffix("_id")]}
    state = Field(pen.name(["status", "state", "stage", "progress"], taken), "choice")
    state.choices = pen.some(WORDS, 2, 6)
    state.default = state.choices[0] if pen.chance(15) else ""
    state.flags = ["system"] if pen.chance(10) else []
    thing.state = state.name
    thing.fields.insert(pen.number(0, len(thing.fields)), state)
    return state


def tell_apart(one: Field, state: str) -> None:
    """No other choice may have all the states."""
    one.choices = [word for word in one.choices if word != state]
    one.choices += ["other"] if len(one.choices) < 2 else []
    one.default = one.default if one.default in one.choices else ""


def draw_clauses(pen: Pen, use: Use, thing: Thing) -> None:
    """What follows with and by."""
    fields = [one for one in thing.fields if one.name != thing.state]
    changed = [one for one in fields if one.type != "part of"]
    needed = [one for one in fields if "optional" not in one.flags and not one.default]
    shown = [one for one in thing.fields if "secret" not in one.flags]
    if use.froms[:1] and not use.froms[1:]:
        shown = [one for one in shown if one.name != thing.state]
    use.once = use.kind in ["create", "transition"] and pen.chance(20)
    if use.kind == "create":
        needed = [one for one in needed if one.name not in thing.awaited]
        fields = [one for one in fields if one.name not in thing.awaited]
        if any("system" in one.flags for one in needed) or pen.chance(40):
            more = pen.some([one for one in fields if one not in needed])
            use.fields = [one.name for one in pen.all([*needed, *more])]
    elif use.kind == "change":
        if all("system" in one.flags for one in changed) or pen.chance(50):
            use.fields = [one.name for one in pen.some(changed, 1, 3)]
    elif use.kind == "transition":
        use.fields = [one.name for one in pen.some(changed, 0, 3)] if pen.chance(50) else []
    elif use.kind == "count":
        # The answer has a "count" of its own.
        groups = [
            one.name
            for one in shown
            if one.type in ["choice", "boolean", "ref", "part of", "text"] and one.name != "count"
        ]
        use.fields = pen.some([*groups, *thing.owners(use.own)], 0, 3)
    elif use.kind in ["list", "export"]:
        times = {one.name: one.type in SPANS for one in shown} | {"created_at": True, "updated_at": True}
        filters = {"limit", "cursor"} if use.kind == "list" else set()
        for name in pen.some([*times, *thing.owners(use.own)], 0, 4):
            mine = {f"{name}_from", f"{name}_to"} if times.get(name) else {name}
            if not mine & filters:
                filters |= mine
                use.fields.append(name)
        use.newest = pen.chance(25)
    elif use.kind.startswith("by "):
        use.fields = [use.kind[3:]]


def draw_parents(pen: Pen, thing: Thing, things: list[Thing], actors: list[str]) -> None:
    """The paths of some use cases name what the thing refers to, by a field that they do not send."""
    refs = [one.ref for one in thing.fields]
    parents = [other for other in things if refs.count(other.name) == 1 and other.name != "id"]
    if not parents:
        return
    create = thing.uses[0]
    owned = any(use.own or use.of == f"of own {thing.name}" for other in things for use in other.uses)
    if pen.chance(30) and (actors or not owned):
        makers = pen.some(actors, 1, 2)
        thing.uses.append(Use(makers, pen.one(CREATES), "create", False, list(create.fields), once=pen.chance(20)))
        draw_parent(pen, thing.uses[-1], thing, pen.one(parents))
        if not thing.uses[-1].of:
            thing.uses.pop()
    for use in thing.uses[1:]:
        if not use.own and not use.of and pen.chance(35):
            draw_parent(pen, use, thing, pen.one(parents))


def draw_parent(pen: Pen, use: Use, thing: Thing, parent: Thing) -> None:
    (one,) = (one for one in thing.fields if one.ref == parent.name)
    sent = [name for name in use.fields if name != one.name]
    usual = [other.name for other in thing.fields if "system" not in other.flags and other.name != thing.state]
    if use.kind == "change":
        usual = [other.name for other in thing.fields if other.name in usual and other.type != "part of"]
    # What is left is all that there is, or nothing.
    needed = [
        other for other in thing.fields if "optional" not in other.flags and not other.default and other is not one
    ]
    hidden = any("system" in other.flags and other.name != thing.state for other in needed)
    if not sent and ((use.kind == "change" and not set(usual) - {one.name}) or (use.kind == "create" and hidden)):
        return
    if use.kind == f"by {parent.name}" or use.key == parent.name:
        return
    use.fields = sent
    own = use.actors and set(use.actors) <= set(parent.created_by_all()) and pen.chance(50)
    use.of = f"of own {parent.name}" if own else f"of {pen.one([parent.name, parent.plural])}"


def draw_parts(pen: Pen, thing: Thing, things: list[Thing]) -> None:
    """Some creates send parts, too."""
    names = [one.name for one in thing.fields]
    first = next((one.choices[0] for one in thing.fields if thing.moves and one.name == thing.state), "")
    for use in [use for use in thing.uses if use.kind == "create"]:
        usual = [one.name for one in thing.fields if "system" not in one.flags and one.name != thing.state]
        sent = use.fields or [name for name in usual if f"of {name}" != use.of and name not in thing.awaited]
        for part in things:
            wholes = [one for one in part.fields if one.type == "part of" and one.ref == thing.name]
            owned = any(other.whose or other.of.startswith("of own") for one in things for other in one.uses)
            taken = {*names, *sent, "copies", "schemas"}
            if part is thing or len(wholes) != 1 or part.plural in taken or (owned and not use.actors):
                continue
            states = wholes[0].ref_states
            bare = [one for one in part.uses if one.kind == "create" and set(one.fields) <= {wholes[0].name}]
            plain = [one for one in part.fields if not one.flags and one.type != "part of" and one.name != part.state]
            if (not states or first in states) and plain and not [one for one in bare if one.fields] and pen.chance(60):
                refs = [
                    one.name for one in thing.fields if one.ref and use.of.split(" ")[-1] in [one.ref, f"{one.ref}s"]
                ]
                if not use.of or not refs:
                    use.fields = sent = [*sent, part.plural]


def draw_rules(pen: Pen, thing: Thing) -> None:
    """What is true of the values of the fields may be said of them: so all rules can be kept together."""
    if pen.chance(25):
        names = [*[one.name for one in thing.fields], *thing.owners(False)]
        together = pen.some(names, 2, 3)
        if len(together) > 1:
            while_ = ""
            if thing.moves and pen.chance(30):
                while_ = " while " + " or ".join(pen.some(thing.moves, 1, 3))
            thing.rules.append(f"one per{pen.colon}{pen.join(together)}{while_}")
        if "owner" in names and pen.chance(10):
            thing.rules.append(f"one per{pen.colon}owner")
    free = [one for one in thing.fields if one.name != thing.state]
    said: set[str] = set()
    while free and pen.chance(40):
        left = pen.one(free)
        others = [one for one in free if (one.type, one.ref) == (left.type, left.ref) and one is not left]
        right = pen.one(others) if others and pen.chance(70) else None
        if left.type in SPANS:
            more = 7 if pen.chance(50) else -7
            apart = right.value - left.value if right else more
            word = right.name if right else left.shown(more)
            # The same comparison twice is refused.
            if apart and left.name + word not in said:
                said |= {left.name + word, word + left.name}
                op = pen.one(["<", "<=", "!="] if apart > 0 else [">", ">=", "!="])
                thing.rules.append(f"always{pen.colon}{left.name}{pen.one([f' {op} ', op])}{word}")
            continue
        free.remove(left)
        if right and not left.default and not right.default and left.type in ["text", "boolean", "choice", "ref"]:
            free.remove(right)
            thing.rules.append(f"always{pen.colon}{left.name} != {right.name}")
        elif left.choices:
            word = pen.one([word for word in left.choices if word != left.default])
            if word not in [one.name for one in thing.fields]:
                thing.rules.append(f"always{pen.colon}{left.name} != {word}")


# ---- written down


def written_use(pen: Pen, use: Use, thing: Thing) -> str:
    words = [pen.join(use.actors) or "anyone", use.verb, use.whose, pen.one([thing.name, thing.plural]), use.of]
    clause = "with" if use.kind in ["create", "change", "transition"] else "by"
    clauses = [f"{clause} {pen.join(use.fields)}"] if use.fields else []
    clauses += [f"by {use.key}"] if use.key else []
    clauses += ["newest first"] * use.newest
    late = use.once and use.to and pen.chance(50)
    clauses = pen.all([*clauses, "once"] if use.once and not late else clauses)
    line = " ".join([word for word in words if word] + clauses)
    if use.to:
        line += pen.colon + " or ".join(use.froms) + pen.arrow + use.to
    elif use.froms:
        line += pen.colon + " or ".join(use.froms)
    return pen.loud(line + " once" * bool(late))


def written_thing(pen: Pen, thing: Thing) -> list[str]:
    head = f"{thing.name} ({thing.plural})" if thing.irregular else thing.name
    indent = pen.one(["  ", "  ", "    ", " "])
    lines = [written_field(pen, one) for one in thing.fields] + [pen.loud(rule) for rule in thing.rules]
    if pen.chance(15):
        lines = pen.all(lines)
    return [pen.loud(head + pen.colon.rstrip()), *[indent + line for line in lines]]


def written_field(pen: Pen, one: Field) -> str:
    while_ = " while " + " or ".join(one.ref_states) if one.ref_states else ""
    kind = pen.bar.join(one.choices) or f"{one.type} {one.ref}{while_}".strip()
    line = pen.loud(one.name + pen.colon + " ".join([part for part in [kind, one.range, *one.flags] if part]))
    return line + f" = {one.default}" * bool(one.default) + f" matching {one.pattern}" * bool(one.pattern)


def written_outputs(pen: Pen, thing: Thing, things: list[Thing]) -> list[str]:
    """What the frontend of some use cases gets. Those that begin with the same words get the same."""
    heads: dict[tuple[str, str, str, str], list[Use]] = {}
    for use in thing.uses:
        of = re.sub(r"of (?!own )\w+", "of it", use.of)
        heads.setdefault((",".join(sorted(use.actors)), use.verb, use.whose, of), []).append(use)
    lines = []
    for (_, verb, whose, _), uses in heads.items():
        kinds = {use.kind for use in uses}
        if kinds & {"remove", "count"} or not pen.chance(35):
            continue
        words = [pen.join(pen.all(uses[0].actors)) or "anyone", verb, whose]
        head = " ".join([word for word in [*words, pen.one([thing.name, thing.plural]), uses[0].of] if word])
        shown = [name for one in thing.fields for name in seen(pen, one, things)]
        names = pen.some([*shown, "id", "created_at", "updated_at", *thing.owners(whose == "own")], 1)
        # What is searched by is shown.
        sought = {name for use in uses if use.kind in ["list", "export"] for name in use.fields}
        names += sorted(sought - {"created_at", "updated_at"} - {name.split(".")[0] for name in names})
        nothing = kinds <= {"create", "change", "transition"} and pen.chance(25)
        lines.append(pen.loud(head + pen.colon + ("nothing" if nothing else pen.join(names))))
    return lines


def seen(pen: Pen, one: Field, things: list[Thing]) -> list[str]:
    """A field, or what lies behind it."""
    if not one.ref or pen.chance(40):
        return [one.name]
    (other,) = (thing for thing in things if thing.name == one.ref)
    names = [*[field.name for field in other.fields], "id", "created_at", "updated_at"]
    return [f"{one.name}.{name}" for name in pen.some(names, 1, 4)]


# ---- damaged ones

ODD = [
    "\t",
    "x",
    " ",
    ",",
    ":",
    "|",
    "..",
    "->",
    '"',
    "#",
    "=",
    "(",
    ")",
    "{{",
    "{%",
    "{#",
    "}}",
    "%}",
    "'",
    "\\",
    "`",
    "$",
]
ODD += [
    "é",
    "İ",
    "ß",
    "漢",
    "🦀",
    "\u00a0",
    "\u2028",
    "\ufeff",
    "\x0b",
    "\x0c",
    "\x1b",
    "\x7f",
    "\x85",
    "\r",
    "\n",
    "\n\n",
    "_",
    "-",
]
ODD += ["x" * 300, "0", "99999999999999999999", "-1", "<", "{x}", "%s", "^", "["]
LANGUAGE = """own not while with by newest first once or anyone nothing always one per matching optional unique secret system future past ref
true false none adds lists lits views changes removes counts exports frobs frobnicates confirm -> : , | = .. 1..40 ..5
40..1 0..0 -5..-1 1.5..2 name status id owner version created_at class import self table order items text textt integer
datetime a b open done < <= != ^[A-Z]$ ^a$ ^(a)$ "two words" " "" 2030-02-30 {{x}} {%x%}""".split(" ")


@st.composite
def damaged(draw: Draw) -> Interview:
    """An interview with one to three faults, some of which do not matter."""
    answers: Interview = draw(interviews())
    pen = Pen(draw)
    for _ in range(pen.one([1, 1, 2, 3])):
        question = pen.one(["use_cases", "data", "use_cases", "data", "outputs", "service_name", "problem"])
        answers[question] = pen.one(FAULTS)(pen, answers[question], "\n".join(answers.values()))
    return answers


def around(pen: Pen, text: str, pattern: str) -> tuple[str, str, str]:
    """One of the pieces, and what is before and after it."""
    pieces = list(re.finditer(pattern, text))
    if not pieces:
        return text, "", ""
    piece = pen.one(pieces)
    return text[: piece.start()], piece[0], text[piece.end() :]


def fault_in(pattern: str, others: Callable[[Pen, str], str]) -> Callable[[Pen, str, str], str]:
    """Drops, doubles, moves or replaces a piece, or puts something before it."""

    def fault(pen: Pen, text: str, whole: str) -> str:
        before, piece, after = around(pen, text, pattern)
        other = others(pen, whole)
        return pen.one(
            [
                before + after,
                before + piece + piece + after,
                before + other + after,
                before + other + piece + after,
                before + after + piece,
            ]
        )

    return fault


def swapped(pen: Pen, text: str, whole: str) -> str:
    """A word stands for another one, and that for the first."""
    one, other = (around(pen, text, r"\w+")[1] for _ in range(2))
    return re.sub(r"\w+", lambda word: {one: other, other: one}.get(word[0], word[0]), text)


def indented(pen: Pen, text: str, whole: str) -> str:
    before, _, after = around(pen, text, r"(?m)^ *")
    return before + pen.one([" ", "", "      ", "\t"]) + after


def block_gone(pen: Pen, text: str, whole: str) -> str:
    before, _, after = around(pen, text, r"(?m)^\S.*\n( .*\n?)*")
    return before + after


def cut(pen: Pen, text: str, whole: str) -> str:
    return text[: pen.number(0, len(text))]


FAULTS: list[Callable[[Pen, str, str], str]] = [
    fault_in(r"\S+", lambda pen, whole: pen.one([around(pen, whole, r"\S+")[1], pen.one(LANGUAGE)]) + " "),
    fault_in(r"[a-z0-9_]+", lambda pen, whole: around(pen, whole, r"[a-z0-9_]+")[1]),
    fault_in(r".", lambda pen, whole: pen.one(ODD)),
    fault_in(r"\W+", lambda pen, whole: pen.one(ODD)),
    fault_in(r"(?m)^.*\n?", lambda pen, whole: around(pen, whole, r"(?m)^.*\n?")[1]),
    swapped,
    indented,
    block_gone,
    cut,
]
