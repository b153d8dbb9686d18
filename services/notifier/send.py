"""Send what is planned: claim a delivery, look whether it is still wanted, hand it to a channel, write down what became of it.

At most one message per delivery, besides one that was under way when a process died: the lease keeps others away, the attempt number
keeps a late result out, and no transaction is open while the network is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.keys import Keys
from referral.runtime.together import Together
from services.notifier import deliveries
from services.notifier.bell import Bell
from services.notifier.channels import Channel, Refused, Unreached
from services.notifier.deliveries import Claimed, Standing
from services.notifier.figures import Figures
from services.notifier.message import compose
from services.notifier.results import RETRY_SECONDS, Kind, Result, Results

LINES = 8
"""Messages under way at once: enough for 50 a second at 100 ms each with room, few enough for any relay."""
POLL_SECONDS = 0.2
"""How often it looks without being woken: retries fall due, leases run out, a drill passes time."""
RECORD_SECONDS = (0.2, 1.0, 3.0, 10.0)
"""Gaps between attempts at writing down a result while the database is away; far inside the lease."""
STOP_SECONDS = 8
"""How long messages under way may take to end when the process is asked to stop."""
CONTACT_BOX = "notifier-contact"
"""Purpose of the key that seals addresses; context is account and channel. `referral duty` seals with the same."""

Line = Mapping[str, Channel]
"""One of each channel, by name; used by one delivery at a time."""


def contact_context(account: str, channel: str) -> bytes:
    """What a sealed address is bound to, so that no row can be moved to another person."""
    return f"{account}/{channel}".encode()


class Sender:
    """Sends until cancelled. lines: made once, given out to one delivery at a time. inbox: address of the sign-in page."""

    def __init__(self, engine: AsyncEngine, keys: Keys, lines: list[Line], inbox: str, figures: Figures) -> None:
        self._engine, self._inbox = engine, inbox
        self._open = keys.box(CONTACT_BOX)[1]
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._check = Together(self._standing)
        self._write = Together(Results(engine, keys, figures).write)
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
        channel, address = line.get(claimed.channel), self._address(claimed)
        if channel is None or address is None:
            return await self._record(claimed, Kind.FAILED, "no-channel" if channel is None else "no-address")
        if claimed.attempt > len(RETRY_SECONDS) + 1:  # claimed again and again, and never a result
            return await self._record(claimed, Kind.FAILED, "gave-up")
        try:
            if claimed.lapsed and (found := await self._check(claimed)) and found.held and not (found.still or found.paused):
                return await self._record(claimed, Kind.UNWANTED)  # whether or not the server is there
            await channel.open()
            standing = await self._check(claimed)
            if standing is None or not standing.held:
                return None
            if not standing.still:
                return await self._record(claimed, Kind.HELD if standing.paused else Kind.UNWANTED)
            message = compose(claimed.language, claimed.reference, self._inbox, claimed.drill)
            await channel.send(address, message, claimed.reference, standing.now)
        except Refused as refused:
            return await self._record(claimed, Kind.FAILED, str(refused))
        except Unreached as away:
            return await self._record(claimed, Kind.LATER, str(away))
        return await self._record(claimed, Kind.SENT)

    def _address(self, claimed: Claimed) -> str | None:
        if claimed.address is None:
            return None
        try:
            return self._open(claimed.address, contact_context(claimed.person, claimed.channel)).decode()
        except Malformed:
            return None

    async def _standing(self, claimed: Sequence[Claimed]) -> list[Standing | None]:
        async with self._reading.connect() as tx:
            return await deliveries.check(tx, claimed)

    async def _record(self, claimed: Claimed, kind: Kind, reason: str = "") -> None:
        """Write it down, over short absences of the database: otherwise a message that has left would leave once more."""
        for pause in (*RECORD_SECONDS, None):
            try:
                await self._write(Result(claimed, kind, reason))
                return
            except Exception as error:
                if pause is None:
                    raise
                observe.log().warning("result not written", kind=type(error).__name__)
                await asyncio.sleep(pause)
