"""An inbox with many cases: what stands first, the line on top, and the filters."""

from __future__ import annotations

import pytest

from services.intake.model import Offer
from services.intake.pages import inbox
from tests.unit.intake.test_pages import MINUTE, NOW, SAY, offer

LATER = NOW + 60 * MINUTE


def named(id: str, **more: object) -> Offer:
    return offer(offer_id=id, case_id=id, **more)


def test_a_limit_that_has_passed_stands_first_then_an_emergency_then_the_next_limit() -> None:
    """An emergency stood below routine steps whose limit was nearer."""
    offers = [
        named("routine", urgency="routine", due=NOW + MINUTE),
        named("emergency", urgency="emergency", due=LATER),
        named("late", urgency="routine", due=NOW - MINUTE),
        named("late-emergency", urgency="emergency", due=NOW),
        named("never", due=None),
    ]
    found = inbox.grouped(offers, (), {}, {}, {}, NOW)["answer"]
    shown = [cards[0].href.removeprefix("/offers/") for _, cards in found.cases]
    assert shown == ["late-emergency", "late", "emergency", "routine", "never"]


def test_the_line_on_top_counts_what_waits() -> None:
    offers = [named("a", urgency="emergency", due=NOW - MINUTE), named("b", due=LATER), named("c", urgency="emergency", due=None)]
    assert inbox.line(offers, SAY, NOW) == "Waiting: 3 · late: 1 · emergencies: 2 · next limit 04:00"
    assert inbox.line(offers[1:2], SAY, NOW) == "Waiting: 1 · next limit 04:00"
    assert inbox.line([], SAY, NOW) == ""


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, "abc"),
        ({"show": "late"}, "a"),
        ({"show": "mine"}, "b"),
        ({"step": "risk"}, "c"),
        ({"show": "late", "step": "risk"}, ""),
        ({"show": "anything"}, "abc"),
    ],
)
def test_a_filter_is_an_address(query: dict[str, str], shown: str) -> None:
    offers = [named("a", due=NOW), named("b", state="ACCEPTED"), named("c", step="risk")]
    show, step = inbox.wanted(query)
    assert "".join(one.offer_id for one in offers if inbox.matches(one, show, step, {"b": "me", "c": "she"}, "me", NOW)) == shown
