"""Measure `referral topics rebuild`: a made-up log, written into a database, back onto empty topics of a real broker.

`python -m bench.rebuild [RECORDS]`, by default a million. It prints seconds on the clock and of this program's processor.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
from msgspec import msgpack

from bench.ground import admin, ground, say
from referral.proof.entry import CASE_TOPICS, Entry, Kind, digest, leaf
from referral.runtime.kafka import scan
from referral.runtime.recovery import rebuild
from referral.wire.topics import PARTITIONS

RECORDS, CHUNK = 1_000_000, 20_000
VALUE, HEADERS, SIGNATURE = 420, 12, 300
"""Bytes of a sealed event, headers of a record, and bytes of the largest of them (ours, as a line of real decisions has them)."""
COLUMNS = ("idx", "leaf", "key", "value", "headers", "kind", "topic", "partition", "offset", "sha256", "event_id", "case_id", "case_seq")


def rows(first: int, count: int) -> Iterator[tuple[Any, ...]]:
    """Yield rows of the log, spread over all case topics."""
    random = os.urandom(VALUE + count)
    headers = (*((f"ce_{number}", b"x" * 24) for number in range(HEADERS - 1)), ("referral-signature", b"s" * SIGNATURE))
    packed = msgpack.encode(headers)
    for idx in range(first, first + count):
        topic, partition, offset = CASE_TOPICS[idx % 3], idx // 3 % PARTITIONS, idx // (3 * PARTITIONS)
        value, case = random[idx - first : idx - first + VALUE], f"00000000-0000-0000-0000-{partition:012}"
        place: dict[str, Any] = {
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "kafka_time": 1_760_000_000_000 + offset,
            "key": case.encode(),
        }
        entry = Entry(
            idx=idx, kind=Kind.EVENT, value=value, headers=headers, sha256=digest(value), case_id=case, case_seq=offset + 1, **place
        )
        yield (idx, leaf(entry), entry.key, value, packed, "EVENT", topic, partition, offset, entry.sha256, "", case, offset + 1, 0)


async def fill(connection: asyncpg.Connection[Any], records: int) -> None:
    for first in range(0, records, CHUNK):
        some = rows(first, min(CHUNK, records - first))
        await connection.copy_records_to_table("entry", schema_name="audit", records=some, columns=[*COLUMNS, "recorded_at"])


async def main(records: int) -> int:
    async with ground() as made, made.line() as line, admin(line) as connection:
        say(f"writing {records} entries")
        await fill(connection, records)
        say("making the topics again")
        clock, processor = time.monotonic(), time.process_time()
        done = await rebuild.rebuild(line.settings, CASE_TOPICS)
        clock, processor = time.monotonic() - clock, time.process_time() - processor
        assert sum(counts["records"] for name, counts in done.items() if name in CASE_TOPICS) == records
        assert sum((await scan.ends(line.settings, CASE_TOPICS)).values()) == records
        per = f"{processor / records * 1e6:.0f} µs a record, load average {os.getloadavg()[0]:.0f}"
        print(f"{records} records: {clock:.0f} s on the clock, {processor:.0f} s of this program's processor time, {per}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else RECORDS)))
