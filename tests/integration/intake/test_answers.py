"""Answers to offers on a real database: which an offer allows, once each, and where their words stay."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from referral.domain import events as e
from tests.harness.line.intake_stack import WHY, Stack, new_id, opened

pytestmark = pytest.mark.servers


ILLEGAL: list[tuple[dict[str, Any], str, str]] = [
    ({"word": "DANCE"}, "illegal-answer", "$.word"),
    ({"word": "ACCEPT", "via": "PIGEON"}, "unknown-code", "$.via"),
    ({"word": "ACCEPT", "via": "WEB"}, "unknown-code", "$.via"),  # a system is no person at a page
]
"""The answers that only the door refuses, and one of those in tests/unit/intake/test_refusals.py."""


async def test_an_answer_that_the_offer_does_not_allow_is_named(intake: Stack, subtests: pytest.Subtests) -> None:
    case_id, offer_id = await opened(intake)
    for body, code, where in ILLEGAL:
        with subtests.test(where, code=code):
            answer = await intake.post("police", f"/v1/offers/{offer_id}/responses", body)
            assert (answer.status_code, answer.json()["code"], answer.json()["where"]) == (422, code, where)
            assert await intake.queued(case_id) == ["referral-submitted.v2"]


async def test_an_answer_is_taken_once_and_only_from_who_held_the_offer(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    path, key = f"/v1/offers/{offer_id}/responses", new_id()
    answers = await asyncio.gather(*(intake.post("police", path, {"word": "ACCEPT"}, key) for _ in range(20)))
    assert len({a.text for a in answers}) == 1
    assert await intake.queued(case_id) == ["referral-submitted.v2", "response-submitted.v2"]
    assert (await intake.post("police", path, {"word": "ACKNOWLEDGE"}, key)).status_code == 409
    assert (await intake.post("csw", path, {"word": "ACCEPT"})).status_code == 404
    assert (await intake.post("police", f"/v1/offers/{new_id()}/responses", {"word": "ACCEPT"})).status_code == 404
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.EXPIRED, reason=""))
    assert (await intake.post("police", path, {"word": "ACCEPT"})).status_code == 202, "late answers are routing's to judge"


async def test_a_decision_needs_its_words_which_stay_in_the_case_file(intake: Stack) -> None:
    more = {"kind": e.OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("csw-guardian", "parent"), "needs": ("reason", "child-view")}
    case_id, offer_id = await opened(intake, agency="csw", **more)
    path = f"/v1/offers/{offer_id}/responses"
    bare = await intake.post("csw", path, {"word": "DECIDE", "code": "csw-guardian", "texts": {"reason": "Arsye"}})
    assert (bare.json()["code"], bare.json()["where"]) == ("not-recorded", "$.texts.child-view")
    good = await intake.post("csw", path, {"word": "DECIDE", "code": "csw-guardian", "texts": {"reason": "Arsye", "child-view": "Pamja"}})
    assert good.status_code == 202
    assert await intake.by_hand("SELECT count(*) FROM intake.recorded WHERE case_id = :case", case=case_id) == 2


async def test_an_answer_is_taken_back_once_and_only_by_who_gave_it(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    path, key, body = f"/v1/offers/{offer_id}/withdrawal", new_id(), {"word": "COMPLETE"}
    assert (await intake.post("police", f"/v1/offers/{offer_id}/responses", body)).status_code == 202
    until = 4_102_444_800_000_000
    may = e.UndoAllowed(why=WHY, offer_id=offer_id, until=until, arrived=False, due=None, due_what="", done_at=None)
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.COMPLETED, reason=""), may)
    held = (await intake.get("police", f"/v1/offers/{offer_id}")).json()
    assert (held["state"], held["undo_until"]) == ("COMPLETED", "2100-01-01T00:00:00.000000Z")
    answers = [await intake.post("police", path, body, key) for _ in range(3)]
    assert {a.status_code for a in answers} == {202} and len({a.text for a in answers}) == 1
    assert (await intake.queued(case_id))[-1] == "answer-withdrawn.v1" and len(await intake.queued(case_id)) == 3
    assert (await intake.post("csw", path, body)).status_code == 404
    by_phone = {"word": "COMPLETE", "via": "PHONE"}  # the event names who takes it back, and a desk's system is nobody
    for wrong, where in (({"word": "DECLINE"}, "$.word"), ({"word": "COMPLETE", "via": "WEB"}, "$.via"), (by_phone, "$.via")):
        refused = await intake.post("police", path, wrong)
        assert (refused.status_code, refused.json()["where"]) == (422, where)
    again = e.OfferReopened(
        why=WHY, offer_id=offer_id, by=None, track_id=new_id(), step="police", arrived=True, due=None, due_what="", done_at=None
    )
    await intake.decided(case_id, again)
    held = (await intake.get("police", f"/v1/offers/{offer_id}")).json()
    assert (held["state"], held["arrived"], held["undo_until"], held["closed_at"]) == ("ACCEPTED", True, None, None)
    await intake.decided(case_id, may)
    assert (await intake.get("police", f"/v1/offers/{offer_id}")).json()["undo_until"]
    await intake.decided(case_id, e.StepDone(why=WHY, track_id=new_id(), step="police", round=0, outcome="done"))
    assert (await intake.get("police", f"/v1/offers/{offer_id}")).json()["undo_until"] is None, "the case has gone on"
