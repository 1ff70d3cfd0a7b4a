"""States over HTTP, as each actor of an approval: what is settled stays, and nobody decides about their own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Answer, Service, served
from stories import Story

EXPENSE = {
    "title": "Train",
    "category": "travel",
    "amount": "12.50",
    "currency": "EUR",
    "expense_date": "2026-01-31",
}


@pytest.fixture(scope="module")
def expenses(tell: Callable[[str], Story], tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("states")
    settings = {"DATABASE_URL": f"sqlite:///{folder}/expenses.db"}
    with served(Service(tell("expenses"), tools, folder / "log", settings)) as service:
        yield service


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
