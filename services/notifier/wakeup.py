"""Wake the sender when a transaction that planned a delivery has ended, by a bell that is heard on a separate connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.runtime.background import pause
from referral.runtime.postgres import bells, clock

LISTEN_AGAIN_SECONDS = 1.0
"""Wait after the listening connection was lost; meanwhile the sender polls."""


def ring(tx: AsyncConnection) -> None:
    """Wake every sender once this transaction has ended."""
    bells.wake(tx, bells.DELIVERY)


async def heard(ear: asyncio.Event, seconds: float) -> None:
    """Wait until the bell rings, at most `seconds`."""
    await pause(ear, seconds)
    ear.clear()


class Bell:
    """Notification of all waiting tasks.

    Rings when a transaction that called `ring` has ended, or when the connection was lost and a NOTIFY may have been missed.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ears: list[asyncio.Event] = []

    def ear(self) -> asyncio.Event:
        """Return a new event for one waiting task: a ring stays set until that task has consumed it."""
        self._ears.append(asyncio.Event())
        return self._ears[-1]

    def ring(self) -> None:
        """Ring now."""
        for ear in self._ears:
            ear.set()

    async def listen(self) -> None:
        """Listen until cancelled, reconnecting after each lost connection."""
        while True:
            with suppress(Exception):  # the database is away; the sender's own statements log it
                await self._hear()
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    async def _hear(self) -> None:
        async with bells.listening(self._engine, {bells.DELIVERY: self.ring}, {clock.MOVED: self.ring}) as driver:
            lost = asyncio.Event()
            driver.add_termination_listener(lambda _: lost.set())
            self.ring()
            if not driver.is_closed():
                await lost.wait()
