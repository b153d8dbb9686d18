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


async def test_old_notes_and_addresses_that_nobody_confirmed_go(notifier: Stack) -> None:
    await notifier.rows(
        "INSERT INTO notifier.note (account, channel, kind, state, ended_at) VALUES ('a', 'email', 'test', 'SENT', runtime.clock())"
    )
    await notifier.rows("INSERT INTO notifier.note (account, channel, kind) VALUES ('b', 'email', 'gaps')")
    await notifier.rows("INSERT INTO notifier.unconfirmed (account, channel, address, code) VALUES ('a', 'sms', 'sealed', 'digest')")
    await tidy.forget(notifier.engine)
    assert len(await notifier.rows("SELECT id FROM notifier.note")) == 2 and await notifier.rows("SELECT tries FROM notifier.unconfirmed")
    await notifier.advance(2 * DAY)
    await tidy.forget(notifier.engine)
    assert len(await notifier.rows("SELECT id FROM notifier.note")) == 2
    assert await notifier.rows("SELECT tries FROM notifier.unconfirmed") == []
    await notifier.advance(tidy.KEEP_DAYS * DAY)
    await tidy.forget(notifier.engine)
    assert [row.account for row in await notifier.rows("SELECT account FROM notifier.note")] == ["b"], "what waits stays"
