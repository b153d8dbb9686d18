"""Read and write the loop's tables (seen, queue, alarm, lease positions) in bulk, inside a batch's one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.loop import lease
from referral.runtime.loop.sequence import Last, Seen
from referral.runtime.loop.units import Place, Position
from referral.runtime.postgres import bulk, queue
from referral.wire import topics

_SEEN = text("SELECT topic, case_id, seq, digest, drill FROM seen WHERE case_id = ANY(CAST(:ids AS text[]))")
_KEEP_SEEN = text(
    "INSERT INTO seen (topic, case_id, seq, digest, drill) SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:ids AS text[]),"
    " CAST(:seqs AS bigint[]), CAST(:digests AS bytea[]), CAST(:drills AS boolean[]))"
    " ON CONFLICT (case_id, topic) DO UPDATE SET seq = excluded.seq, digest = excluded.digest, drill = seen.drill OR excluded.drill"
)
_ROWS = text(
    "SELECT q.n, id, case_id, type, fingerprint, body, drill, at FROM unnest(CAST(:parts AS int[])) AS p(n) CROSS JOIN LATERAL"
    " (SELECT * FROM queue WHERE partition = p.n AND NOT sent ORDER BY queue.n LIMIT :each) AS q ORDER BY q.n"
)
_SENT = text("UPDATE queue SET sent = true WHERE id = ANY(CAST(:ids AS text[]))")
_CLEAR = text("DELETE FROM alarm WHERE case_id = ANY(CAST(:ids AS text[]))")
_WAKE = text(
    "INSERT INTO alarm (case_id, partition, at) SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:parts AS int[]), CAST(:ats AS bigint[]))"
    " ON CONFLICT (case_id) DO UPDATE SET at = excluded.at"
)
_POSITIONS = text(
    "UPDATE lease SET positions = lease.positions || CAST(c.positions AS jsonb)"
    " FROM unnest(CAST(:units AS text[]), CAST(:positions AS text[])) AS c(unit, positions) WHERE lease.unit = c.unit"
)


class Row(NamedTuple):
    """A row of the service's queue. at: when it was queued, µs UTC."""

    n: int
    id: str
    case_id: str
    type: str
    fingerprint: int
    body: bytes
    drill: bool
    at: int


async def seen(tx: AsyncConnection, ids: Iterable[str]) -> Seen:
    """Return the last sequences of these cases, in every topic."""
    rows = (await tx.execute(_SEEN, {"ids": list(ids)})).all()
    return {(topic, case_id): Last(seq, digest, drill) for topic, case_id, seq, digest, drill in rows}


async def keep_seen(tx: AsyncConnection, changed: Seen) -> None:
    """Store the last sequences that the batch read or wrote."""
    if changed:
        values = {
            "topics": [topic for topic, _ in changed],
            "ids": [case_id for _, case_id in changed],
            "seqs": [last.seq for last in changed.values()],
            "digests": [last.digest for last in changed.values()],
            "drills": [last.drill for last in changed.values()],
        }
        await tx.execute(_KEEP_SEEN, values)


async def rows(tx: AsyncConnection, partitions: list[int], limit: int) -> list[Row]:
    """Return unsent rows of the queue in order: at most limit, the same number for each partition."""
    if not partitions:
        return []
    result = await tx.execute(_ROWS, {"parts": partitions, "each": max(1, limit // len(partitions))})
    return [Row(*row) for row in result.all()]


async def sent(tx: AsyncConnection, ids: list[str]) -> None:
    """Mark queue rows as sent."""
    if ids:
        await tx.execute(_SENT, {"ids": ids})


async def alarms(tx: AsyncConnection, changed: Mapping[str, int | None]) -> None:
    """Set each case's one alarm, µs UTC; None clears it."""
    clear = [case_id for case_id, at in changed.items() if at is None]
    wake = {case_id: at for case_id, at in changed.items() if at is not None}
    if clear:
        await tx.execute(_CLEAR, {"ids": clear})
    if wake:
        await tx.execute(_WAKE, {"ids": list(wake), "parts": [topics.partition(c) for c in wake], "ats": list(wake.values())})


async def enqueue(tx: AsyncConnection, queued: list[tuple[str, Struct, str, bool]], keys: Mapping[str, bytes]) -> None:
    """Insert rows into the service's own queue, none for an erased case. queued: (case, body, id, drill)."""
    new: list[dict[str, Any]] = [queue.row(case, body, id_, keys[case], drill) for case, body, id_, drill in queued if case in keys]
    if new:
        await bulk.write(tx, {queue.QUEUE: new})


async def positions(tx: AsyncConnection, moved: Mapping[str, dict[Place, Position]]) -> None:
    """Store the position of each unit. Call only after the fence, which proves that these units are ours."""
    if moved:
        await tx.execute(_POSITIONS, {"units": list(moved), "positions": [lease.dumped(p) for p in moved.values()]})
