"""Rows of questions that closed long ago are deleted, and no others."""

from __future__ import annotations

from referral.domain.events import How, OfferClosed
from services.notifier import tidy
from tests.harness.line.notifier_stack import WHY, Stack, opened

DAY = 24 * 3600 * 1_000_000


async def test_what_closed_ninety_days_ago_goes_and_what_is_open_stays(notifier: Stack) -> None:
    await notifier.person("a")
    case, over, kept = await notifier.case(), opened(), opened()
    await notifier.tell(case, over, kept)
    await notifier.tell(case, OfferClosed(why=WHY, offer_id=over.offer_id, how=How.COMPLETED, reason=""))
    await notifier.advance((tidy.KEEP_DAYS - 1) * DAY)
    assert await tidy.delete(notifier.engine) == 0
    await notifier.advance(2 * DAY)
    assert await tidy.delete(notifier.engine) == 1
    assert [row.id for row in await notifier.rows("SELECT id FROM notifier.asked")] == [kept.offer_id]
    assert [row.asked for row in await notifier.rows("SELECT asked FROM notifier.delivery")] == [kept.offer_id]
