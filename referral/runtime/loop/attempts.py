"""An input that kills the process: after a death in the first batch of a tenure, each is counted before it is looked at.

A record is quarantined unread at its third attempt. A queue row or an alarm goes to the service's fallback at its third
attempt, if there is one, and is put aside unread after that: a row into the quarantine, an alarm by PUT_OFF, because a case must not
be without one.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.loop.units import Place

LAST = 3
"""The attempt at which an input is no longer handled as ever: two deaths may be anybody's, the third is its own."""
PUT_OFF = 3600 * 1_000_000
"""µs. An alarm that kills comes again after an hour: rarely enough to work in between, often enough that a mended deploy finds it."""
_BEGIN = text(
    "INSERT INTO attempt VALUES (:unit, :topic, :partition, :offset, 1) ON CONFLICT (unit) DO UPDATE SET attempts = CASE WHEN"
    ' (attempt.topic, attempt.partition, attempt."offset") = (excluded.topic, excluded.partition, excluded."offset")'
    ' THEN attempt.attempts + 1 ELSE 1 END, topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset"'
    " RETURNING attempts"
)
_END = text("DELETE FROM attempt WHERE unit = :unit")


async def begin(tx: AsyncConnection, unit: str, place: Place, offset: int) -> int:
    """Committed just before decoding: the how-manieth attempt of this input it is; each has a place that names it (Work.place)."""
    number = (await tx.execute(_BEGIN, {"unit": unit, "topic": place[0], "partition": place[1], "offset": offset})).scalar_one()
    await tx.commit()
    return int(number)


def unread(number: int, record: bool, fallback: bool) -> bool:
    """Whether nobody may look at it any more. fallback: whether the service has one."""
    return number >= LAST + (fallback and not record)


async def end(tx: AsyncConnection, unit: str) -> None:
    """It did not kill us: cleared with the batch."""
    await tx.execute(_END, {"unit": unit})
