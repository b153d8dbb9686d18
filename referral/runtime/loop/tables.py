"""Read and write the loop's tables (seen, queue, alarm, lease positions) in bulk, inside a batch's one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.loop import lease
from referral.runtime.loop.sequence import Last, Seen
from referral.runtime.loop.units import Place, Position
from referral.runtime.postgres import bulk, queue
from referral.wire import topics

_KNOWN = text(  # one statement for both: every batch needs both
    "SELECT case_id, topic, seq, digest, drill, NULL AS reader, NULL AS wrapped FROM seen WHERE case_id = ANY(CAST(:ids AS text[]))"
    " UNION ALL SELECT case_id, NULL, NULL, NULL, NULL, reader, wrapped FROM keys.wrapped(CAST(:ids AS text[]))"
)
_ROWS = text(
    "SELECT q.n, id, case_id, type, fingerprint, body, drill, at FROM unnest(CAST(:parts AS int[])) AS p(n) CROSS JOIN LATERAL"
    " (SELECT * FROM queue WHERE partition = p.n AND NOT sent ORDER BY queue.n LIMIT :each) AS q ORDER BY q.n"
)
_SENT = text("UPDATE queue SET sent = true WHERE id = ANY(CAST(:ids AS text[]))")
_STORE = text(  # one statement, hence one round trip, for all that every batch changes
    "WITH read AS (INSERT INTO seen (topic, case_id, seq, digest, drill) SELECT * FROM unnest(CAST(:topics AS text[]),"
    " CAST(:cases AS text[]), CAST(:seqs AS bigint[]), CAST(:digests AS bytea[]), CAST(:drills AS boolean[])) ON CONFLICT (case_id, topic)"
    " DO UPDATE SET seq = excluded.seq, digest = excluded.digest, drill = seen.drill OR excluded.drill),"
    " cleared AS (DELETE FROM alarm WHERE case_id = ANY(CAST(:cleared AS text[]))),"
    " woken AS (INSERT INTO alarm (case_id, partition, at) SELECT * FROM"
    " unnest(CAST(:woken AS text[]), CAST(:places AS int[]), CAST(:ats AS bigint[])) ON CONFLICT (case_id) DO UPDATE SET at = excluded.at),"
    " moved AS (UPDATE lease SET positions = lease.positions || CAST(c.positions AS jsonb)"
    " FROM unnest(CAST(:units AS text[]), CAST(:positions AS text[])) AS c(unit, positions) WHERE lease.unit = c.unit)"
    " INSERT INTO outbox (partition, records, oldest, blob)"
    " SELECT * FROM unnest(CAST(:parts AS int[]), CAST(:counts AS int[]), CAST(:oldest AS bigint[]), CAST(:blobs AS bytea[]))"
    " RETURNING partition, id"
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


async def known(tx: AsyncConnection, ids: Collection[str]) -> tuple[Seen, list[tuple[str, str, bytes]]]:
    """Return the last sequences of these cases in every topic, and the rows of their wrapped keys for `Keys.opened_all`."""
    seen, wrapped = Seen(), list[tuple[str, str, bytes]]()
    for case_id, topic, seq, digest, drill, reader, key in (await tx.execute(_KNOWN, {"ids": list(ids)})) if ids else ():
        if topic is None:
            wrapped.append((case_id, reader, key))
        else:
            seen[topic, case_id] = Last(seq, digest, drill)
    return seen, wrapped


async def store(
    tx: AsyncConnection,
    read: Seen,
    alarms: Mapping[str, int | None],
    moved: Mapping[str, dict[Place, Position]],
    blobs: Mapping[int, tuple[int, int, bytes]],
) -> dict[int, int]:
    """Store what a batch changes in the loop's own tables. Return partition → number of its outbox blob.

    read: last sequences that the batch read or wrote.
    alarms: case → its one alarm, µs UTC; None clears it.
    moved: unit → its positions. Only the fence proves that these units are ours, so it comes first.
    blobs: partition → (records, when their oldest cause arrived, µs UTC, the encoded records).
    """
    wake = {case_id: at for case_id, at in alarms.items() if at is not None}
    values = {
        "topics": [topic for topic, _ in read],
        "cases": [case_id for _, case_id in read],
        "seqs": [last.seq for last in read.values()],
        "digests": [last.digest for last in read.values()],
        "drills": [last.drill for last in read.values()],
        "cleared": [case_id for case_id, at in alarms.items() if at is None],
        "woken": list(wake),
        "places": [topics.partition(case_id) for case_id in wake],
        "ats": list(wake.values()),
        "units": list(moved),
        "positions": [lease.dumped(positions) for positions in moved.values()],
        "parts": list(blobs),
        "counts": [count for count, _, _ in blobs.values()],
        "oldest": [oldest for _, oldest, _ in blobs.values()],
        "blobs": [blob for _, _, blob in blobs.values()],
    }
    return {row.partition: row.id for row in await tx.execute(_STORE, values)}


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


async def enqueue(tx: AsyncConnection, queued: list[tuple[str, Struct, str, bool]], keys: Mapping[str, bytes]) -> None:
    """Insert rows into the service's own queue, none for an erased case. queued: (case, body, id, drill)."""
    new: list[dict[str, Any]] = [queue.row(case, body, id_, keys[case], drill) for case, body, id_, drill in queued if case in keys]
    if new:
        await bulk.write(tx, {queue.QUEUE: new})
