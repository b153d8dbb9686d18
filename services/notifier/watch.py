"""Looks at what waits, for metrics and readiness."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime import observe
from services.notifier import deliveries
from services.notifier.deliveries import Backlog
from services.notifier.figures import Figures

LOOK_SECONDS = 1.0
LATE_SECONDS = 60
"""A delivery that is due for longer speaks against being ready: the relay is away or the sender does not keep up."""


class Watch:
    """Runs beside the sender."""

    def __init__(self, engine: AsyncEngine, figures: Figures) -> None:
        self._engine, self._figures = engine, figures
        self._now = Backlog(0, 0, None)

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
        elif self._now.oldest > LATE_SECONDS * 1_000_000:
            found["knocks-late"] = f"{self._now.waiting} deliveries wait: look at the mail relay and at referral_knocks_failed"
        return found
