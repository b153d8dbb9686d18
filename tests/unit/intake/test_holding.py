"""The fold of routing's events into what agencies hold: cut into batches anywhere, it ends the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs

from referral.domain import events as e
from referral.domain.inputs import Input, Source
from referral.runtime import i18n
from services.intake.api import schemas
from services.intake.model import Offer
from services.intake.pages import render
from services.intake.projection import offers, timeline
from tests.harness.line.intake_stack import WHY, offer

OFFER, CASE = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11", "1b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"
LIMIT: dict[str, Any] = {"why": WHY, "offer_id": OFFER, "due": 9, "due_what": "accept"}
AFTER: list[Struct] = [
    e.OfferEscalated(**LIMIT, rung=1),
    e.OfferEscalated(**LIMIT, rung=0, reason="acknowledger-excluded"),
    e.OfferAcknowledged(**LIMIT, by=None),
    e.OfferAccepted(**LIMIT, by=None, late=False),
    e.OfferArrived(**LIMIT, by=None),
    e.OfferHeld(why=WHY, offer_id=OFFER, by=None, reason="OTHER", due=5),
    e.OfferClosed(why=WHY, offer_id=OFFER, how=e.How.EXPIRED, reason=""),
    e.OfferClosed(why=WHY, offer_id=OFFER, how=e.How.RETURNED, reason="OTHER"),
    e.OfferReopened(**LIMIT, by=None, track_id=OFFER, step="health", arrived=True, done_at=None),
]
NAMES = ("state", "rung", "arrived", "due", "due_what", "closed_at", "reason")


def record(body: Struct, seq: int) -> Input:
    return Input(id=OFFER, case_id=CASE, body=body, source=Source(topic="referral-routing"), seq=seq, at=100 + seq)


def applied(batches: list[list[Input]]) -> dict[str, Any]:
    """As the table would have it: what a batch leaves open stays as it was."""
    row: dict[str, Any] = {}
    for batch in batches:
        changes = offers.Changes()
        for one in batch:
            offers.fold(changes, one)
        for held in changes.offers.values():
            kept = {} if held.opened else row
            fresh = {name: getattr(held, name) for name in NAMES}
            row = {
                name: kept.get(name) if value is None and name in ("state", "rung", "arrived") else value for name, value in fresh.items()
            }
    return row


def test_a_completed_offer_that_is_taken_back_is_open_as_before_and_cannot_be_taken_back_twice() -> None:
    changes = offers.Changes()
    offers.fold(changes, record(e.OfferClosed(why=WHY, offer_id=OFFER, how=e.How.COMPLETED, reason=""), 1))
    offers.fold(changes, record(e.UndoAllowed(why=WHY, offer_id=OFFER, until=7, arrived=True, due=9, due_what="complete", done_at=None), 2))
    assert changes.offers[OFFER].closed_at == 101 and changes.undos == {CASE: {OFFER: 7}}
    offers.fold(changes, record(AFTER[-1], 3))
    held = changes.offers[OFFER]
    assert (held.state, held.arrived, held.due, held.due_what, held.closed_at) == ("ACCEPTED", True, 9, "accept", None)
    assert changes.undos == {CASE: {OFFER: None}}
    offers.fold(changes, record(structs.replace(AFTER[-1], due_what="hold"), 4))
    assert changes.offers[OFFER].state == "ON_HOLD", "whoever had asked for time has it until the same moment"


def test_as_soon_as_the_case_goes_on_nothing_of_it_can_be_taken_back() -> None:
    """As routing forgets what it has allowed, so the page offers it no more, and the API says null."""
    allowed = e.UndoAllowed(why=WHY, offer_id=OFFER, until=7, arrived=True, due=None, due_what="", done_at=None)
    done = e.StepDone(why=WHY, track_id=OFFER, step="health", round=0, outcome="done")
    for events, undos, went_on in (
        ([allowed], {OFFER: 7}, False),
        ([done, allowed], {OFFER: 7}, True),
        ([allowed, done], {}, True),
        ([allowed, e.OfferAcknowledged(**LIMIT, by=None)], {OFFER: 7}, False),
    ):
        changes = offers.Changes()
        for seq, event in enumerate(events):
            offers.fold(changes, record(event, seq))
        assert (changes.undos.get(CASE, {}), CASE in changes.went_on) == (undos, went_on)


def test_an_offer_whose_acknowledger_is_excluded_stands_open_again() -> None:
    anew = e.OfferEscalated(**LIMIT, rung=0, reason="acknowledger-excluded")
    events = [offer("police", OFFER), e.OfferAcknowledged(**LIMIT, by=None), anew]
    assert applied([[record(body, seq) for seq, body in enumerate(events)]])["state"] == "OFFERED"


@given(st.lists(st.sampled_from(AFTER), max_size=8), st.integers(0, 8))
def test_where_batches_are_cut_does_not_matter(after: list[Struct], cut: int) -> None:
    records = [record(body, seq) for seq, body in enumerate([offer("police", OFFER), *after])]
    assert applied([records]) == applied([b for b in (records[:cut], records[cut:]) if b]) == applied([[one] for one in records])


@given(st.lists(st.sampled_from(AFTER), max_size=8))
def test_an_offer_is_closed_exactly_when_its_last_event_closed_it(after: list[Struct]) -> None:
    row = applied([[record(body, seq) for seq, body in enumerate([offer("police", OFFER), *after])]])
    closed = bool(after) and isinstance(after[-1], e.OfferClosed)
    assert (row["closed_at"] is not None) == closed
    assert (row["state"] in ("EXPIRED", "CANCELLED")) <= closed or after


def test_how_an_offer_ended_has_its_own_word_and_text() -> None:
    said = i18n.load(render.WORDS)["sq"]
    for how in e.How:
        row = applied([[record(offer("police", OFFER), 1), record(e.OfferClosed(why=WHY, offer_id=OFFER, how=how, reason=""), 2)]])
        assert row["state"] == (how if how is not e.How.UNKNOWN else "CANCELLED")
        assert said.has(f"ended.{how}")


@pytest.mark.parametrize("reason", sorted(offers.UNTOLD))
def test_who_was_excluded_is_not_told_so(reason: str) -> None:
    closed = e.OfferClosed(why=WHY, offer_id=OFFER, how=e.How.CANCELLED, reason=reason)
    assert applied([[record(offer("police", OFFER), 1), record(closed, 2)]])["reason"] == ""
    told = timeline.line(record(closed, 2))
    assert told is not None
    held = Offer(**dict.fromkeys(Offer.__struct_fields__, "") | {"offer_id": OFFER, "agency": "police"})  # type: ignore[arg-type]
    assert [m.detail for m in schemas.timeline([(1, told)], [held], "police", all_of_it=False)] == [""]
    assert [m.detail for m in schemas.timeline([(1, told)], [held], "desk", all_of_it=True)] == [reason]


def test_every_event_of_routing_is_folded_and_told_without_an_error() -> None:
    for type_ in e.EVENTS.values():
        if type_.TOPIC == "referral-routing":
            body = example(type_)
            offers.fold(offers.Changes(), record(body, 1))
            timeline.line(record(body, 1))


def example(type_: Any) -> Struct:
    found = json.loads((Path(__file__).parents[3] / "examples" / "events" / f"{type_.TYPE}.json").read_text("utf-8"))
    return msgspec.convert(found, type_)


def test_a_case_stands_where_its_furthest_offer_stands() -> None:
    def standing(state: str, kind: str = "REQUEST") -> Offer:
        plain = dict.fromkeys(Offer.__struct_fields__, "") | {"state": state, "kind": kind}
        return Offer(**plain)  # type: ignore[arg-type]

    assert schemas.state([], closed=False) == "RECEIVED"
    assert schemas.state([standing("ACCEPTED", "NOTIFY")], closed=False) == "RECEIVED"
    assert schemas.state([standing("EXPIRED")], closed=False) == "OFFERED"
    assert schemas.state([standing("OFFERED"), standing("ACKNOWLEDGED")], closed=False) == "ACKNOWLEDGED"
    assert schemas.state([standing("OFFERED"), standing("COMPLETED")], closed=False) == "ACCEPTED"
    assert schemas.state([standing("COMPLETED")], closed=True) == "COMPLETED"
    assert schemas.state([standing("CANCELLED")], closed=True) == "CANCELLED"
