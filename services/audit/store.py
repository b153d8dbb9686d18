"""The log's rows: read what a batch touches, append what follows. Nothing here updates or deletes an entry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.record import Input, Raw
from referral.proof.entry import SEQUENCED, Entry
from services.audit.ingest import Known, Read, parse

LAST = text("SELECT coalesce(max(idx), 0) FROM audit.entry")
SEQUENCES = text(
    "SELECT topic, case_id, (SELECT max(e.case_seq) FROM audit.entry e WHERE e.topic = k.topic AND e.case_id = k.case_id"
    " AND e.kind IN ('event', 'decision', 'disclosure', 'erasure')) AS seq"
    " FROM (SELECT DISTINCT * FROM unnest(CAST(:topics AS text[]), CAST(:cases AS text[]))) AS k(topic, case_id)"
)
HASHES = text(
    "SELECT topic, case_id, case_seq, sha256 FROM audit.entry"
    " JOIN unnest(CAST(:topics AS text[]), CAST(:cases AS text[]), CAST(:seqs AS bigint[])) AS k(topic, case_id, case_seq)"
    " USING (topic, case_id, case_seq) WHERE kind IN ('event', 'decision', 'disclosure', 'erasure')"
)
POSITIONS = text(
    'SELECT topic, partition, "offset" FROM audit.entry'
    " JOIN unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[]))"
    ' AS k(topic, partition, "offset") USING (topic, partition, "offset") WHERE kind <> \'gap\''
)
OPEN = text("SELECT topic, key, sha256 FROM audit.entry WHERE kind IN ('policy', 'quarantine') AND key = ANY(CAST(:keys AS bytea[]))")
COLUMNS = {
    "idx": "bigint",
    "kind": "text",
    "topic": "text",
    "partition": "int",
    "offset": "bigint",
    "kafka_time": "bigint",
    "key": "bytea",
    "value": "bytea",
    "headers": "bytea",
    "sha256": "bytea",
    "event_id": "text",
    "type": "text",
    "case_id": "text",
    "case_seq": "bigint",
    "cause_id": "text",
    "recorded_at": "bigint",
}
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in COLUMNS.items())
APPEND = text(f"INSERT INTO audit.entry ({_NAMES}) SELECT * FROM unnest({_ARRAYS})")  # noqa: S608
COUNT = text(
    "INSERT INTO audit.repeat AS r SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]),"
    " CAST(:times AS bigint[]), CAST(:offsets AS bigint[]))"
    " ON CONFLICT (topic, partition) DO UPDATE SET times = r.times + excluded.times, last_offset = excluded.last_offset"
)


async def known(tx: AsyncConnection, inputs: Sequence[Input]) -> Known:
    """What the log holds of the cases, sequences, keys and positions of these records."""
    entries = [parse(record.source, record.body) for record in inputs if isinstance(record.body, Raw)]
    found = Known(last=(await tx.execute(LAST)).scalar_one())
    places = {
        "topics": [e.topic for e in entries],
        "partitions": [e.partition for e in entries],
        "offsets": [e.offset for e in entries],
    }
    found.positions = {(topic, partition, offset) for topic, partition, offset in await tx.execute(POSITIONS, places)}
    numbered = [e for e in entries if e.kind in SEQUENCED]
    cases = {"topics": [e.topic for e in numbered], "cases": [e.case_id for e in numbered]}
    found.sequences = {(row.topic, row.case_id): row.seq for row in await tx.execute(SEQUENCES, cases) if row.seq}
    hashes = await tx.execute(HASHES, {**cases, "seqs": [e.case_seq for e in numbered]})
    found.hashes = {(row.topic, row.case_id, row.case_seq): row.sha256 for row in hashes}
    keys = [e.key for e in entries if e.kind not in SEQUENCED and e.key is not None]
    if keys:
        for row in await tx.execute(OPEN, {"keys": keys}):
            found.open.setdefault((row.topic, row.key), set()).add(row.sha256)
    return found


async def append(tx: AsyncConnection, read: Read) -> None:
    """Write entries and counts; the caller holds the one lease over everything, so indexes are its own."""
    if read.entries:
        rows = {name: [_column(entry, name) for entry in read.entries] for name in COLUMNS}
        await tx.execute(APPEND, rows)
    if read.repeats:
        places, counts = list(read.repeats), list(read.repeats.values())
        await tx.execute(
            COUNT,
            {
                "topics": [topic for topic, _ in places],
                "partitions": [partition for _, partition in places],
                "times": [times for times, _ in counts],
                "offsets": [offset for _, offset in counts],
            },
        )


def _column(entry: Entry, name: str) -> object:
    value = getattr(entry, name)
    return msgspec.msgpack.encode(value) if name == "headers" else value
