"""Stories over HTTP, as each of their actors, strangers included: what is settled stays, nobody decides about their
own, and what belongs to another's is not there."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from serving import Answer, Service, database_of, served
from stories import Story

EXPENSE = {
    "title": "Train",
    "category": "travel",
    "amount": "12.50",
    "currency": "EUR",
    "expense_date": "2026-01-31",
}


@pytest.fixture(scope="module")
def serve(
    tell: Callable[[str], Story], tools: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Service]]:
    """A story by its name, each started once."""
    with ExitStack() as stack:

        @functools.cache
        def serve(name: str) -> Service:
            story, folder = tell(name), tmp_path_factory.mktemp(name)
            settings = {"DATABASE_URL": database_of(story, folder, request)}
            return stack.enter_context(served(Service(story, tools, folder / "log", settings)))

        yield serve


@pytest.fixture
def expenses(serve: Callable[[str], Service]) -> Service:
    return serve("expenses")


@pytest.fixture
def blog(serve: Callable[[str], Service]) -> Service:
    return serve("blog")


@pytest.fixture
def ticketing(serve: Callable[[str], Service]) -> Service:
    return serve("ticketing")


@pytest.fixture
def zammad(serve: Callable[[str], Service]) -> Service:
    return serve("zammad")


def made(service: Service, path: str, token: str, body: object, **headers: str) -> str:
    response = service.ask("POST", path, token, body, **headers)
    assert response.status == 201, response.body
    return str(response.body["id"])


def ids(service: Service, path: str, token: str = "") -> list[str]:
    response = service.ask("GET", path, token)
    assert response.status == 200, response.body
    return [item["id"] for item in response.body["items"]]


def refused(answer: Answer) -> tuple[Any, ...]:
    return answer.status, answer.body["type"].removeprefix("/problems/"), answer.body.get("current")


def test_an_expense_is_settled(expenses: Service) -> None:
    ann, bob = expenses.token("ann", "employee"), expenses.token("bob", "employee")
    # Ann is a manager, too.
    boss, max_, fay = (expenses.token(*who) for who in [("ann", "manager"), ("max", "manager"), ("fay", "finance")])
    made = expenses.ask("POST", "/expenses", ann, EXPENSE)
    assert (made.status, made.body["status"], made.body["reason"]) == (201, "draft", None)
    own, plain = f"/me/expenses/{made.body['id']}", f"/expenses/{made.body['id']}"

    assert expenses.ask("PATCH", own, ann, {"title": "Night train"}).status == 200
    assert expenses.ask("PATCH", own, bob, {"title": "Plane"}).status == 404
    assert refused(expenses.ask("POST", f"{plain}/approve", max_)) == (409, "transition-not-allowed", "draft")
    assert expenses.ask("POST", f"{own}/submit", ann, {"notes": None}).status == 200

    changed = expenses.ask("PATCH", own, ann, {"amount": "1250.00"})
    assert refused(changed) == (409, "transition-not-allowed", "submitted")
    assert changed.body["allowed"] == ["approve", "cancel", "query", "reject"]
    assert refused(expenses.ask("DELETE", own, ann)) == (409, "transition-not-allowed", "submitted")
    assert refused(expenses.ask("POST", f"{plain}/approve", boss)) == (403, "not-by-owner", None)
    for question in ["Why?", "Why so much?"]:
        asked = expenses.ask("POST", f"{plain}/query", max_, {"question": question})
        assert (asked.status, asked.body["status"], asked.body["question"]) == (200, "submitted", question)

    # Why is always said.
    assert expenses.ask("POST", f"{plain}/reject", max_, {}).status == 422
    assert expenses.ask("POST", f"{plain}/reject", max_, {"reason": "No receipt"}).status == 200
    assert expenses.ask("PATCH", own, ann, {"vendor": "Rail"}).status == 200
    assert expenses.ask("POST", f"{own}/submit", ann, {}).status == 200
    assert expenses.ask("POST", f"{plain}/approve", max_).status == 200
    assert expenses.ask("POST", f"{plain}/reimburse", fay).status == 200
    for method, body in [("PATCH", {"amount": "1.00"}), ("DELETE", None)]:
        assert refused(expenses.ask(method, own, ann, body)) == (409, "transition-not-allowed", "reimbursed")


def test_a_draft_may_go(expenses: Service) -> None:
    ann = expenses.token("ann", "employee")
    id = expenses.ask("POST", "/expenses", ann, EXPENSE).body["id"]
    assert expenses.ask("DELETE", f"/me/expenses/{id}", ann).status == 204
    assert expenses.ask("GET", f"/me/expenses/{id}", ann).status == 404


def test_an_article_is_found_by_its_address(blog: Service) -> None:
    """A change may rewrite the address by which it found the article, and another's is not there."""
    ann, bob = blog.token("ann", "author"), blog.token("bob", "author")
    # Ann is an editor, too.
    boss, max_ = blog.token("ann", "editor"), blog.token("max", "editor")
    article = {"slug": "first", "title": "First", "text": "Hello"}
    assert blog.ask("POST", "/articles", ann, article).headers["Location"] == "/me/articles/by-slug/first"
    blog.ask("POST", "/articles", ann, article | {"slug": "taken"})
    own, moved, plain = "/me/articles/by-slug/first", "/me/articles/by-slug/second", "/articles/by-slug/second"

    assert refused(blog.ask("PATCH", own, bob, {"title": "Mine"})) == (404, "article-not-found", None)
    assert refused(blog.ask("PATCH", own, ann, {"slug": "taken"})) == (409, "article-slug-taken", None)
    assert refused(blog.ask("PATCH", own, ann, {"slug": "second"}, **{"If-Match": '"7"'}))[0] == 412
    changed = blog.ask("PATCH", own, ann, {"slug": "second"}, **{"If-Match": '"1"'})
    assert (changed.status, changed.body["slug"], changed.headers["ETag"]) == (200, "second", '"2"')
    assert blog.ask("PATCH", own, ann, {"title": "Where is it?"}).status == 404

    assert blog.ask("POST", f"{moved}/submit", ann).status == 200
    assert refused(blog.ask("DELETE", moved, ann)) == (409, "transition-not-allowed", "submitted")
    assert refused(blog.ask("POST", f"{plain}/publish", boss)) == (403, "not-by-owner", None)
    assert blog.ask("GET", "/articles/published/by-slug/second", "").status == 404
    assert blog.ask("POST", f"{plain}/publish", max_).status == 204
    assert blog.ask("GET", "/articles/published/by-slug/second", "").body["slug"] == "second"
    assert blog.ask("DELETE", "/me/articles/by-slug/taken", bob).status == 404
    assert blog.ask("DELETE", "/me/articles/by-slug/taken", ann).status == 204


