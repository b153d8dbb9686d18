"""Offers as their agency sees them, on a real database."""

from __future__ import annotations

import pytest

from referral.domain import events as e
from tests.harness.line.intake_stack import WHY, Stack, new_id, offer, opened, track

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
