"""Somebody who has accepted is excluded from the case: the colleagues on duty are told, once. On a real database."""

from __future__ import annotations

import pytest

from referral.domain.events import OfferAccepted, SectionDisclosed
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_excluded import excluding
from tests.integration.notifier.test_woken import NUMBER, Phone, lanes, officer

pytestmark = pytest.mark.servers


async def test_the_colleagues_of_an_excluded_holder_are_told(notifier: Stack) -> None:
    sms = Phone()
    besa, _ = await officer(notifier, "besa", "sms"), await officer(notifier, "agim", "sms")
    case_id, offer = await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE)
    taken = OfferAccepted(why=WHY, offer_id=offer.offer_id, by=besa, late=False, due=offer.due, due_what="complete")
    async with sending(lanes(notifier, sms=sms)):
        await notifier.tell(case_id, offer)
        await until(lambda: len(sms.taken) == 2)
        await notifier.tell(case_id, taken)
        await notifier.advance(2 * MINUTE)  # nobody gets two messages in a minute
        await notifier.tell(case_id, excluding(besa))
        await until(lambda: len(sms.taken) == 3, what="a colleague is told")
        assert sms.taken[-1].address == NUMBER["agim"]
        read = SectionDisclosed(offer_id=offer.offer_id, agency="police", by=None, section="location", basis="offer", at=0)
        await notifier.tell(case_id, read)
        await notifier.tell(case_id, excluding(besa))
        assert len(await notifier.states()) == 3, "and once: whoever has read it is not told of it anew"
