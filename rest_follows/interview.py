"""The questions, in loops: who, what each of them does, the data that follows, outputs, a name, a database."""

import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from rest_follows.asking import Asker

if TYPE_CHECKING:
    from rest_follows.hooks import Fault, Json

OWN = {"change", "remove", "transition"}
DATABASES = {
    "sqlite": "SQLite, a file beside the service (nothing to install)",
    "postgresql": "PostgreSQL, a server of its own (for development and tests it comes along)",
}
FIELD = """NAME: TYPE, then what is true of: 1..40 optional unique secret future = 1
  Types: text integer decimal money boolean date time datetime email url uuid,
  ref THING, or words with | between. Or a rule: one per: a, b; always: a < b.
  To remove the line, empty it.
 """
VERBS = """A verb, or the whole line after the actor.
  creates (adds, requests, …), lists, views, changes, removes, counts, exports, or
  a step of your own: confirms booking: requested -> confirmed
  """
MORE, DONE = "+", "."


def interview(ask: Asker) -> None:
    """Until the answers may be written. What is there already is only reviewed."""
    if "use_cases" not in ask.answers:
        for section in SECTIONS.values():
            section(ask)
    while (section_name := review(ask)) != DONE:
        SECTIONS[section_name](ask)


def problem(ask: Asker) -> None:
    message = "What problem are we solving, and who relies on it? One sentence.\n "
    ask.answers["problem"] = ask.text(
        "problem", message, ask.answers.get("problem", ""), refusal=lambda typed: refused(ask, "problem", typed)
    )


def refused(ask: Asker, question: str, typed: str) -> str:
    return ask.hooks.refusal(question, ask.answers | {question: typed})


# ---- use cases


def use_cases(ask: Asker) -> None:
    if ask.answers.get("use_cases"):
        return change_use_cases(ask)
    ask.answers["use_cases"] = ""
    typed = ask.text("who", "Who uses it? For example: guest, staff, manager\n ")
    actors = [name.strip() for name in typed.split(",") if name.strip() not in ["", "anyone"]]
    for actor in [*actors, "anyone"]:
        while line := new_use_case(ask, actor):
            add_line(ask, line)
    # What was left for a later line to settle, or was typed in text mode; the last line first, as one may be removed.
    for number in sorted({fault.line for fault in faults(ask, "use_cases")}, reverse=True):
        mended(ask, "use_cases", number)
    return None


def new_use_case(ask: Asker, actor: str) -> str:
    """The words of one line, asked one after the other; who knows the language types the rest of it at once."""
    kinds = ask.hooks.table("language")["kinds"]
    logged_in = "" if actor != "anyone" else ", without a login"
    first = not lines(ask, "use_cases")
    verb = ask.text(
        "does", f"What does {actor} do{logged_in}? {VERBS if first else ''}Nothing more: Enter.\n ", words=sorted(kinds)
    )
    if " " in verb or not verb:
        return f"{actor} {verb.removeprefix(f'{actor} ')}" if verb else ""
    kind = kinds.get(verb, "transition")
    thing = ask.text(
        "thing", f"{actor} {verb} what? A thing, as booking; part of another: line of order\n ", words=things(ask)
    )
    words = [actor, verb, thing]
    if kind != "create" and actor != "anyone" and " of " not in thing:
        choices = {"": f"any {thing}", "own": "only what they made themselves"}
        choices |= {"not own": "only what others made (four eyes)"} if kind in OWN else {}
        words.insert(2, ask.select("whose", f"{actor} {verb} which {thing}?", choices))
    line = " ".join(word for word in words if word)
    if kind in ["create", "change", "transition"]:
        unsaid = "nothing" if kind == "transition" else "all fields"
        line += clause("with", ask.text("with", f"With which fields? note, seats. {unsaid.capitalize()}: Enter.\n "))
    elif kind == "view":
        line += clause("by", ask.text("by", "By which unique field, as code? By its id: Enter.\n "))
    elif kind != "remove":
        purpose = "Counted for each what" if kind == "count" else "Filtered by which fields"
        line += clause("by", ask.text("by", f"{purpose}? status, starts_at. None: Enter.\n "))
    if kind == "transition":
        known = states(ask)
        before = ask.text("from", f"{verb}: from which state? Several: new or open\n ", words=[*known, "or"])
        line += f": {before} -> {ask.text('to', f'{verb}: from {before} to which state?', words=known)}"
    if kind == "create":
        once = ask.select("once", "Sent twice, does it count once?", {"": "no, twice", "once": "yes, once"})
        line += f" {once}" if once else ""
    return line


