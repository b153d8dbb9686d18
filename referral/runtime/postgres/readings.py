"""Have a reading of the log recorded before it happens: the reader waits until audit, which alone appends, has an entry of it."""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.errors import Unavailable
from referral.runtime.postgres import bells

WAIT_S = 5.0
"""Seconds that a reader waits for the entry (ours): audit hears of it at once, and a batch takes less than a second."""
POLL_S = 0.05
"""Seconds between two looks for the entry (ours): a person does not notice them."""
ASK = text("INSERT INTO audit.reading (value) VALUES (:value) RETURNING id")
LOGGED = text("SELECT idx FROM audit.reading WHERE id = :id")
TAKE = text("DELETE FROM audit.reading WHERE id = :id RETURNING idx")


async def record(engine: AsyncEngine, value: bytes) -> int:
    """Return the index of the entry. Unavailable: audit has not logged it in time, so nothing may be shown or lent.

    value: of the READING entry (referral/proof/reading.py).
    """
    async with engine.begin() as tx:
        place = {"id": (await tx.execute(ASK, {"value": value})).one().id}
    await bells.ring(engine, [bells.READING])
    idx = None
    try:
        async with asyncio.timeout(WAIT_S):
            while idx is None:
                await asyncio.sleep(POLL_S)
                async with engine.connect() as tx:
                    idx = (await tx.execute(LOGGED, place)).scalar_one_or_none()
    except TimeoutError:
        pass
    async with engine.begin() as tx:  # also tells whether it was logged at the last moment
        idx = (await tx.execute(TAKE, place)).scalar_one_or_none()
    if idx is None:
        raise Unavailable("audit, which records each reading before anything is shown,")
    return int(idx)
