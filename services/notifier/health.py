"""Poll the backlog of deliveries, for metrics and readiness."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.domain.durations import SECOND_US
from referral.runtime.background import every
from referral.runtime.postgres import database
from services.notifier import caps, deliveries, providers
from services.notifier.deliveries import Backlog, Waiting
from services.notifier.metrics import Figures
from services.notifier.pace import pace

LOOK_SECONDS = 5.0
"""Seconds between two looks (ours): what it notices lasts for half a minute."""
LATE_SECONDS = 30
"""Limit for a delivery that failed an attempt, since it was first due: beyond it the notifier is not ready, because its channel is away.
Two attempts have failed by then (blame.RETRY_SECONDS), and a probe that polls readiness every 15 s notices within a minute."""

_WATCHED = text("SELECT holes, canary FROM watch")
"""Columns that the watchman reads, too; the database computes no column that nobody asks for."""


class Watch:
    """Poller of the backlog; runs beside the sender."""

    def __init__(self, engine: AsyncEngine, figures: Figures) -> None:
        self._engine, self._figures = engine, figures
        self._now = Backlog()
        self._away: Mapping[tuple[str, str], bool] = {}
        self._today: Mapping[str, tuple[int, int | None]] = {}

    async def run(self) -> None:
        """Poll until cancelled. While the database is away, the last values stay; the loop reports the outage."""
        await every(LOOK_SECONDS, self.look, "backlog not read", service="notifier")

    async def look(self) -> None:
        """Poll once."""
        async with database.single(self._engine).connect() as tx:
            self._now, self._away = await deliveries.backlog(tx), await providers.states(tx)
            watched = (await tx.execute(_WATCHED)).one()
            self._today = await caps.today(tx)
        self._figures.backlog(self._now)
        self._figures.providers(self._away)
        self._figures.watched(*watched)
        self._figures.spent(self._today)

    def not_ready(self) -> Mapping[str, str]:
        """Return the reasons why the notifier is not ready, each with the action for the operator."""
        found = {}
        if self._now.paused is not None:
            found["knocks-paused"] = "no knock is sent; `referral duty show` displays the reason, `referral duty resume` resumes sending"
        elif behind := {name: waiting for name, waiting in sorted(self._now.waiting.items()) if late(name, waiting)}:
            backlog = ", ".join(
                f"{name}: {waiting.count} messages wait, the oldest for {waiting.oldest // SECOND_US} s" for name, waiting in behind.items()
            )
            found["knocks-late"] = f"{backlog}; look at the channel's server, and telephone whoever is on duty"
        if full := sorted(channel for channel, (messages, most) in self._today.items() if most is not None and messages >= most):
            found["cap-reached"] = f"today's cap of {', '.join(full)} is used up: only first knocks of what is urgent leave; REFERRAL_CAPS"
        channels = {channel for channel, _ in self._away}
        if dead := sorted(c for c in channels if all(is_open for (channel, _), is_open in self._away.items() if channel == c)):
            found["channel-away"] = f"no provider of {', '.join(dead)} takes messages; `referral channels` displays since when"
        return found


def late(channel: str, waiting: Waiting) -> bool:
    """Return whether deliveries of a channel have waited too long. A knock that another message will carry waits for the channel's pace."""
    slow = LATE_SECONDS + max(pace(channel).gather, pace(channel).gap)
    return waiting.tried > LATE_SECONDS * SECOND_US or waiting.oldest > slow * SECOND_US
