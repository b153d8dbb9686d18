"""Send what is planned: claim a delivery, look whether it is still wanted, hand it to a channel, write down what became of it.

At most one message per delivery, besides one that was under way when a process died: the lease keeps others away, the attempt number
keeps a late result out, and no transaction is open while the network is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.events import KnockFailed, KnockSent, RungFailed
from referral.domain.record import derived
from referral.errors import Malformed
from referral.runtime import clock, observe, queue
from referral.runtime.keys import Keys
from services.notifier import deliveries
from services.notifier.bell import Bell
from services.notifier.channels import Channel, Refused, Unreached
from services.notifier.deliveries import Claimed
from services.notifier.figures import Figures
from services.notifier.message import compose

LINES = 8
"""Messages under way at once: enough for 50 a second at 100 ms each with room, few enough for any relay."""
POLL_SECONDS = 0.2
"""How often it looks without being woken: retries fall due, leases run out, a drill passes time."""
RETRY_SECONDS = (5, 15, 45, 120)
"""Gaps between attempts at one delivery; then the channel has failed (P). Three minutes: a fifth of the shortest limit to acknowledge."""
RECORD_SECONDS = (0.2, 1.0, 3.0, 10.0)
"""Gaps between attempts at writing down a result while the database is away; far inside the lease."""
STOP_SECONDS = 8
"""How long messages under way may take to end when the process is asked to stop."""
SECOND = 1_000_000
CONTACT_BOX = "notifier-contact"
"""Purpose of the key that seals addresses; context is account and channel. `referral duty` seals with the same."""

Line = Mapping[str, Channel]
"""One of each channel, by name; used by one delivery at a time."""


def contact_context(account: str, channel: str) -> bytes:
    """What a sealed address is bound to, so that no row can be moved to another person."""
    return f"{account}/{channel}".encode()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an attempt. reason: a word of knock-reason, None when it was sent. again: whether trying again may help."""

    reason: str | None = None
    again: bool = field(default=False)


