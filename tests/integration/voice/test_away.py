"""A mail relay and a SIP trunk that are really away for twenty minutes: nobody's rung fails for it, and they are told when both are back.

What routing makes of the events is told by the stories relay-away-*.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from referral.channels.email import Email, Relay
from referral.channels.lane import Lane
from referral.channels.voice import Patience, Trunk, Voice
from referral.domain.events import KnockAnswered, KnockFailed, KnockSent, RungFailed, RungReached
from referral.roster import changes as roster
from services.notifier.handle import AWAY
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, Stack, of, opened, sending
from tests.harness.sinks import silent
from tests.harness.switchboard import switchboard
from tests.harness.waiting import until
from tests.harness.wire import Wire

STEPS = 4
NUMBER = "+38344000111"
TRIED = "SELECT 1 AS one FROM notifier.delivery WHERE state = 'WAITING' AND reason = 'server-away'"
DUE = (
    "SELECT 1 AS one FROM notifier.delivery d JOIN notifier.asked a ON a.id = d.asked WHERE d.state = 'WAITING' AND a.state = 'OPEN'"
    " AND (d.lease_until IS NOT NULL OR d.due_at <= runtime.clock())"
)


@pytest.mark.long
@pytest.mark.parametrize(("limit", "says"), [(90, []), (45, [AWAY])])
async def test_relay_and_trunk_away_for_twenty_minutes(limit: int, says: list[str], notifier: Stack, tmp_path: Path) -> None:
    """limit: to acknowledge, min; a third of it is the first repeat, which notices that nobody was told."""
    silent(tmp_path)
    besa, case = await notifier.person("besa"), await notifier.case()
    async with notifier.admin.begin() as tx:
        await roster.add_person(tx, notifier.keys, account=besa, agency="police", rungs=["duty"], voice=NUMBER)
    async with smtp.relay() as relay, switchboard() as trunk:
        wire = Wire(relay.port)
        await wire.set("carries")
        trunk.close()
        await wire.set("away")
        lanes = {
            "email": Lane(lambda: Email(Relay("127.0.0.1", wire.port, "inbox@referral.example")), 1),
            "voice": Lane(partial(Voice, Trunk("127.0.0.1", trunk.port, tmp_path), Patience(dialled=3.0)), 1, 75.0),
        }
        async with sending(notifier.sender_of(lanes)):
            offer = opened(due=await notifier.now() + limit * MINUTE)
            await notifier.tell(case, offer)
            for _ in range(STEPS):
                await notifier.advance(20 // STEPS * MINUTE)
                if (notifier.alarms[case] or 0) <= await notifier.now():
                    await notifier.due(case)
                await until(lambda: tried(notifier), what="every message is tried in vain")
            said = await notifier.drain()
            assert [e.reason for e in of(said, RungFailed)] == says, "our fault, and nobody's rung"
            assert (of(said, KnockFailed), of(said, KnockSent), trunk.pressed) == ([], [], 0)
            await trunk.listen()
            await wire.set("carries")
            await notifier.advance(MINUTE)  # the longest pause between attempts at what is ours
            await until(lambda: trunk.pressed == 1 and len(relay.letters) >= 1, what="both have told them")
            await until(lambda: over(notifier), what="nothing waits any more")
        await wire.close()
    said = await notifier.drain()
    assert (of(said, KnockFailed), trunk.pressed, len(of(said, RungReached))) == ([], 1, len(says))
    assert [(e.person, e.word, e.offer_id) for e in of(said, KnockAnswered)] == [(besa, "LOOKS", offer.offer_id)]
    assert 1 <= len(relay.letters) <= 1 + len(says), "one mail for each round"
    assert [e.reason for e in of(said, RungFailed)] == says


async def tried(notifier: Stack) -> bool:
    """Whether every message that is due was tried, and none is under way."""
    return bool(await notifier.rows(TRIED)) and not await notifier.rows(DUE)


async def over(notifier: Stack) -> bool:
    await notifier.drain()
    return not await notifier.rows(DUE)
