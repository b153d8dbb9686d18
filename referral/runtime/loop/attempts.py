"""Count the attempts of inputs that may kill the process (poison inputs), so that the third attempt avoids them.

Counting begins after a process died in the first batch of a tenure, and happens before decoding. A few records leave a mark at the first of
them; whoever finds one takes them one by one. A process that ends in an orderly way has not died of anything. A record is quarantined
undecoded at its third attempt. A queue row or an alarm goes to the service's fallback at its third attempt, if there is one, and is set
aside undecoded after that: a row into the quarantine, an alarm for PUT_OFF, because a case must not lose its alarm.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.loop.units import Place

LAST = 3
"""First attempt that the normal handler does not get (ours): two deaths may have other causes, a third means that the input kills."""
PUT_OFF = 3600 * 1_000_000
"""Delay of an alarm that kills the process (ours, µs): an hour leaves time to work, and a repaired deploy still meets the alarm soon."""
_BEGIN = text(
    'INSERT INTO suspect VALUES (:unit, :topic, :partition, :offset, :one) ON CONFLICT (unit, topic, partition, "offset")'
    " DO UPDATE SET attempts = suspect.attempts + excluded.attempts RETURNING attempts"
)
_END = text('DELETE FROM suspect WHERE (unit, topic, partition, "offset") = (:unit, :topic, :partition, :offset)')
_CLEAR = text(  # a record that the broker has not sent yet may still kill
    "DELETE FROM suspect USING lease WHERE suspect.unit = :unit AND lease.unit = suspect.unit AND (topic = 'queue' OR topic LIKE 'alarm %'"
    " OR \"offset\" < CAST(lease.positions -> (topic || '/' || partition) ->> 0 AS bigint))"
)


async def begin(tx: AsyncConnection, unit: str, place: Place, offset: int, *, alone: bool = True) -> int:
    """Record and return the attempt number of this input. Commits before decoding, so that the count survives a crash.

    unit, place, offset: identify the input, as `Pending.key` returns them.
    alone: False for the first of a few; if they kill, the next owner is careful, and it counts against none of them.
    """
    number = (await tx.execute(_BEGIN, {**_values(unit, place, offset), "one": int(alone)})).scalar_one()
    await tx.commit()
    return int(number)


def exhausted(number: int, record: bool, fallback: bool) -> bool:
    """Return whether an input must be set aside undecoded.

    number: its attempt number.
    record: it is a Kafka record, not a queue row or an alarm.
    fallback: the service has one.
    """
    return number >= LAST + (fallback and not record)


async def end(tx: AsyncConnection, unit: str, place: Place, offset: int) -> None:
    """Clear the count of this input in the batch's transaction: it did not kill the process."""
    await tx.execute(_END, _values(unit, place, offset))


async def clear(tx: AsyncConnection, unit: str) -> None:
    """Clear what was counted of rows and alarms that are gone and of records that were passed over. The caller commits."""
    await tx.execute(_CLEAR, {"unit": unit})


def _values(unit: str, place: Place, offset: int) -> dict[str, str | int]:
    return {"unit": unit, "topic": place[0], "partition": place[1], "offset": offset}
