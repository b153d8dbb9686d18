"""A database that is away while messages travel: none is sent twice, and none is given up, while their senders live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from referral.channels import Handed, Outgoing
from referral.channels.lane import Lane
from services.notifier import send, wakeup
from tests.harness import smtp
from tests.harness.database_wire import DatabaseWire, database_wire
from tests.harness.line.notifier_stack import Stack, ended, opened, sending, stack
from tests.harness.waiting import until
from tests.integration.notifier.test_crash import LONG_S, Travelling

pytestmark = pytest.mark.servers
SHORT_S = 3.0
"""A lease that a test can wait for."""
LEASES = "SELECT id, state, attempt, extract(epoch FROM lease_until)::float8 AS ends, lease_until > clock_timestamp() AS lasts"
LEASES += " FROM notifier.delivery ORDER BY id"
OVER = "UPDATE notifier.delivery SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL"


@pytest.fixture
async def wires(database: str, key_files: tuple[Path, Path], folder: Path) -> AsyncIterator[list[tuple[DatabaseWire, Stack]]]:
    """Two notifiers, each with a wire to the database of its own."""
    async with AsyncExitStack() as made:
        both = []
        for name in "ab":
            wire = await made.enter_async_context(database_wire(database, folder / name))
            both.append((wire, await made.enter_async_context(stack(wire.url, key_files[0]))))
        yield both


@asynccontextmanager
async def running(notifier: Stack, port: int, lease: float = SHORT_S) -> AsyncIterator[None]:
    """A sender that may find its database away."""
    task = asyncio.create_task(notifier.sender(port, lease=lease).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def knocked(notifier: Stack, agency: str = "police") -> None:
    await notifier.person(agency, agency=agency)
    await notifier.tell(await notifier.case(), opened(agency=agency))


Wires = list[tuple[DatabaseWire, Stack]]


async def test_a_result_waits_for_the_database_however_long_it_is_away(
    notifier: Stack, relay: smtp.Relay, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "RECORD_SECONDS", (0.05, 0.1))
    (wire, mine), _ = wires
    await knocked(notifier)
    relay.data = slow = smtp.Slow("250 OK")
    with capture_logs() as said:

        def tried() -> bool:
            return sum(line["event"] in ("result not written", "delivery failed") for line in said) > 5

        async with running(mine, relay.port):
            await until(slow.taken.is_set)
            relay.data = smtp.accept
            wire.refuse()
            slow.go.set()
            await until(tried, what="the result is tried again and again")
            await notifier.rows(OVER)
            wire.restore()
            await until(lambda: ended(notifier, 1))
    assert [row.attempt for row in await notifier.rows(LEASES)] == [1]
    assert len(relay.letters) == 1


async def test_a_connection_that_died_silently_keeps_no_claim_from_being_renewed(
    notifier: Stack, relay: smtp.Relay, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "LOOK_SECONDS", 0.5)
    (wire, mine), _ = wires
    await knocked(notifier)
    relay.data = slow = smtp.Slow("250 OK")
    async with running(mine, relay.port, 2 * SHORT_S):
        await until(slow.taken.is_set)
        pool = [await mine.engine.connect() for _ in range(4)]  # a pool that has had work: several connections
        for one in pool:
            await one.execute(text("SELECT 1"))
            await one.close()
        began = (await notifier.rows(LEASES))[0].ends
        wire.forget()

        async def renewed() -> bool:
            return (await notifier.rows(LEASES))[0].ends > began + SHORT_S

        await until(renewed, 25.0, what="the claim is renewed before a statement on a silent connection is given up")
        slow.go.set()
        await until(lambda: ended(notifier, 1))
        wire.refuse()  # else the pool waits for its silent connections
    assert len(relay.letters) == 1


async def test_one_delivery_that_is_locked_keeps_no_other_claim_from_being_renewed(notifier: Stack) -> None:
    for name in ("besa", "agim"):
        await knocked(notifier, name)
    channels = [Travelling(), Travelling()]
    made = iter(channels)
    async with sending(notifier.sender_of({"email": Lane(lambda: next(made), 2, seconds=600.0, lease=LONG_S)})):
        await until(lambda: all(one.taken.is_set() for one in channels))
        async with notifier.admin.begin() as tx:  # as of a process that is stopped in its transaction
            await tx.execute(text("SELECT id FROM notifier.delivery ORDER BY id LIMIT 1 FOR UPDATE"))
            began = (await notifier.rows(LEASES))[1].ends

            async def renewed() -> bool:
                return (await notifier.rows(LEASES))[1].ends > began + LONG_S

            await until(renewed, 25.0, what="the other claim is renewed")
        for one in channels:
            one.go.set()
        await until(lambda: ended(notifier, 2))


async def test_who_finds_the_database_again_leaves_the_claims_of_others_a_while(
    notifier: Stack, relay: smtp.Relay, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "CALM_SECONDS", 600.0)
    (wire, mine), (other_wire, other) = wires
    await knocked(notifier)
    relay.data = slow = smtp.Slow("250 OK")
    async with running(mine, relay.port, 20.0):
        await until(slow.taken.is_set)
        relay.data = smtp.accept
        with capture_logs() as said:
            wire.refuse()
            other_wire.refuse()
            async with running(other, relay.port, 20.0):
                await until(lambda: any(line["event"] == "deliveries not looked at" for line in said))
                await notifier.rows(OVER)  # it was away for long
                await until(lambda: sum(line["event"] == "deliveries not looked at" for line in said) > 3, what="both have looked in vain")
                other_wire.restore()
                await knocked(notifier, "shelter")
                await relay.got(1)  # what nobody has claimed is sent at once
                wire.restore()

                async def lasts() -> bool:
                    return bool((await notifier.rows(LEASES))[0].lasts)

                await until(lasts, what="its own sender renews the claim")
                slow.go.set()
                await until(lambda: ended(notifier, 2))
    assert [row.attempt for row in await notifier.rows(LEASES)] == [1, 1]
    assert len(relay.letters) == 2


class Opening:
    """A channel whose opening a test lets go."""

    def __init__(self) -> None:
        self.opening, self.go, self.sent = asyncio.Event(), asyncio.Event(), 0

    async def open(self) -> None:
        self.opening.set()
        await self.go.wait()

    async def send(self, out: Outgoing) -> Handed:
        self.sent += 1
        return Handed()

    async def close(self) -> None:
        pass


async def test_a_claim_that_ended_before_its_message_left_is_renewed_and_not_counted_as_a_death(notifier: Stack) -> None:
    """Five attempts failed because the relay was away; then the database is away while the sixth opens its connection."""
    await knocked(notifier)
    await notifier.rows("UPDATE notifier.delivery SET attempt = 5, reason = 'server-away'")
    channel = Opening()
    async with sending(notifier.sender_of({"email": Lane(lambda: channel, 1)})):
        async with notifier.engine.begin() as tx:
            wakeup.ring(tx)
        await until(channel.opening.is_set)
        await notifier.rows(OVER)
        channel.go.set()
        await until(lambda: ended(notifier, 1))
    assert [(row.state, row.attempt) for row in await notifier.rows(LEASES)] == [("SENT", 6)]
    assert channel.sent == 1
