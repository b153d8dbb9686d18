"""The page of a desk's task: exactly the orders that are possible as the case stands, each with what it needs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.responses import Response

from referral.runtime import i18n
from services.intake.model import Link, Situation, Spot, Task
from services.intake.pages import render
from services.intake.pages import task as pages_task
from services.intake.pages.task import FIELDS, Choices, offered
from tests.harness.web import drawn

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


def shown(asked: Task, choices: Choices, now: Situation, language: str = "en") -> Response:
    call = drawn.request(f"/tasks/{asked.task_id}", agency="desk-prizren", desk=True, language=language, now=NOW)
    return pages_task.draw(pages_task.Here(call, asked, Spot(), now, choices, (), (), (), ()))


@pytest.mark.parametrize("about", ["complaint", "complaint-ours"])
@pytest.mark.parametrize("language", sorted(ALL))
def test_what_is_proposed_to_oversight_says_whose_silence_it_was_and_has_a_button_that_opens_the_case(language: str, about: str) -> None:
    page = shown(task(about=about, seat=-1), STEP, Situation(), language)
    assert ALL[language](f"task.{about}") in drawn.text(page)
    words = [ALL[language](f"instruct.{word}.complaint") for word in ("CONFIRM", "REFUSE")]
    assert drawn.said(page)[:2] == words and "-target" not in drawn.source(page)


@pytest.mark.parametrize("language", sorted(ALL))
def test_every_order_reads_in_every_language_with_the_names_of_the_policy(language: str) -> None:
    say = ALL[language]
    for closed in (False, True):
        for choices in (STEP, DECISION, Choices(acts=True)):
            for default in ("", "HIGH"):
                now = Situation(closed=closed, taken=not default, asked=True, default=default, pathway="p", others=OTHERS)
                asked = task(seat=-1)
                labels = {pages_task.label(word, asked, choices, now) for word in offered(asked, choices, now)}
                assert len({say(label) for label in labels}) == len(labels) >= 2
                page = drawn.text(shown(asked, choices, now, language))
                assert all(say(label) in page and say(f"{label}.means") in page for label in labels)
    assert pages_task.targets("REOPEN", Choices(), Situation(), say, str, NOW) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("language", sorted(ALL))
@pytest.mark.parametrize(
    "said", ["TRAITS trafficking adult 18-120", "CONSENT WITHDRAWN by person", "EXCLUSION agency:csw", "LIFT agency:csw"]
)
def test_what_one_party_has_said_is_read_in_every_language(language: str, said: str) -> None:
    now = Situation(proposed=said, proposer="school")
    asked = task(about="confirm-change", step="", seat=-1)
    read = pages_task.default(asked, now, ALL[language], lambda kind, code: f"{kind}:{code}")
    assert "agency:school" in read and (f"agency:{said[-3:]}" in read or said.split()[1] in read)


def test_a_default_is_named_and_stands_chosen_so_that_one_press_confirms_it() -> None:
    page = drawn.source(shown(task(about="confirm-default"), DECISION, Situation(default="HIGH")))
    assert "High risk" in drawn.text(page) and drawn.text(page).index("Confirm, or decide otherwise") > 0
    assert re.findall(r'name="code" value="(\w+)" checked', page) == ["HIGH"]


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
    assert set(pages_task.instruction(form, ("STOP", *FIELDS), FIELDS).errors) == errors


def test_a_settled_task_shows_nothing_of_where_its_case_stands() -> None:
    """Its desk may have no part in the case any more: links that were made later, and what is proposed, are nothing for it."""
    now = Situation(default="HIGH", proposed="LIFT agency:csw", proposer="csw", links=(Link(case_id="c" * 36, how="sibling"),))

    def read(at: int | None) -> str:
        return drawn.text(shown(task(closed_at=at, about="confirm-change", step="", seat=-1), DECISION, now))

    assert "High risk" in read(None) and "sibling" in read(None).lower()
    assert "High risk" not in read(NOW) and "sibling" not in read(NOW).lower()
