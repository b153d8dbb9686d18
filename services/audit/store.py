"""Store the log's rows: read what a batch touches, append what follows. Nothing here updates or deletes an entry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Input, Raw
from referral.proof.entry import SEQUENCED, Entry, Kind
from referral.runtime.postgres import bells
from referral.tlog import tile_layout, tiles
from services.audit.ingest import Ingested, Known, parse
from services.audit.tree import Grown, Head

SEQUENCES = text(
    "SELECT topic, case_id, (SELECT max(e.case_seq) FROM audit.entry e WHERE e.topic = k.topic AND e.case_id = k.case_id"
    " AND e.kind IN ('EVENT', 'DECISION', 'DISCLOSURE', 'ERASURE')) AS seq"
    " FROM (SELECT DISTINCT * FROM unnest(CAST(:topics AS text[]), CAST(:cases AS text[]))) AS k(topic, case_id)"
)
HASHES = text(
    "SELECT topic, case_id, case_seq, sha256 FROM audit.entry"
    " JOIN unnest(CAST(:topics AS text[]), CAST(:cases AS text[]), CAST(:seqs AS bigint[])) AS k(topic, case_id, case_seq)"
    " USING (topic, case_id, case_seq) WHERE kind IN ('EVENT', 'DECISION', 'DISCLOSURE', 'ERASURE')"
)
POSITIONS = text(
    'SELECT topic, partition, "offset" FROM audit.entry'
    " JOIN unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[]))"
    ' AS k(topic, partition, "offset") USING (topic, partition, "offset")'
    " WHERE \"offset\" >= 0 AND kind <> 'GAP'"
)
OPEN = text(
    "SELECT topic, key, sha256 FROM audit.entry WHERE kind IN ('POLICY', 'QUARANTINE', 'FIGURE') AND key = ANY(CAST(:keys AS bytea[]))"
)
OWN = text("SELECT kind, sha256 FROM audit.entry WHERE kind IN ('SCHEMA', 'KEYS') ORDER BY idx")
HEAD = text(
    "SELECT size, root, at, level, number, data FROM audit.head LEFT JOIN LATERAL"
    " (SELECT level, number, data FROM generate_series(0, 7) AS level JOIN audit.tile USING (level)"
    " WHERE number = size >> (8 * (level + 1)) AND (size >> (8 * level)) & 255 > 0) AS edge ON true"
)
"""The tree and the partial tiles of its right edge, in one statement: a consistent read of both, whoever else writes."""
COLUMNS = {
    "idx": "bigint",
    "leaf": "bytea",
    "key": "bytea",
    "value": "bytea",
    "headers": "bytea",
    "kind": "text",
    "topic": "text",
    "partition": "int",
    "offset": "bigint",
    "sha256": "bytea",
    "event_id": "text",
    "case_id": "text",
    "case_seq": "bigint",
    "recorded_at": "bigint",
}
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in COLUMNS.items())
APPEND = text(f"INSERT INTO audit.entry ({_NAMES}) SELECT * FROM unnest({_ARRAYS})")  # noqa: S608
TILES = text(
    "INSERT INTO audit.tile AS t (level, number, data) SELECT * FROM unnest(CAST(:levels AS int[]), CAST(:numbers AS bigint[]),"
    " CAST(:datas AS bytea[])) ON CONFLICT (level, number) DO UPDATE SET data = excluded.data WHERE length(excluded.data) > length(t.data)"
)
KEEP = text("UPDATE audit.head SET size = :size, root = :root, at = :at")
COUNT = text(
    "INSERT INTO audit.repeat AS r SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]),"
    " CAST(:times AS bigint[]), CAST(:offsets AS bigint[]))"
    " ON CONFLICT (topic, partition) DO UPDATE SET times = r.times + excluded.times, last_offset = excluded.last_offset"
)


async def known(tx: AsyncConnection, inputs: Sequence[Input]) -> Known:
    """Return what the log holds of the cases, sequences, keys and positions of these records."""
    entries = [parse(record.source, record.body) for record in inputs if isinstance(record.body, Raw)]
    held = Known()
    places = {
        "topics": [e.topic for e in entries],
        "partitions": [e.partition for e in entries],
        "offsets": [e.offset for e in entries],
    }
    held.positions = {(topic, partition, offset) for topic, partition, offset in await tx.execute(POSITIONS, places)}
    numbered = [e for e in entries if e.kind in SEQUENCED]
    cases = {"topics": [e.topic for e in numbered], "cases": [e.case_id for e in numbered]}
    held.sequences = {(row.topic, row.case_id): row.seq for row in await tx.execute(SEQUENCES, cases) if row.seq}
    hashes = await tx.execute(HASHES, {**cases, "seqs": [e.case_seq for e in numbered]})
    held.hashes = {(row.topic, row.case_id, row.case_seq): row.sha256 for row in hashes}
    keys = [e.key for e in entries if e.kind not in SEQUENCED and e.key is not None]
    if keys:
        for row in await tx.execute(OPEN, {"keys": keys}):
            held.open.setdefault((row.topic, row.key), set()).add(row.sha256)
    for row in await tx.execute(OWN):
        held.own[Kind(row.kind)] = [*held.own.get(Kind(row.kind), []), row.sha256]
    return held


async def head(tx: AsyncConnection) -> Head:
    """Return the tree as its last entries left it. Malformed: a stored tile is torn or missing."""
    rows = (await tx.execute(HEAD)).all()
    size, root, at = rows[0][:3]
    partial = {(tile.level, tile.number): tile for tile in tile_layout.partial(size)}
    stored = {partial[row.level, row.number]: row.data for row in rows if row.level is not None}
    return Head(tiles.edge(size, stored), root, at)


async def append(tx: AsyncConnection, entries: Sequence[Entry], leaves: Sequence[bytes]) -> None:
    """Write entries; the caller holds the one lease over everything, so no other instance assigns indexes."""
    rows = {name: [_column(entry, leaf, name) for entry, leaf in zip(entries, leaves, strict=True)] for name in COLUMNS}
    await tx.execute(APPEND, rows)


async def grow(tx: AsyncConnection, grown: Grown) -> None:
    """Write the grown tree: tiles, size and root."""
    grown_tiles = grown.tiles
    rows = {"levels": [t.level for t in grown_tiles], "numbers": [t.number for t in grown_tiles], "datas": list(grown_tiles.values())}
    await tx.execute(TILES, rows)
    await tx.execute(KEEP, {"size": grown.head.edge.size, "root": grown.head.root, "at": grown.head.at})
    bells.wake(tx, bells.HEAD)


async def count(tx: AsyncConnection, read: Ingested) -> None:
    """Count repeats, which are not logged."""
    places, counts = list(read.repeats), list(read.repeats.values())
    if places:
        await tx.execute(
            COUNT,
            {
                "topics": [topic for topic, _ in places],
                "partitions": [partition for _, partition in places],
                "times": [times for times, _ in counts],
                "offsets": [offset for _, offset in counts],
            },
        )


def _column(entry: Entry, leaf: bytes, name: str) -> object:
    if name == "leaf":
        return leaf
    value = getattr(entry, name)
    return msgspec.msgpack.encode(value) if name == "headers" else value