def clause(word: str, fields: str) -> str:
    return f" {word} {fields}" if fields else ""


def things(ask: Asker) -> list[str]:
    return [thing["name"] for thing in drafted(ask)["things"]]


def states(ask: Asker) -> list[str]:
    uses = drafted(ask)["use_cases"]
    return list(dict.fromkeys(state for use in uses for state in [*use["froms"], use["to"]] if state))


def drafted(ask: Asker) -> "Json":
    """What the lines so far mean, with data that is guessed from them."""
    return ask.hooks.design(ask.answers | {"data": draft_of_data(ask), "outputs": ""})


def add_line(ask: Asker, line: str) -> None:
    ask.answers["use_cases"] = joined([*lines(ask, "use_cases"), line])
    mended(ask, "use_cases", len(lines(ask, "use_cases")))


def change_use_cases(ask: Asker) -> None:
    while True:
        listed = {str(number): line for number, line in enumerate(lines(ask, "use_cases"), 1) if line}
        picked = ask.select("line", "Which line?", {DONE: "No more", MORE: "A new line"} | listed)
        if picked == DONE:
            return
        if picked == MORE:
            actors = list(dict.fromkeys(line.split(" ")[0] for line in listed.values()))
            if line := new_use_case(ask, ask.text("actor", "Who?", words=[*actors, "anyone"]) or "anyone"):
                add_line(ask, line)
        else:
            rewrite(ask, "use_cases", int(picked))


# ---- lines of an answer


def lines(ask: Asker, question: str) -> list[str]:
    text = ask.answers.get(question, "")
    return text.split("\n") if text else []


def joined(found: list[str]) -> str:
    return "\n".join(found).strip("\n")


def rewrite(ask: Asker, question: str, number: int, message: str = "The line. To remove it, empty it.\n ") -> None:
    """Asks for line `number` again."""
    found = lines(ask, question)
    before = found[number - 1] if number <= len(found) else ""
    after = ask.text("rewrite", message, before.strip())
    # What is typed meanwhile in text mode counts: the line may be elsewhere now, or gone.
    found = lines(ask, question)
    if before in found:
        indent = before[: len(before) - len(before.lstrip())]
        at = found.index(before)
        found[at : at + 1] = [indent + after] if after else []
        ask.answers[question] = joined(found)
        if after and after != before.strip():
            mended(ask, question, at + 1)


def mended(ask: Asker, question: str, number: int) -> None:
    """Shows the line, and asks for it again while it is refused: a later line may settle that, so Enter leaves it."""
    found = faults(ask, question, number)
    if ask.live:
        ask.say(f"  {number:>3}  {lines(ask, question)[number - 1]}{endpoint(ask, question, number)}")
    if found:
        for fault in found:
            ask.say(wrapped(fault.message))
        rewrite(ask, question, number, "Mend the line; Enter leaves it for now; empty, it is removed.\n ")


def faults(ask: Asker, question: str, number: int = 0) -> "list[Fault]":
    known = {name: ask.answers[name] for name in ["use_cases", "data", "outputs"] if name in ask.answers}
    found = [fault for fault in ask.hooks.faults(known) if fault.question == question]
    return [fault for fault in found if number in [0, fault.line]]


def endpoint(ask: Asker, question: str, number: int) -> str:
    if question != "use_cases" or ask.hooks.faults({"use_cases": ask.answers["use_cases"]}):
        return ""
    uses = drafted(ask)["use_cases"]
    return "".join(f"\n       {use['method']} {use['path']}" for use in uses if use["line"] == number)


def wrapped(message: str) -> str:
    return textwrap.fill(message, get_terminal_size().columns - 2, initial_indent=" " * 7, subsequent_indent=" " * 9)


# ---- data


def draft_of_data(ask: Asker) -> str:
    return ask.hooks.starter(ask.answers["use_cases"], ask.answers.get("data", ""))


def blocks(text: str) -> list[str]:
    """Of each thing, its lines."""
    found: list[str] = []
    for line in text.split("\n"):
        if line[:1].strip() and not line.startswith("#"):
            found.append(line)
        elif found:
            found[-1] += f"\n{line}"
    return [block.rstrip() for block in found]


def data(ask: Asker) -> None:
    ask.answers["data"] = draft_of_data(ask)
    ask.say("\nThe data, guessed from your lines. One thing after the other:")
    seen: list[str] = []
    while left := [block for block in blocks(ask.answers["data"]) if block.split("\n")[0] not in seen]:
        head = left[0].split("\n")[0]
        if not change_thing(ask, head):
            seen.append(head)


