"""A call and an SMS say how many requests wait, and one press counts for exactly these. On a real database."""

from __future__ import annotations

from referral.channels import Word
from referral.channels.message import short
from referral.domain.events import KnockAnswered
from tests.harness.line.notifier_stack import MINUTE, Stack, of, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_woken import NUMBER, Phone, lanes, officer, soon

SAID = "SELECT 1 FROM notifier.delivery WHERE channel = 'voice' AND state = 'SENT'"


async def test_one_press_counts_for_as_many_as_the_call_has_named(notifier: Stack) -> None:
    """A fourth request comes while the telephone rings: nobody has spoken of it, and it is knocked for by itself."""
    besa, due = await officer(notifier, "besa", "voice"), await soon(notifier)
    voice = Phone({NUMBER["besa"]: [Word.LOOKS]})
    voice.hold.clear()
    first = [opened(due=due) for _ in range(3)]
    for offer in first:
        await notifier.tell(await notifier.case(), offer)
    late = opened(due=due)
    async with sending(lanes(notifier, voice=voice)):
        await notifier.advance(2 * MINUTE)
        await until(lambda: voice.taken, what="the telephone rings")
        await notifier.tell(await notifier.case(), late)
        await notifier.advance(2 * MINUTE + 1)
        voice.hold.set()
        await until(lambda: notifier.rows(SAID), what="the key has counted")
        said = await notifier.drain()
        assert (voice.taken[0].waiting, voice.taken[0].urgent) == (3, True)
        assert {(k.person, k.offer_id) for k in of(said, KnockAnswered)} == {(besa, offer.offer_id) for offer in first}
        await notifier.advance(2 * MINUTE)
        await until(lambda: len(voice.taken) == 2, what="it is called for by itself")
        assert voice.taken[1].waiting == 1


async def test_an_sms_says_how_many_wait_besides(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    sms, due = Phone(), await soon(notifier)
    for _ in range(3):
        await notifier.tell(await notifier.case(), opened(due=due))
    async with sending(lanes(notifier, sms=sms)):
        await until(lambda: sms.taken)
        await until(lambda: notifier.rows("SELECT 1 FROM notifier.delivery HAVING count(*) FILTER (WHERE state = 'SENT') = 3"))
    (out,) = sms.taken
    assert out.waiting == 3 and f"({out.case} +2)" in short(out)


async def test_what_can_wait_is_not_called_urgent(notifier: Stack) -> None:
    await officer(notifier, "besa", "voice")
    voice = Phone({NUMBER["besa"]: [Word.LOOKS]})
    await notifier.tell(await notifier.case(), opened(due=await soon(notifier, 20 * 60)))
    async with sending(lanes(notifier, voice=voice)):
        await notifier.advance(21 * MINUTE)
        await until(lambda: voice.taken)
        await until(lambda: notifier.rows(SAID))
    assert not voice.taken[0].urgent
