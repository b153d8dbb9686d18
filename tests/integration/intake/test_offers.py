"""Offers as their agency sees them, on a real database."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from referral.domain import events as e
from referral.domain.inputs import derived
from tests.harness.line.intake_stack import BODY, WHY, Stack, new_id, offer, opened, track

pytestmark = pytest.mark.servers


async def test_an_offer_shows_with_its_limit_and_follows_what_routing_says(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    [found] = (await intake.get("police", "/v1/offers")).json()["offers"]
    assert (found["offer_id"], found["state"], found["due"], found["rung"]) == (offer_id, "OFFERED", "1970-01-01T00:00:05.000000Z", 0)
    assert (await intake.get("csw", "/v1/offers")).json()["offers"] == []
    assert (await intake.get("csw", f"/v1/offers/{offer_id}")).status_code == 404
    limit = {"why": WHY, "offer_id": offer_id, "due": 9_000_000, "due_what": "accept"}
    await intake.decided(case_id, e.OfferEscalated(**limit, rung=1), e.OfferAcknowledged(**limit, by=None))
    found = (await intake.get("police", f"/v1/offers/{offer_id}")).json()
    assert (found["state"], found["rung"], found["due_what"]) == ("ACKNOWLEDGED", 1, "accept")
    assert (await intake.get("school", f"/v1/cases/{case_id}")).json()["state"] == "ACKNOWLEDGED"
    await intake.decided(
        case_id, e.OfferAccepted(**limit, by=None, late=False), e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.COMPLETED, reason="")
    )
    assert (await intake.get("police", "/v1/offers")).json()["offers"] == []
    [ended] = (await intake.get("police", "/v1/offers?state=all")).json()["offers"]
    assert (ended["state"], ended["due"], ended["closed_at"] is None) == ("COMPLETED", None, False)
    assert (await intake.get("police", "/v1/offers?state=some")).status_code == 400


def head() -> e.Head:
    """Of the first event with which routing answers a record of intake."""
    facts = e.Facts(now=0, engine=1, free={}, bundle=1)
    return e.Head(kind=e.CauseKind.RECORD, topic="referral-intake", partition=0, offset=0, facts=facts)


async def test_an_answers_own_number_says_whether_it_counted(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)

    async def answered(word: str, *by: Struct) -> dict[str, Any]:
        """Answer, let routing decide about it, and ask."""
        key = new_id()
        receipt = (await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": word}, key)).json()
        before = (await intake.get("police", f"/v1/submissions/{key}")).json()
        assert (before["became"], "reason" in before) == ("RECEIVED", False)
        await intake.decided(case_id, *by, ids=[derived(receipt["event_id"], i) for i in range(len(by))])
        assert (await intake.get("school", f"/v1/submissions/{key}")).status_code == 404
        return dict((await intake.get("police", f"/v1/submissions/{key}")).json())

    found = await answered("ACKNOWLEDGE", e.OfferAcknowledged(head=head(), why=WHY, offer_id=offer_id, by=None, due=None, due_what=""))
    assert (found["state"], found["kind"], found["became"], "reason" in found) == ("TAKEN", "response", "COUNTED", False)
    for why, told in (("OTHER_ACCEPTED_FIRST", "OTHER_ACCEPTED_FIRST"), ("EXCLUDED", None)):
        found = await answered("ACCEPT", e.InputIgnored(head=head(), why=WHY, reason=why, referral_id=None, offer_id=offer_id))
        assert (found["became"], found.get("reason")) == ("IGNORED", told)
    await intake.post("school", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"})
    key = new_id()
    await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "ACCEPT"}, key)
    assert "became" not in (await intake.get("police", f"/v1/submissions/{key}")).json(), "it may see nothing of the case any more"


async def test_an_offer_lists_no_answer_that_is_spent(intake: Stack) -> None:
    every = {"ACKNOWLEDGE", "ACCEPT", "ARRIVE", "COMPLETE", "DECLINE", "HOLD", "RETURN"}
    case_id, offer_id = await opened(intake, words=tuple(sorted(every)))
    limit: dict[str, Any] = {"why": WHY, "offer_id": offer_id, "due": None, "due_what": ""}

    async def words(*by: Struct) -> set[str]:
        await intake.decided(case_id, *by)
        return set((await intake.get("police", f"/v1/offers/{offer_id}")).json()["words"])

    assert await words() == every
    assert await words(e.OfferAcknowledged(**limit, by=None)) == every - {"ACKNOWLEDGE"}
    assert await words(e.OfferHeld(why=WHY, offer_id=offer_id, due=9, by=None, reason="")) == every - {"HOLD"}
    assert await words(e.OfferAccepted(**limit, by=None, late=False)) == every - {"ACKNOWLEDGE", "ACCEPT", "DECLINE"}
    assert await words(e.OfferArrived(**limit, by=None)) == every - {"ACKNOWLEDGE", "ACCEPT", "DECLINE", "ARRIVE"}


async def test_an_offer_says_whether_it_is_an_exercise(intake: Stack) -> None:
    for drill in (False, True):
        case_id, offer_id = (await intake.submit({**BODY, "drill": drill}))["case_id"], new_id()
        await intake.decided(case_id, track(new_id()), offer("police", offer_id))
        listed = (await intake.get("police", "/v1/offers")).json()["offers"]
        assert [one["drill"] for one in listed if one["offer_id"] == offer_id] == [drill]


async def test_an_accept_that_comes_late_opens_a_closed_offer_again(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.EXPIRED, reason=""))
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 403
    await intake.decided(case_id, e.OfferAccepted(why=WHY, offer_id=offer_id, by=None, late=True, due=None, due_what=""))
    assert (await intake.get("police", f"/v1/offers/{offer_id}")).json()["state"] == "ACCEPTED"
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200


async def test_a_withdrawal_ends_the_senders_part_and_nothing_else(intake: Stack) -> None:
    receipt = await intake.submit()
    case_id, path = receipt["case_id"], f"/v1/referrals/{receipt['referral_id']}/withdrawal"
    await intake.decided(case_id, track(), offer("police", new_id()))
    assert (await intake.post("school", path, {"reason": "WHIM"})).json()["code"] == "unknown-code"
    assert (await intake.post("police", path, {"reason": "MISTAKE"})).status_code == 404
    assert (await intake.post("school", path, {"reason": "MISTAKE"})).status_code == 202
    assert (await intake.get("school", f"/v1/referrals/{receipt['referral_id']}")).json()["state"] == "CANCELLED"
    assert (await intake.get("school", f"/v1/cases/{case_id}")).status_code == 404
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200
    assert (await intake.queued(case_id))[1] == "referral-withdrawn.v1"
