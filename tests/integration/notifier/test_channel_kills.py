"""A sender that is killed between handing a message over and writing that down: nothing is lost, and what was in flight is repeated once.

Every kill hits at the moment at which a server, or a person by a key, has just taken a new message, before the sender hears of it.
`make faults` kills 200 times a channel. Repeats come first and are not struck: a message whose sender died five times is given up on
purpose (send.GIVE_UP), because it may be what kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from referral.domain.events import KnockAnswered, KnockDelivered, KnockSent
from referral.roster import changes as roster
from referral.runtime.settings import CHECKOUT
from services.notifier.answers import code
from tests.harness.line.notifier_stack import Stack, of, opened
from tests.harness.sinks import SINKS, Sink
from tests.harness.waiting import until

KILLS = max(200 // int(os.environ.get("REFERRAL_KILL_STEP", "66")), 3)
PEOPLE = 5
PATIENT_S = 600.0
"""Longest wait for a sender (ours): 200 runs of it start beside whatever else the machine does."""
MINUTE = 60 * 1_000_000
CHILD = """
import asyncio, json, sys
from pathlib import Path
from referral.channels.email import Email, Relay
from referral.channels.gateway import Gateway, Provider
from referral.channels.handset import Handset
from referral.channels.lane import Lane
from referral.channels.voice import Trunk, Voice
from tests.harness.line.notifier_stack import stack
def channel(kind, where):
    port = where["port"]
    match kind:
        case "email":
            return Email(Relay("127.0.0.1", port, "inbox@referral.example"))
        case "handset":
            return Handset(f"http://127.0.0.1:{port}")
        case "sms":
            url = f"http://127.0.0.1:{port}/cgi-bin/sendsms"
            return Gateway(Provider("sms-1", url, "notifier", where["password"], "1234", where["receipts"]))
        case "trunk":
            return Voice(Trunk("127.0.0.1", port, Path(where["prompts"])))
async def main(url, master, kind, name, where):
    async with stack(url, Path(master)) as made:
        await made.sender_of({name: Lane(lambda: channel(kind, json.loads(where)), seconds=75.0)}).run()