EVENT = {
    "title": "Jazz",
    "venue": "Hall",
    "starts_at": "2190-05-01T19:00:00Z",
    "ends_at": "2190-05-01T23:00:00Z",
    "capacity": 200,
}
TICKET = {"name": "Standing", "price": "25.00", "quota": 100}


def test_tickets_are_sold_by_the_organizer_of_the_event(ticketing: Service) -> None:
    roles = {"ola": "organizer", "otto": "organizer", "cleo": "customer", "carl": "customer"}
    ola, otto, cleo, carl = ticketing.tokens(**roles)
    event, other = made(ticketing, "/events", ola, EVENT), made(ticketing, "/events", otto, EVENT)
    mine = f"/me/events/{event}/tickets"
    ticket = made(ticketing, mine, ola, TICKET)

    # Otto organizes events, too: this one is not his, and its ticket is in no event of his.
    stranger = [
        ("PATCH", f"/me/events/{event}", {"title": "Rock"}),
        ("DELETE", f"/me/events/{event}", None),
        ("POST", mine, TICKET),
        ("PATCH", f"{mine}/{ticket}", {"price": "0.00"}),
        ("DELETE", f"{mine}/{ticket}", None),
        ("PATCH", f"/me/events/{other}/tickets/{ticket}", {"price": "0.00"}),
        ("DELETE", f"/me/events/{other}/tickets/{ticket}", None),
    ]
    for method, path, body in stranger:
        assert ticketing.ask(method, path, otto, body).status == 404, (method, path)
        assert ticketing.ask(method, path, cleo, body).status == 403, (method, path)
        assert ticketing.ask(method, path, "", body).status == 401, (method, path)
    assert ticketing.ask("GET", f"/events/{event}").body["title"] == "Jazz"
    assert ids(ticketing, f"/events/{event}/tickets") == [ticket]
    assert ids(ticketing, f"/events/{other}/tickets") == []
    assert ticketing.ask("GET", f"/events/{event}/tickets/{ticket}").body["price"] == "25.00"
    assert ticketing.ask("GET", f"/events/{other}/tickets/{ticket}").status == 404
    assert event in ids(ticketing, "/events") and ids(ticketing, "/me/events", otto) == [other]
    assert ticketing.ask("PATCH", f"{mine}/{ticket}", ola, {"price": "20.00"}).body["price"] == "20.00"
    assert ticketing.ask("PATCH", f"{mine}/{ticket}", ola, {"event": other}).status == 422

    # An order that is sent twice is placed once.
    bookings, key = f"/tickets/{ticket}/bookings", "cleo books two"
    booking = made(ticketing, bookings, cleo, {"quantity": 2}, Idempotency_Key=key)
    assert made(ticketing, bookings, cleo, {"quantity": 2}, Idempotency_Key=key) == booking
    cancel = f"/me/bookings/{booking}/cancel"
    assert ids(ticketing, "/me/bookings", carl) == []
    assert ticketing.ask("POST", cancel, carl).status == 404
    [shown] = ticketing.ask("GET", "/me/bookings", cleo).body["items"]
    of_ticket = {"name": "Standing", "price": "20.00"}
    assert shown == {"id": booking, "ticket": of_ticket, "quantity": 2, "status": "booked"}

    sold = f"/me/tickets/{ticket}/bookings"
    for method, path in [("GET", sold), ("GET", f"{sold}/counts"), ("POST", f"{sold}/{booking}/refuse")]:
        assert ticketing.ask(method, path, otto, {"reason": "Full"} if method == "POST" else None).status == 404
    assert ids(ticketing, sold, ola) == [booking]
    assert ticketing.ask("GET", f"{sold}/counts", ola).body == [{"status": "booked", "count": 1}]
    assert ticketing.ask("POST", f"{sold}/{booking}/refuse", ola, {"reason": "Full"}).body["status"] == "cancelled"
    assert refused(ticketing.ask("POST", cancel, cleo)) == (409, "transition-not-allowed", "cancelled")

    # A ticket that is booked stays, and so does its event.
    for path, name in [(f"{mine}/{ticket}", "ticket-in-use"), (f"/me/events/{event}", "event-in-use")]:
        gone = ticketing.ask("DELETE", path, ola)
        assert (gone.status, gone.body["type"]) == (409, f"/problems/{name}")
        assert gone.body["references"] == {"bookings": 1}
    # An event whose tickets nobody has booked takes them along.
    free = made(ticketing, f"/me/events/{other}/tickets", otto, TICKET)
    assert ticketing.ask("DELETE", f"/me/events/{other}", otto).status == 204
    assert ticketing.ask("GET", f"/events/{other}/tickets/{free}").status == 404