class Sender:
    """Sends until cancelled. lines: made once, given out to one delivery at a time. inbox: address of the sign-in page."""

    def __init__(self, engine: AsyncEngine, keys: Keys, lines: list[Line], inbox: str, figures: Figures) -> None:
        self._engine, self._keys, self._inbox, self._figures = engine, keys, inbox, figures
        self._open = keys.box(CONTACT_BOX)[1]
        self._idle: asyncio.Queue[Line] = asyncio.Queue()
        self._lines = lines
        self._bell = Bell(engine)

    async def run(self) -> None:
        """Claim as many deliveries as there are free lines, whenever woken."""
        for line in self._lines:
            self._idle.put_nowait(line)
        listening = asyncio.create_task(self._bell.listen())
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                free = [await self._idle.get()]
                while not self._idle.empty():
                    free.append(self._idle.get_nowait())
                for one in await self._claim(len(free)):
                    work = asyncio.create_task(self._work(one, free.pop()))
                    under_way.add(work)
                    work.add_done_callback(under_way.discard)
                for line in free:
                    self._idle.put_nowait(line)
                if free:
                    await self._bell.wait(POLL_SECONDS)
        finally:
            listening.cancel()
            if under_way:  # a message that has left must be written down, or it leaves again
                await asyncio.wait(under_way, timeout=STOP_SECONDS)
            await asyncio.gather(*(channel.close() for line in self._lines for channel in line.values()))

    async def _claim(self, most: int) -> list[Claimed]:
        try:
            async with self._engine.begin() as tx:
                return await deliveries.claim(tx, most)
        except Exception as error:
            observe.log().warning("claim failed", kind=type(error).__name__)
            await asyncio.sleep(1)
            return []

    async def _work(self, claimed: Claimed, line: Line) -> None:
        """One delivery from claim to result. Never raises: what is not written down is done again when the lease has run out."""
        try:
            await self._deliver(claimed, line)
        except Exception as error:
            observe.log().error("delivery failed", case_id=claimed.case_id, kind=type(error).__name__)
        finally:
            self._idle.put_nowait(line)

    async def _deliver(self, claimed: Claimed, line: Line) -> None:
        channel = line.get(claimed.channel)
        address = self._address(claimed)
        if channel is None or address is None:
            return await self._record(claimed, Result("no-channel" if channel is None else "no-address"))
        if claimed.attempt > len(RETRY_SECONDS) + 1:  # it was claimed again and again and never came to a result
            return await self._record(claimed, Result("gave-up"))
        try:
            await channel.open()
        except Unreached as away:
            return await self._record(claimed, Result(str(away), again=True))
        async with self._engine.connect() as tx:
            standing = await deliveries.check(tx, claimed)
        if standing is None or not standing.held:
            return None
        if standing.paused:
            return await self._retry(lambda tx: deliveries.release(tx, claimed))
        if not standing.still:
            return await self._retry(lambda tx: self._unwanted(tx, claimed))
        message = compose(claimed.language, claimed.reference, self._inbox, claimed.drill)
        try:
            await channel.send(address, message, claimed.reference, standing.now)
        except Refused as refused:
            return await self._record(claimed, Result(str(refused)))
        except Unreached as away:
            return await self._record(claimed, Result(str(away), again=True))
        return await self._record(claimed, Result())

    def _address(self, claimed: Claimed) -> str | None:
        if claimed.address is None:
            return None
        try:
            return self._open(claimed.address, contact_context(claimed.person, claimed.channel)).decode()
        except Malformed:
            return None

    async def _record(self, claimed: Claimed, result: Result) -> None:
        await self._retry(lambda tx: self._write(tx, claimed, result))

    async def _retry(self, write: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Write, over short absences of the database: otherwise a message that has left would leave once more."""
        for pause in RECORD_SECONDS:
            try:
                async with self._engine.begin() as tx:
                    await write(tx)
                return
            except Exception as error:
                observe.log().warning("result not written", kind=type(error).__name__)
                await asyncio.sleep(pause)
        async with self._engine.begin() as tx:
            await write(tx)

    async def _write(self, tx: AsyncConnection, claimed: Claimed, result: Result) -> None:
        """The result and what is said about it, in one transaction."""
        now = await clock.now(tx)
        if result.again and claimed.attempt <= len(RETRY_SECONDS):
            due = now + RETRY_SECONDS[claimed.attempt - 1] * SECOND
            await deliveries.again(tx, claimed, due, result.reason or "")
        elif result.reason is None:
            if await deliveries.end(tx, claimed, "SENT", now):
                await self._say(tx, claimed, "sent", sent(claimed, now))
                self._figures.sent(claimed.channel, (now - claimed.planned_at) / SECOND)
        else:
            await deliveries.lock(tx, claimed.asked)
            if await deliveries.end(tx, claimed, "FAILED", now, result.reason):
                await self._say(tx, claimed, "failed", failed(claimed, now, result.reason))
                self._figures.failed(claimed.channel, result.reason)
                await self._give_up(tx, claimed, now)

    async def _unwanted(self, tx: AsyncConnection, claimed: Claimed) -> None:
        """Answered, closed or climbed in the meantime; or the person may not be told any more, which may leave the rung with nobody."""
        now = await clock.now(tx)
        await deliveries.lock(tx, claimed.asked)
        if await deliveries.end(tx, claimed, "DROPPED", now):
            await self._give_up(tx, claimed, now)

    async def _give_up(self, tx: AsyncConnection, claimed: Claimed, now: int) -> None:
        if await deliveries.exhausted(tx, claimed):
            event = RungFailed(offer_id=claimed.asked, rung=claimed.rung, reason="all-channels-failed", at=now)
            await self._say(tx, claimed, "rung-failed", event)

    async def _say(self, tx: AsyncConnection, claimed: Claimed, name: str, event: Struct) -> None:
        key = (await self._keys.load(tx, [claimed.case_id])).get(claimed.case_id)
        if key is not None:  # else the case was erased: nothing can be said about it any more
            await queue.put(tx, claimed.case_id, event, derived(claimed.reference, name), key, drill=claimed.drill)


def sent(claimed: Claimed, now: int) -> KnockSent:
    """What the log says of a message that left."""
    offer, task = (None, claimed.asked) if claimed.task else (claimed.asked, None)
    return KnockSent(
        offer_id=offer,
        task_id=task,
        rung=claimed.rung,
        person=claimed.person,
        channel=claimed.channel,
        again=claimed.again,
        at=now,
        reference=claimed.reference,
    )


def failed(claimed: Claimed, now: int, reason: str) -> KnockFailed:
    """What the log says of a channel that could not reach a person."""
    offer, task = (None, claimed.asked) if claimed.task else (claimed.asked, None)
    return KnockFailed(
        offer_id=offer,
        task_id=task,
        rung=claimed.rung,
        person=claimed.person,
        channel=claimed.channel,
        again=claimed.again,
        at=now,
        reason=reason,
        attempts=claimed.attempt,
    )
