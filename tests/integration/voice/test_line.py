"""The notifier and a real telephone: called until a key is pressed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from referral.channels.lane import Lane
from referral.channels.voice import Trunk, Voice
from referral.cli.admin import roster
from referral.domain.events import KnockAnswered, RungFailed
from tests.harness.line.notifier_stack import Stack, ended, of, opened, sending
from tests.harness.telephone import NUMBER, telephone
from tests.harness.waiting import until
from tests.integration.voice.conftest import HURRY

Place = Callable[[str], Path]
MINUTE = 60 * 1_000_000


async def officer(notifier: Stack, name: str, number: str, agency: str = "police") -> str:
    account = await notifier.person(name, agency=agency, email=False)
    async with notifier.admin.begin() as tx:
        await roster.add_person(tx, notifier.keys, account=account, agency=agency, rungs=["duty"], voice=number)
    return account


async def test_a_telephone_rings_until_a_key_is_pressed(notifier: Stack, sounds: Path, place: Place) -> None:
    """The mailbox takes the first call; at the second one somebody presses 1."""
    besa = await officer(notifier, "besa", NUMBER)
    offer = opened(due=await notifier.now() + 15 * MINUTE)
    async with telephone(place("callee")) as callee:
        trunk = Trunk("127.0.0.1", callee.port, sounds)
        async with sending(notifier.sender_of({"voice": Lane(partial(Voice, trunk, HURRY), 2, 75)})):
            await notifier.tell(await notifier.case(), offer)
            await notifier.advance(2 * MINUTE)
            await callee.sees("CALL_CLOSED")
            await until(lambda: notifier.rows("SELECT 1 FROM notifier.delivery WHERE reason = 'no-key' AND lease_until IS NULL"))
            callee.events.clear()
            await notifier.advance(3 * MINUTE)
            await callee.press("1")
            await until(lambda: ended(notifier, 1))
    said = await notifier.drain()
    assert [(k.person, k.channel, k.word, k.offer_id) for k in of(said, KnockAnswered)] == [(besa, "voice", "LOOKS", offer.offer_id)]
    assert of(said, RungFailed) == []