def test_a_customer_gets_help(zammad: Service) -> None:
    roles = {"cleo": "customer", "carl": "customer", "ann": "agent", "abe": "agent", "root": "admin"}
    cleo, carl, ann, abe, root = zammad.tokens(**roles)
    group = made(zammad, "/groups", root, {"name": "Support"})
    assert zammad.ask("POST", "/groups", ann, {"name": "Sales"}).status == 403
    ticket = made(zammad, "/tickets", cleo, {"title": "It is broken", "group": group})
    own, plain = f"/me/tickets/{ticket}", f"/tickets/{ticket}"

    # What a customer sees and writes is of their own tickets.
    question = made(zammad, f"{own}/articles", cleo, {"body": "Why?"})
    reply = made(zammad, f"{plain}/articles", ann, {"body": "Have you turned it on?", "kind": "email"})
    note = made(zammad, f"{plain}/notes", ann, {"body": "She calls each week"})
    assert ids(zammad, f"{own}/articles/shown", cleo) == [question, reply]
    assert zammad.ask("GET", f"{own}/articles/shown/{reply}", cleo).body["owner"] == "ann"
    for path in [own, f"{own}/articles/shown", f"{own}/articles/shown/{reply}"]:
        assert zammad.ask("GET", path, carl).status == 404, path
    assert zammad.ask("POST", f"{own}/articles", carl, {"body": "Me, too"}).status == 404
    assert ids(zammad, "/me/tickets", carl) == []
    for path in [plain, f"{plain}/articles", f"{plain}/notes", f"{plain}/notes/{note}", "/tickets"]:
        assert zammad.ask("GET", path, cleo).status == 403, path

    # What is hidden is hidden from the customer alone.
    assert zammad.ask("POST", f"{plain}/articles/{reply}/hide", ann).status == 200
    assert ids(zammad, f"{own}/articles/shown", cleo) == [question]
    assert zammad.ask("GET", f"{own}/articles/shown/{reply}", cleo).status == 404
    assert ids(zammad, f"{plain}/articles", abe) == [question, reply]
    assert refused(zammad.ask("POST", f"{plain}/articles/{reply}/hide", abe))[::2] == (409, "hidden")

    # Only an agent works it off, and says until when it waits.
    for actor, status in [(cleo, 403), (root, 403), ("", 401)]:
        assert zammad.ask("POST", f"{plain}/open", actor).status == status
    assert refused(zammad.ask("POST", f"{plain}/park", ann))[::2] == (409, "new")
    assert zammad.ask("POST", f"{plain}/open", ann).status == 200
    assert zammad.ask("POST", f"{plain}/park", ann, {"pending_until": "2190-01-01T00:00:00Z"}).status == 200
    assert zammad.ask("PATCH", plain, ann, {"assignee": "abe", "priority": "high"}).body["state"] == "pending"
    assert zammad.ask("PATCH", plain, ann, {"state": "closed"}).status == 422
    assert zammad.ask("GET", own, cleo).body["assignee"] == "abe"

    # A tag once, one checklist, a mention of each agent: and what is of this ticket is not of another one.
    tag, other = (
        made(zammad, "/tags", ann, {"name": "hot"}),
        made(zammad, "/tickets", carl, {"title": "No", "group": group}),
    )
    tagged = made(zammad, f"{plain}/ticket-tags", ann, {"tag": tag})
    assert zammad.ask("POST", f"{plain}/ticket-tags", ann, {"tag": tag}).status == 409
    assert zammad.ask("DELETE", f"/tickets/{other}/ticket-tags/{tagged}", ann).status == 404
    mention = made(zammad, f"{plain}/mentions", ann, None)
    made(zammad, f"{plain}/mentions", abe, None)
    assert zammad.ask("POST", f"{plain}/mentions", abe).status == 409
    assert zammad.ask("DELETE", f"/me/mentions/{mention}", abe).status == 404
    checklist = made(zammad, f"{plain}/checklists", ann, {})
    many = zammad.ask("POST", f"{plain}/checklists", abe, {})
    assert (many.status, many.body["type"]) == (409, "/problems/too-many-checklists-of-ticket")
    item = made(zammad, f"/checklists/{checklist}/checklist-items", abe, {"text": "Ask"})
    entry = made(zammad, f"{plain}/time-entries", ann, {"minutes": "7.5"})
    assert zammad.ask("PATCH", f"/tickets/{other}/time-entries/{entry}", ann, {"minutes": "9"}).status == 404

    # What something refers to stays; a ticket takes along what belongs to it, and nothing else.
    for path, actor, name in [(f"/groups/{group}", root, "tickets"), (f"/tags/{tag}", ann, "ticket_tags")]:
        assert zammad.ask("DELETE", path, actor).body["references"][name] > 0
    assert zammad.ask("DELETE", plain, ann).status == 403
    assert zammad.ask("DELETE", plain, root).status == 204
    for path in [plain, f"{plain}/notes/{note}", f"/checklists/{checklist}", f"{plain}/articles/{question}"]:
        assert zammad.ask("GET", path, ann).status == 404, path
    assert zammad.ask("GET", f"/checklists/{checklist}/checklist-items/{item}", ann).status == 404
    assert ids(zammad, f"/ticket-tags?tag={tag}", ann) == ids(zammad, "/me/mentions", ann) == []
    assert zammad.ask("DELETE", f"/tags/{tag}", ann).status == 204
    assert ids(zammad, "/tickets", ann) == [other]
