"""A sender that is killed between handing a message over and writing that down: nothing is lost, and what was in flight is repeated once.

Every kill hits at the moment at which the server, or the telephone, has just taken a new message. `make faults` kills 200 times a channel.
Repeats come first and are not struck: a message whose sender died five times is given up on purpose (send.GIVE_UP), because it may be
what kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from referral.channels.message import shown
from referral.cli.admin import roster
from referral.domain.events import KnockAnswered, KnockSent
from referral.local.handset import Handset
from tests.harness import smtp
from tests.harness.line.notifier_stack import Stack, ended, of, opened
from tests.harness.waiting import until

KILLS = max(200 // int(os.environ.get("REFERRAL_KILL_STEP", "50")), 3)
PEOPLE = 5
MINUTE = 60 * 1_000_000
CHILD = """
import asyncio, sys
from pathlib import Path
from referral.channels.email import Email, Relay
from referral.channels.handset import Handset
from referral.channels.lane import Lane
from tests.harness.line.notifier_stack import stack
async def main(url, master, channel, where):
    makes = {
        "email": lambda: Email(Relay("127.0.0.1", int(where), "inbox@referral.example")),
        "voice": lambda: Handset(where),
    }
    async with stack(url, Path(master)) as made:
        await made.sender_of({channel: Lane(makes[channel])}).run()
asyncio.run(main(*sys.argv[1:]))
"""
RELEASE = "UPDATE notifier.delivery SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL"
DUE = (
    "SELECT 1 FROM notifier.delivery d JOIN notifier.asked a ON a.id = d.asked WHERE d.state = 'WAITING'"
    " AND (d.lease_until IS NOT NULL OR (d.due_at <= runtime.clock() AND a.state = 'OPEN'))"
)
LEFT = "SELECT count(*) FILTER (WHERE lease_until IS NOT NULL) AS under_way FROM notifier.delivery WHERE state = 'WAITING'"


@dataclass
class Sink:
    """What takes the messages. where: for the child. taken: (address, reference) of each. strike: called when one was taken."""

    channel: str
    where: str = ""
    taken: list[tuple[str, str]] = field(default_factory=list)
    strike: Callable[[], None] = lambda: None

    def take(self, address: str, reference: str) -> None:
        self.taken.append((address, reference))
        self.strike()


@asynccontextmanager
async def email() -> AsyncIterator[Sink]:
    async with smtp.relay() as relay:
        sink = Sink("email", str(relay.port))

        async def take(server: Any, address: str) -> str:
            found = re.search(rb"Message-ID: <([0-9a-f-]+)@", server.envelope.content)
            sink.take(address, shown(found[1].decode()) if found else "")
            return "250 OK"

        relay.data = take
        yield sink


@asynccontextmanager
async def voice() -> AsyncIterator[Sink]:
    """The handset, where everybody presses 1 as soon as it rings."""
    handset = Handset()
    sink = Sink("voice", await handset.start())
    pressing = asyncio.create_task(_press(handset, sink))
    try:
        yield sink
    finally:
        pressing.cancel()
        await handset.stop()


async def _press(handset: Handset, sink: Sink) -> None:
    while True:
        await handset.wait(lambda: bool(handset.ringing))
        for call in handset.ringing:
            await handset.press("1", call.number)
            sink.take(call.number, "")  # a call names no reference


SINKS = {"email": email, "voice": voice}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("channel", SINKS)
async def test_kills_between_handing_over_and_writing_down(
    channel: str, notifier: Stack, database: str, key_files: tuple[Path, Path]
) -> None:
    draw = random.Random(13)
    async with SINKS[channel]() as sink:
        addresses = await people(notifier, channel)
        case, offers, doubles = await notifier.case(), [], 0

        async def child() -> asyncio.subprocess.Process:
            arguments = (sys.executable, "-c", CHILD, database, str(key_files[0]), channel, sink.where)
            return await asyncio.create_subprocess_exec(*arguments)

        for _ in range(KILLS):
            old = len(await notifier.rows(DUE))
            offers.append(opened(due=await notifier.now() + 90 * MINUTE))
            await notifier.tell(case, offers[-1])
            await notifier.advance(15 * MINUTE)  # past the delay of a call, and past everybody's pace
            running, at = await child(), len(sink.taken) + old + draw.randrange(1, PEOPLE + 1)
            sink.strike = lambda running=running, at=at: strike(running) if len(sink.taken) == at else None  # type: ignore[misc]
            await until(lambda running=running: struck(notifier, running))  # type: ignore[misc]
            doubles += (await notifier.rows(LEFT))[0].under_way
            await notifier.rows(RELEASE)
            await notifier.drain()
        sink.strike = lambda: None
        last = await child()

        async def later() -> bool:
            """Whoever was still being called when the next call came was busy: they are called again minutes later."""
            await notifier.advance(4 * MINUTE)
            return await ended(notifier, KILLS * PEOPLE)

        await until(later, pause=0.5)
        last.kill()
        await last.wait()
    said = await notifier.drain()
    rows = await notifier.rows("SELECT reference, person, state FROM notifier.delivery")
    sent = [(k.offer_id, k.person) for k in of(said, KnockSent)]
    assert len(sent) == len(set(sent)) == sum(row.state == "SENT" for row in rows), "none is said twice"
    assert len(sink.taken) - len(sent) <= doubles, "more is repeated than was in flight"
    if channel == "email":
        assert set(sink.taken) <= {(addresses[row.person], shown(row.reference)) for row in rows}, "a repeat has the reference of the first"
        assert len(sent) == KILLS * PEOPLE, "none is lost"
        return
    answered = [(k.offer_id, k.person) for k in of(said, KnockAnswered)]
    assert len(answered) == len(set(answered)) and {offer for offer, _ in answered} == {offer.offer_id for offer in offers}


def strike(running: asyncio.subprocess.Process) -> None:
    """Kill a child that takes messages; one that was killed idle just now is gone already."""
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGKILL)


async def struck(notifier: Stack, running: asyncio.subprocess.Process) -> bool:
    """Whether the child is dead. Where nothing was left to strike (the first key answers for everybody), it is killed idle."""
    if running.returncode is None and not await notifier.rows(DUE):
        strike(running)
    return running.returncode is not None


async def people(notifier: Stack, channel: str) -> dict[str, str]:
    """PEOPLE officers of one rung. Account → address."""
    found = {}
    for n in range(PEOPLE):
        address = f"marker.{n}@police.example" if channel == "email" else f"+9993800000{n}"
        account = await notifier.person(f"officer-{n}", email=False)
        async with notifier.admin.begin() as tx:
            await roster.add_person(tx, notifier.keys, account=account, agency="police", rungs=["duty"], **{channel: address})
        found[account] = address
    return found
