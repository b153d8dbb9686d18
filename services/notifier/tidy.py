"""Delete the rows of questions that closed long ago, of old notes, and addresses that nobody confirmed. The log keeps what happened."""

from __future__ import annotations

from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.domain.durations import DAY_US
from referral.runtime.background import every

KEEP_DAYS = 90
"""Days for which a closed question and its deliveries are kept (ours): "why was I called?" is asked within weeks."""
EVERY_SECONDS = 3600.0
MOST = 10_000
"""Questions deleted in one transaction."""
_DELETE = text(
    "WITH old AS (SELECT id FROM asked WHERE closed_at < runtime.clock() - CAST(:keep AS bigint) ORDER BY closed_at LIMIT :most"
    " FOR UPDATE SKIP LOCKED), gone AS (DELETE FROM delivery d USING old WHERE d.asked = old.id AND d.lease_until IS NULL)"
    " DELETE FROM asked USING old WHERE asked.id = old.id"
)

_NOTES = text("DELETE FROM note WHERE ended_at < runtime.clock() - CAST(:keep AS bigint)")
_UNCONFIRMED = text("DELETE FROM unconfirmed WHERE at < runtime.clock() - CAST(:keep AS bigint)")


async def run(engine: AsyncEngine) -> None:
    """Delete every hour, until cancelled."""
    await every(EVERY_SECONDS, partial(_tidy, engine), "old rows not deleted", service="notifier")


async def _tidy(engine: AsyncEngine) -> None:
    while await delete(engine) == MOST:
        pass
    await forget(engine)


async def delete(engine: AsyncEngine) -> int:
    """Delete the oldest closed questions, with their deliveries. Return how many."""
    async with engine.begin() as tx:
        return (await tx.execute(_DELETE, {"keep": KEEP_DAYS * DAY_US, "most": MOST})).rowcount


async def forget(engine: AsyncEngine) -> None:
    """Delete notes that ended long ago, and addresses that were not confirmed in a day: their codes were good for minutes."""
    async with engine.begin() as tx:
        await tx.execute(_NOTES, {"keep": KEEP_DAYS * DAY_US})
        await tx.execute(_UNCONFIRMED, {"keep": DAY_US})
