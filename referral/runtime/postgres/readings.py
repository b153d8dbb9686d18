"""Have a reading of the log recorded before it happens: the reader waits until audit, which alone appends, has an entry of it, and looks
at that entry. The row that says so is no proof: a trigger of the database's administrator writes it as well."""

from __future__ import annotations

import asyncio
import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.events import EntryKind
from referral.errors import Malformed, NewerVersion, Unavailable, Unproven
from referral.runtime.postgres import bells
from referral.wire import leaf

WAIT_S = 5.0
"""Seconds that a reader waits for the entry (ours): audit hears of it at once, and a batch takes less than a second."""
POLL_S = 0.05
"""Seconds between two looks for the entry (ours): a person does not notice them."""
ASK = text("INSERT INTO audit.reading (value) VALUES (:value) RETURNING id")
LOGGED = text("SELECT idx FROM audit.reading WHERE id = :id")
NEWEST = text("SELECT coalesce(max(idx), -1) FROM audit.entry")
ENTRY = text("SELECT leaf FROM audit.entry WHERE idx = :idx")
FALSE = (
    "the database says that entry {idx} records this reading, and the log has no such entry there, so nothing was opened and nothing lent: "
    "somebody answers in audit's place. `referral doctor` (walls) names what was put into the database; tell the Ombudsperson"
)
TAKE = text("DELETE FROM audit.reading WHERE id = :id RETURNING idx")


async def record(engine: AsyncEngine, value: bytes) -> int:
    """Return the index of the entry. Unavailable: audit has not logged it in time, so nothing may be shown or lent. Unproven: the database
    names an entry that is none of this reading.

    value: of the READING entry (referral/proof/reading.py).
    """
    async with engine.begin() as tx:
        newest: int = (await tx.execute(NEWEST)).scalar_one()
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
    async with engine.connect() as tx:
        if idx <= newest or not await _says(tx, idx, value):
            raise Unproven("reading", FALSE.format(idx=idx))
    return int(idx)


async def _says(tx: AsyncConnection, idx: int, value: bytes) -> bool:
    """Return whether the log's entry at this index is a reading with this value."""
    row = (await tx.execute(ENTRY, {"idx": idx})).one_or_none()
    try:
        found = leaf.decode(bytes(row.leaf)) if row else None
    except (Malformed, NewerVersion):
        found = None
    return found is not None and found.kind is EntryKind.READING and found.sha256 == hashlib.sha256(value).digest()