asyncio.run(main(*sys.argv[1:]))
"""
IN_FLIGHT = "SELECT person, reference FROM notifier.delivery WHERE state = 'WAITING' AND lease_until IS NOT NULL"
MESSAGES = "SELECT person, reference FROM notifier.delivery WHERE asked = :offer ORDER BY id"
RELEASE = "UPDATE notifier.delivery SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL"
DUE = (
    "SELECT 1 FROM notifier.delivery d JOIN notifier.asked a ON a.id = d.asked WHERE d.state = 'WAITING'"
    " AND (d.lease_until IS NOT NULL OR (d.due_at <= runtime.clock() AND a.state = 'OPEN'))"
)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.xdist_group("kannel")) if kind == "sms" else kind for kind in SINKS])
async def test_kills_between_handing_over_and_writing_down(kind: str, notifier: Stack, database: str, key_files: tuple[Path, Path]) -> None:
    draw, began = random.Random(13), time.monotonic()
    in_flight: Counter[tuple[str, str]] = Counter()
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(SINKS[kind](notifier))
        addresses = await people(notifier, sink)
        case, offers = await notifier.case(), []

        words = (database, str(key_files[0]), kind, sink.channel, msgspec.json.encode(sink.where).decode())

        async def settled() -> bool:
            """Whether what was in flight at the last kill is said, and nothing else is due."""
            await notifier.drain()
            return sink.quiet() and not await notifier.rows(DUE)

        for _ in range(KILLS):
            running = await stack.enter_async_context(sender(*words))
            await until(settled, PATIENT_S, "what was in flight is said", pause=0.1)
            offers.append(opened(due=await notifier.now() + 90 * MINUTE))
            await notifier.tell(case, offers[-1])
            at = len(sink.taken) + draw.randrange(1, PEOPLE + 1)
            sink.strike = lambda running=running, at=at: strike(running) if len(sink.taken) >= at else None  # type: ignore[misc]
            await notifier.advance(15 * MINUTE)  # past the delay of a call, and past everybody's pace
            await until(lambda running=running: running.returncode is not None, PATIENT_S, "the sender is killed")  # type: ignore[misc]
            struck = {(addresses[row.person], row.reference if sink.names else "") for row in await notifier.rows(IN_FLIGHT)}
            assert sink.taken[at - 1] in struck, "the kill came too late: its message was written down"
            in_flight.update(struck)
            await notifier.rows(RELEASE)
            sink.strike = lambda: None
        async with sender(*words):
            await until(settled, PATIENT_S, "what was in flight is said", pause=0.1)
        if sink.arrives is not None:
            await sink.arrives()
            await until(lambda: told(notifier, KnockDelivered, KILLS * PEOPLE), what="every receipt is taken", pause=0.2)
        if sink.reply is not None:
            digits = set()  # of hundreds of messages to one person, two may have the same four: these answer the newer one
            for offer in offers:
                person, reference = (
                    await notifier.rows(f"SELECT person, reference FROM notifier.delivery WHERE asked = '{offer.offer_id}'")
                )[0]
                digits.add((addresses[person], code(notifier.keys, reference)))
            for address, four in sorted(digits):
                sink.reply(address, f"1 {four}")
            await until(lambda: told(notifier, KnockAnswered, len(digits)), what="every reply is taken", pause=0.2)
    said = await notifier.drain()
    rows = await notifier.rows("SELECT asked, person, reference, state FROM notifier.delivery")
    sent = [(k.offer_id, k.person) for k in of(said, KnockSent)]
    answered = [(k.offer_id, k.person) for k in of(said, KnockAnswered)]
    taken = Counter(sink.taken)
    due = Counter((addresses[row.person], row.reference if sink.names else "") for row in rows)
    doubled = taken - due
    lost = due - taken if sink.names else {o.offer_id for o in offers} - {offer for offer, _ in answered}
    print(
        f"\n{kind}: {KILLS} kills in {time.monotonic() - began:.0f} s, {len(rows)} messages of {len(offers)} offers,"
        f" {in_flight.total()} in flight when killed, lost {len(lost)}, doubled {doubled.total()},"
        f" answers {len(answered)}, of them twice {len(answered) - len(set(answered))}"
    )
    assert not lost, "none is lost"
    assert doubled <= in_flight, "at most one double for each message in flight"
    assert len(sent) == len(set(sent)) == sum(row.state == "SENT" for row in rows), "none is said twice"
    assert len(answered) == len(set(answered)), "none is answered twice"
    if sink.names:
        assert len(sent) == KILLS * PEOPLE
    else:
        assert {offer for offer, _ in answered} == {offer.offer_id for offer in offers}


@asynccontextmanager
async def sender(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A sender in a process of its own, at most for the length of a block."""
    made = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, *words, cwd=CHECKOUT)
    try:
        yield made
    finally:
        strike(made)
        await made.wait()


async def told(notifier: Stack, kind: type, count: int) -> bool:
    """Whether so many events of a kind are said."""
    return len(of(await notifier.drain(), kind)) >= count


def strike(running: asyncio.subprocess.Process) -> None:
    """Kill a sender, if it lives."""
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGKILL)


async def people(notifier: Stack, sink: Sink) -> dict[str, str]:
    """PEOPLE officers of one rung. Account → address."""
    found = {}
    for n in range(PEOPLE):
        account, contact = await notifier.person(f"officer-{n}", email=False), {sink.channel: sink.number(n)}
        async with notifier.admin.begin() as tx:
            await roster.add_person(tx, notifier.keys, account=account, agency="police", rungs=["duty"], **contact)
        found[account] = sink.number(n)
    return found
