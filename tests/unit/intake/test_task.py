"""The page of a desk's task: exactly the orders that are possible as the case stands, each with what it needs."""

from __future__ import annotations

from typing import Any

import pytest

from referral.runtime import i18n
from services.intake.model import Link, Situation, Spot, Task
from services.intake.pages import forms, render
from services.intake.pages import task as pages_task
from services.intake.pages.task import FIELDS, Choices, offered

ALL = i18n.load(render.WORDS)
NOW = 1_764_036_000_000_000
STEP = Choices(services=(("s", "csw"), ("t", "csw"), ("u", "dsw")), reasons=("other",), pathways=("p",), links=("sibling",), acts=True)
DECISION = Choices(services=(("s", "csw"),), codes=("LOW", "HIGH"), reasons=("other",), pathways=("p",), links=("sibling",))
OTHERS = (("0a0a0a0a-other", NOW),)


def task(**more: Any) -> Task:
    plain = {"task_id": "t" * 36, "desk": "d", "case_id": "c" * 36, "about": "no-candidate", "track_id": "k", "step": "support", "seat": 0}
    return Task(**{**plain, "rung": 0, "due": None, "opened_at": NOW, "closed_at": None, **more})


@pytest.mark.parametrize(
    ("asked", "choices", "now", "orders"),
    [
        (task(), STEP, Situation(), "OFFER SETTLE OVERTAKEN STOP CLOSE"),
        (task(), STEP, Situation(asked=True, others=OTHERS), "OFFER SETTLE RELEASE OVERTAKEN STOP CLOSE LINK"),
        (task(seat=-1), STEP, Situation(asked=True, taken=True), "SETTLE TRANSFER RELEASE OVERTAKEN RESUME STOP CLOSE"),
        (task(), DECISION, Situation(asked=True), "OFFER SETTLE RELEASE STOP CLOSE"),
        (task(about="confirm-default", seat=-1), DECISION, Situation(default="HIGH"), "SETTLE STOP CLOSE"),
        (task(about="consent-missing", step="", seat=-1), Choices(), Situation(), "OVERTAKEN STOP CLOSE"),
        (task(about="confirm-change", step="", seat=-1), Choices(), Situation(proposed="LIFT agency:csw"), "CONFIRM REFUSE STOP CLOSE"),
        (task(about="complaint", seat=-1), STEP, Situation(others=OTHERS), "CONFIRM REFUSE"),
        (task(about="complaint-ours", seat=-1), STEP, Situation(closed=True), "CONFIRM REFUSE"),
        (task(about="stopped", step="", seat=-1), Choices(), Situation(), "RESUME OVERTAKEN CLOSE"),
        (task(step="", seat=-1), Choices(), Situation(), "OVERTAKEN RESUME STOP CLOSE"),
        (task(step="", seat=-1), STEP, Situation(closed=True, others=OTHERS), "REOPEN RESUME LINK"),
    ],
)
def test_orders_that_are_possible_now(asked: Task, choices: Choices, now: Situation, orders: str) -> None:
    assert " ".join(offered(asked, choices, now)) == orders


@pytest.mark.parametrize("about", ["complaint", "complaint-ours"])
@pytest.mark.parametrize("language", sorted(ALL))
def test_what_is_proposed_to_oversight_says_whose_silence_it_was_and_has_a_button_that_opens_the_case(language: str, about: str) -> None:
    view = pages_task.view(task(about=about, seat=-1), Spot(), STEP, Situation(), ALL[language], lambda kind, code: f"{kind}:{code}", NOW)
    assert view.default == ALL[language](f"task.{about}") and [order.word for order in view.orders] == ["CONFIRM", "REFUSE"]
    assert view.orders[0].label == ALL[language]("instruct.CONFIRM.complaint") and not any(order.field for order in view.orders)


@pytest.mark.parametrize("language", sorted(ALL))
def test_every_order_reads_in_every_language_with_the_names_of_the_policy(language: str) -> None:
    say = ALL[language]
    for closed in (False, True):
        for choices in (STEP, DECISION, Choices(acts=True)):
            for default in ("", "HIGH"):
                now = Situation(closed=closed, taken=not default, asked=True, default=default, pathway="p", others=OTHERS)
                view = pages_task.view(task(seat=-1), Spot(), choices, now, say, lambda kind, code: f"{kind}:{code}", NOW)
                assert len({order.label for order in view.orders}) == len(view.orders) >= 2
                for order in view.orders:
                    assert order.means and (not order.field or order.options)
    settle = next(order for order in view.orders if order.word == "REOPEN")
    assert settle.options == ()


@pytest.mark.parametrize("language", sorted(ALL))
@pytest.mark.parametrize(
    "said", ["TRAITS trafficking adult 18-120", "CONSENT WITHDRAWN by person", "EXCLUSION agency:csw", "LIFT agency:csw"]
)
def test_what_one_party_has_said_is_read_in_every_language(language: str, said: str) -> None:
    now = Situation(proposed=said, proposer="school")
    asked = task(about="confirm-change", step="", seat=-1)
    view = pages_task.view(asked, Spot(), Choices(), now, ALL[language], lambda kind, code: f"{kind}:{code}", NOW)
    assert "agency:school" in view.default and (f"agency:{said[-3:]}" in view.default or said.split()[1] in view.default)
    assert [order.word for order in view.orders] == ["CONFIRM", "REFUSE", "STOP", "CLOSE"]


def test_a_default_is_named_and_stands_chosen_so_that_one_press_confirms_it() -> None:
    now = Situation(default="HIGH")
    view = pages_task.view(task(about="confirm-default"), Spot(), DECISION, now, ALL["en"], lambda kind, code: f"{kind}:{code}", NOW)
    assert "decision:HIGH" in view.default
    first = view.orders[0]
    assert (first.word, first.chosen, first.label) == ("SETTLE", "HIGH", "Confirm, or decide otherwise")


@pytest.mark.parametrize(
    ("form", "errors"),
    [
        ({"word": "STOP", "reason": "other"}, set()),
        ({"word": "STOP"}, {"reason"}),
        ({"word": "OFFER", "reason": "other"}, {"service"}),
        ({"word": "TRANSFER", "reason": "other", "service": "s"}, set()),
        ({"word": "SETTLE", "reason": "other", "service": "s"}, {"code"}),
        ({"word": "REOPEN", "reason": "other"}, set()),
        ({"word": "LINK", "reason": "other"}, {"other", "how"}),
        ({"word": "DANCE", "reason": "other"}, {"top"}),
    ],
)
def test_what_is_missing_is_named(form: dict[str, str], errors: set[str]) -> None:
    assert set(forms.instruction(form, ("STOP", *FIELDS), FIELDS).errors) == errors


def test_a_settled_task_shows_nothing_of_where_its_case_stands() -> None:
    """Its desk may have no part in the case any more: links that were made later, and what is proposed, are nothing for it."""
    now = Situation(default="HIGH", proposed="LIFT agency:csw", proposer="csw", links=(Link(case_id="c" * 36, how="sibling"),))

    def shown(at: int | None) -> str:
        asked = task(closed_at=at, about="confirm-change", step="", seat=-1)
        view = pages_task.view(asked, Spot(), DECISION, now, ALL["en"], lambda kind, code: f"{kind}:{code}", NOW)
        return f"{view.facts} {view.default}"

    assert "HIGH" in shown(None) and "sibling" in shown(None).lower()
    assert "HIGH" not in shown(NOW) and "sibling" not in shown(NOW).lower()