def change_thing(ask: Asker, head: str) -> bool:
    """Whether anything of it was changed, so that it is to be asked again."""
    block = next(block for block in blocks(ask.answers["data"]) if block.split("\n")[0] == head).split("\n")
    first = lines(ask, "data").index(head)
    for fault in faults(ask, "data"):
        if first < fault.line <= first + len(block):
            ask.say(wrapped(fault.message))
    listed = {str(first + at + 1): line for at, line in enumerate(block) if line.strip()}
    picked = ask.select("field", f"{head.split(':')[0]}: is it right?", {DONE: "Yes", MORE: "A new line"} | listed)
    if picked == MORE:
        line = ask.text("new field", FIELD)
        found = lines(ask, "data")
        if line and head in found:
            at = found.index(head) + len(block)
            ask.answers["data"] = joined([*found[:at], f"  {line}", *found[at:]])
            mended(ask, "data", at + 1)
    elif picked != DONE:
        rewrite(ask, "data", int(picked), FIELD)
    return picked != DONE


# ---- outputs


def outputs(ask: Asker) -> None:
    ask.answers.setdefault("outputs", "")
    while True:
        heads = {use["head"]: use for use in ask.hooks.design(ask.answers)["use_cases"] if use["output"]}
        listed = {head: f"{head}{' *' * use['output_given']}" for head, use in heads.items()}
        message = "A response has all that is not secret. Which one should differ?"
        head = ask.select("output", message, {DONE: "No more"} | listed)
        if head == DONE:
            return
        if head in heads:
            choose_output(ask, head)


def choose_output(ask: Asker, head: str) -> None:
    design = ask.hooks.design(ask.answers)
    use = next(use for use in design["use_cases"] if use["head"] == head)
    now = [
        f"{item['name']}.{name}" if name else item["name"] for item in use["output"] for name in item["fields"] or [""]
    ]
    every = now + [name for name in showable(design, use) if name not in now]
    ticked = ask.tick("fields", f"{head}:", every, now)
    found = lines(ask, "outputs")
    if use["output_given"]:
        del found[use["output_line"] - 1]
    ask.answers["outputs"] = joined([*found, f"{head}: {', '.join(ticked) or 'nothing'}"])
    mended(ask, "outputs", len(lines(ask, "outputs")))


def showable(design: "Json", use: "Json") -> list[str]:
    """What an output line of this use case may name, a ref's fields by one step."""
    thing = design["lookup"][use["thing"]]
    found = ["id", "created_at", "updated_at", *["owner"] * thing["owned"]]
    for field in thing["fields"]:
        found.append(field["name"])
        if field["ref"]:
            others = design["lookup"][field["ref"]]["fields"]
            found += [f"{field['name']}.{other['name']}" for other in others if not other["secret"]]
    return found


# ---- the rest, and the end


def service_name(ask: Asker) -> None:
    likely = ask.answers.get("service_name") or ask.hooks.default("service_name", ask.answers)
    ask.answers["service_name"] = ask.text(
        "service_name",
        "What do you call the service?\n ",
        likely,
        refusal=lambda typed: refused(ask, "service_name", typed),
    )


def database(ask: Asker) -> None:
    now = ask.answers.get("database", "sqlite")
    ask.answers["database"] = ask.select("database", "Where does the data live?", DATABASES, now)


SECTIONS = {
    "problem": problem,
    "use_cases": use_cases,
    "data": data,
    "outputs": outputs,
    "service_name": service_name,
    "database": database,
}


def review(ask: Asker) -> str:
    """All answers, and what follows from them; then DONE, or what is to be asked again."""
    if not faults(ask, "use_cases"):
        ask.answers["data"] = draft_of_data(ask)
    wrong = ask.hooks.faults(ask.answers)
    if ask.live:
        for question in SECTIONS:
            ask.say(f"\n{question}\n" + "\n".join(f"  {line}" for line in ask.answers[question].split("\n")))
        ask.say("\nThe contract\n" + ask.hooks.contract(ask.answers) if not wrong else "\nNot right yet:")
        for fault in wrong:
            ask.say(wrapped(f"{fault.question} {fault.message}"))
    named = [name for name in SECTIONS if name != "service_name" or not ask.hooks.former]
    choices = {} if wrong else {DONE: "Yes: write it"}
    return ask.select("review", "Is this what you mean?", choices | {name: f"Change {name}" for name in named})
