"""Routing on real servers, through the real loop: a referral becomes offers, beds are never oversold, failures stay their case's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from referral.domain.events import CaseOpened, OfferAccepted, OfferOpened, Word
from referral.runtime.settings import Settings
from tests.contract.routing_stack import Line, answer, new_id, referral

pytestmark = pytest.mark.servers


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[Line]:
    made = Line(settings)
    try:
        await made.start()
        made.publisher()
        yield made
    finally:
        await made.close()


async def test_a_referral_becomes_offers_and_an_answer_changes_the_case(line: Line) -> None:
    await line.activate()
    case_id = new_id()
    await line.post(case_id, referral())
    (opened,) = await line.wait_for(case_id, CaseOpened)
    assert opened.head.topic == "referral-intake" and opened.head.facts.bundle == 1
    (police,) = await line.wait_for(case_id, OfferOpened, step="police")
    assert police.agency == "police-prizren"
    await line.post(case_id, answer(police, Word.ACCEPT))
    await line.wait_for(case_id, OfferAccepted, offer_id=police.offer_id)
    reads = await line.reads(case_id)
    assert [r.meta.case_seq for r in reads] == list(range(1, len(reads) + 1))
    assert await line.scalar("SELECT count(*) FROM routing.alarm WHERE case_id = :c", c=case_id) == 1
