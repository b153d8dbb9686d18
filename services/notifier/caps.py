"""Count what each paid channel carries in a day, and hold back what can wait once its cap is reached.

Above the cap only first knocks for what is urgent leave: a bill is never a reason to let somebody sleep who is needed at once. Nothing is
dropped: what is held back leaves after midnight, if it is still wanted, or when the cap is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.channels import PAID
from referral.runtime.background import attempt
from referral.runtime.postgres import clock
from services.notifier.duty import instant, local_day

AGAIN_SECONDS = 5.0
"""Wait before the caps are written once more while the database is away."""
HELD = "EXISTS (SELECT FROM spent s WHERE s.channel = {0} AND s.begins <= {1} AND s.ends > {1} AND s.messages >= s.most)"
"""SQL: whether a channel's cap is reached. 0: the channel. 1: the time."""
_COUNT = text(
    "INSERT INTO spent AS s (channel, begins, ends, messages, most) VALUES (:channel, :begins, :ends, :count, :most)"
    " ON CONFLICT (channel, begins) DO UPDATE SET messages = s.messages + excluded.messages, most = excluded.most"
)
_TODAY = text("SELECT channel, messages, most FROM spent WHERE begins <= runtime.clock() AND ends > runtime.clock()")


async def run(engine: AsyncEngine, caps: Mapping[str, int]) -> None:
    """Let the caps of this start hold for the day that runs; then end."""

    async def write() -> None:
        async with engine.begin() as tx:
            await count(tx, dict.fromkeys(PAID, 0), caps, await clock.now(tx))

    while True:
        if await attempt(write, "caps not written", service="notifier"):
            return
        await asyncio.sleep(AGAIN_SECONDS)


async def count(tx: AsyncConnection, messages: Mapping[str, int], caps: Mapping[str, int], now: int) -> None:
    """Add messages, by channel, to those of the local day. Last in a transaction: all instances write this row."""
    today = local_day(now)
    day = {"begins": instant(today, 0), "ends": instant(today + timedelta(days=1), 0)}
    for channel in sorted(messages.keys() & {*PAID}):
        await tx.execute(_COUNT, {**day, "channel": channel, "count": messages[channel], "most": caps.get(channel)})


async def today(tx: AsyncConnection) -> dict[str, tuple[int, int | None]]:
    """Return channel → (messages of this local day, cap)."""
    return {row.channel: (row.messages, row.most) for row in await tx.execute(_TODAY)}
