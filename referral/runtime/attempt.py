"""A record that kills the process: after a second unclean end at the same positions, records are counted before they are decoded."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.partition import Place

LAST = 3  # the attempt at which a record is quarantined unread
_BEGIN = text(
    "INSERT INTO attempt VALUES (:unit, :topic, :partition, :offset, 1) ON CONFLICT (unit) DO UPDATE SET attempts = CASE WHEN"
    ' (attempt.topic, attempt.partition, attempt."offset") = (excluded.topic, excluded.partition, excluded."offset")'
    ' THEN attempt.attempts + 1 ELSE 1 END, topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset"'
    " RETURNING attempts"
)
_END = text("DELETE FROM attempt WHERE unit = :unit")


async def begin(tx: AsyncConnection, unit: str, place: Place, offset: int) -> int:
    """Committed just before decoding: the how-manieth attempt of this record it is."""
    number = (await tx.execute(_BEGIN, {"unit": unit, "topic": place[0], "partition": place[1], "offset": offset})).scalar_one()
    await tx.commit()
    return int(number)


async def end(tx: AsyncConnection, unit: str) -> None:
    """It did not kill us: cleared with the batch."""
    await tx.execute(_END, {"unit": unit})
