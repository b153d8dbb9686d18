"""Looks at what waits, for metrics and readiness."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime import observe
from services.notifier import deliveries
from services.notifier.deliveries import Backlog, Waiting
from services.notifier.metrics import Figures
from services.notifier.plan import GATHER_S

LOOK_SECONDS = 1.0
SECOND = 1_000_000
LATE_SECONDS = 30
"""A delivery that was tried in vain and was first due longer ago speaks against being ready: its channel is away. Two attempts have failed
by then (results.RETRY_SECONDS), and whoever looks at readiness each quarter of a minute knows within one."""
SLOW_SECONDS = LATE_SECONDS + GATHER_S
"""So does one that waits longer, tried or not: the sender does not keep up. A knock that another message is to carry waits GATHER_S."""


class Watch:
    """Runs beside the sender."""

    def __init__(self, engine: AsyncEngine, figures: Figures) -> None:
        self._engine, self._figures = engine, figures
        self._now = Backlog()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Once. A database that is away is said by the loop."""
        try:
            async with self._engine.connect() as tx:
                self._now = await deliveries.backlog(tx)
        except Exception as error:
            observe.log().warning("backlog not read", kind=type(error).__name__)
        else:
            self._figures.backlog(self._now)

    def against(self) -> Mapping[str, str]:
        """What speaks against being ready."""
        found = {}
        if self._now.paused is not None:
            found["knocks-paused"] = "nothing is sent; `referral duty show` says why, `referral duty resume` goes on"
        elif behind := {name: one for name, one in sorted(self._now.waiting.items()) if late(one)}:
            told = ", ".join(f"{name}: {one.count} messages wait, the oldest for {one.oldest // SECOND} s" for name, one in behind.items())
            found["knocks-late"] = f"{told}; look at the channel's server, and telephone whoever is on duty"
        return found


def late(one: Waiting) -> bool:
    """Whether the deliveries of a channel have waited for too long."""
    return one.tried > LATE_SECONDS * SECOND or one.oldest > SLOW_SECONDS * SECOND
