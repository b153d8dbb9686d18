"""The notifier and a real telephone: called until a key is pressed, and not while the last call of a killed sender may ring."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import text

from referral.channels.lane import Lane
from referral.channels.voice import Trunk, Voice
from referral.domain.events import KnockAnswered, KnockFailed, RungFailed
from referral.roster import changes as roster
from referral.runtime.settings import CHECKOUT
from services.notifier import providers
from services.notifier.providers import Providers
from tests.harness.line.notifier_stack import Stack, ended, of, opened, sending
from tests.harness.telephone import NUMBER, telephone
from tests.harness.waiting import until
from tests.integration.voice.conftest import HURRY

Place = Callable[[str], Path]
MINUTE = 60 * 1_000_000
NOBODYS = "+38344000999"
"""The trunk does not know it."""
CHILD = """
import asyncio, sys
from pathlib import Path
from referral.channels.lane import Lane
from referral.channels.voice import Trunk, Voice
from tests.harness.line.notifier_stack import stack
async def main(url, master, port, sounds):
    async with stack(url, Path(master)) as made:
        await made.sender_of({"voice": Lane(lambda: Voice(Trunk("127.0.0.1", int(port), Path(sounds))), 2, 75, lease=95)}).run()
asyncio.run(main(*sys.argv[1:]))
"""
LEASED = "SELECT 1 FROM notifier.delivery WHERE lease_until IS NOT NULL"
RELEASE = "UPDATE notifier.delivery SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL"
ALL = "SELECT person, state, attempt FROM notifier.delivery ORDER BY id"
FAILED = "SELECT 1 FROM notifier.delivery WHERE person = :account AND state = 'FAILED'"


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


async def test_a_call_in_which_somebody_listens_ends_properly_when_the_notifier_stops(notifier: Stack, sounds: Path, place: Place) -> None:
    """No new call begins meanwhile, and the next sender does not call whoever has answered."""
    besa, due = await officer(notifier, "besa", NUMBER), await notifier.now() + 30 * MINUTE
    async with telephone(place("callee")) as callee:
        made = providers.calls({"voice-1": partial(Voice, Trunk("127.0.0.1", callee.port, sounds))}, breakers(notifier))
        stopping = asyncio.create_task(notifier.sender_of({"voice": made}).run())
        await notifier.tell(await notifier.case(), opened(due=due))
        await notifier.advance(2 * MINUTE)
        await callee.sees("CALL_ESTABLISHED")
        stopping.cancel()
        agim = await officer(notifier, "agim", NOBODYS, "shelter")
        await notifier.tell(await notifier.case(), opened(due=due, agency="shelter"))
        await notifier.advance(2 * MINUTE)
        assert not callee.happened("CALL_CLOSED")
        await callee.press("1")
        await asyncio.wait({stopping})
        assert [(r.person, r.state, r.attempt) for r in await notifier.rows(ALL)] == [(besa, "SENT", 1), (agim, "WAITING", 0)]
        callee.events.clear()
        async with sending(notifier.sender_of({"voice": made})):
            await until(lambda: ended(notifier, 2), what="the next sender calls the other one")
        assert callee.events == []
    assert [(k.person, k.word) for k in of(await notifier.drain(), KnockAnswered)] == [(besa, "LOOKS")]


def breakers(notifier: Stack) -> Providers:
    return Providers(notifier.engine, "voice", ["voice-1"], lambda: 0.0)


async def test_a_call_whose_sender_is_killed_is_not_repeated_while_it_may_ring(
    notifier: Stack, database: str, key_files: tuple[Path, Path], sounds: Path, place: Place
) -> None:
    """The second sender works meanwhile: it calls somebody else. Once the lease is over it calls again, and one key ends it."""
    besa, due = await officer(notifier, "besa", NUMBER), await notifier.now() + 30 * MINUTE
    async with telephone(place("callee")) as callee:
        words = (database, str(key_files[0]), str(callee.port), str(sounds))
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, *words, cwd=CHECKOUT)
        await notifier.tell(await notifier.case(), opened(due=due))
        await notifier.advance(2 * MINUTE)
        await callee.sees("CALL_ESTABLISHED")
        await callee.sees("CALL_RTPESTAB")  # a process that dies while the call is still being set up says no good-bye now and then
        child.kill()
        await child.wait()
        await callee.sees("CALL_CLOSED")
        callee.events.clear()
        agim = await officer(notifier, "agim", NOBODYS, "shelter")
        trunk = Trunk("127.0.0.1", callee.port, sounds)
        async with sending(notifier.sender_of({"voice": Lane(partial(Voice, trunk, HURRY), 2, 75)})):
            await notifier.tell(await notifier.case(), opened(due=due, agency="shelter"))
            await notifier.advance(2 * MINUTE)
            await until(lambda: notifier.rows(FAILED, account=agim), what="somebody else is called")
            assert await notifier.rows(LEASED) and callee.events == []
            async with notifier.admin.begin() as tx:
                await tx.execute(text(RELEASE))
            await callee.press("1")
            await until(lambda: ended(notifier, 2), what="the call is over")
    said = await notifier.drain()
    assert [(k.person, k.word) for k in of(said, KnockAnswered)] == [(besa, "LOOKS")]
    assert [k.reason for k in of(said, KnockFailed)] == ["wrong-number"]
