"""Repair a restored older database from the topics, so that no event is lost, emitted twice or decided twice.

The positions of topics that a service reads stay as the restored copy has them: reading again rebuilds its tables, as at any restart.
`recover` restores only state that reading again cannot rebuild: how far the service itself had published (sequences, the end of its own
topic), which of its queue rows are on the topic already, and, through a hook of each service, which answers it had given.
docs/decisions/0007-recover.md explains why this is enough.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from msgspec import msgpack
from msgspec.json import encode
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import observe
from referral.runtime.kafka import scan
from referral.runtime.keys import case_keys, erasure_tag, key_topic
from referral.runtime.loop import outbox, writer_mark
from referral.runtime.loop.sequence import fingerprint
from referral.runtime.loop.units import word
from referral.runtime.postgres import database
from referral.runtime.recovery import topic_snapshot
from referral.runtime.recovery.topic_snapshot import Tape, Taped
from referral.runtime.settings import Settings, load
from referral.wire import seal, topics

WRITES = {"intake": "referral-intake", "routing": "referral-routing", "notifier": "referral-notification"}
FENCE = "UPDATE {s}.lease SET epoch = epoch + 1, owner = NULL, lease_until = '-infinity', clean = true"
POSITION = (
    "INSERT INTO {s}.lease (unit, positions) VALUES (:unit, CAST(:position AS jsonb))"
    " ON CONFLICT (unit) DO UPDATE SET positions = {s}.lease.positions || excluded.positions"
)
SEEN = (
    "INSERT INTO {s}.seen AS s (topic, case_id, seq, digest, drill) SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:cases AS text[]),"
    " CAST(:seqs AS bigint[]), CAST(:digests AS bytea[]), CAST(:drills AS boolean[])) ON CONFLICT (case_id, topic) DO UPDATE"
    " SET seq = excluded.seq, digest = excluded.digest, drill = excluded.drill WHERE s.seq < excluded.seq"
)
SENT = (
    "INSERT INTO {s}.queue (id, partition, case_id, type, fingerprint, body, drill, sent) SELECT i, p, c, t, 0, '', false, true FROM"
    " unnest(CAST(:ids AS text[]), CAST(:parts AS int[]), CAST(:cases AS text[]), CAST(:types AS text[])) AS q(i, p, c, t)"
    " ON CONFLICT (id) DO UPDATE SET sent = true"
)
OUTBOX = "SELECT partition, id, blob FROM {s}.outbox"
PUBLISHED = (
    "DELETE FROM {s}.outbox USING unnest(CAST(:parts AS int[]), CAST(:ids AS bigint[])) AS gone(p, i)"
    " WHERE outbox.partition = gone.p AND outbox.id = gone.i"
)


Hook = Callable[[AsyncConnection, Settings, AsyncIterator[Tape]], Awaitable[dict[str, int]]]
"""A service's own part of the repair: (transaction, settings, tapes) → number of restored items, by name. Each tape is settled."""


def run(service: str, hook: Hook) -> None:
    """Recover a service as its program does: the result goes to standard output as JSON, log lines to standard error."""
    observe.configure()
    sys.stdout.buffer.write(encode(asyncio.run(recover(load(), service, hook))))


async def recover(settings: Settings, service: str, hook: Hook) -> dict[str, int]:
    """Repair one service in one transaction that fences all its instances; they take over again on their own.

    Return the number of restored items, by name. hook: the service's own part.
    """
    engine = database.admin(settings)
    try:
        async with engine.begin() as tx:
            await tx.execute(text(FENCE.format(s=service)))
            master = case_keys.read(settings)
            secrets = {topic: await writer_mark.secret(tx, owner) for owner, topic in WRITES.items()}
            intake, counts = erasure_tag.needed(settings), Counter[str]()
            async with scan.opened(settings, topic_snapshot.CASE_TOPICS) as reader:
                began = await topic_snapshot.began(reader, secrets)
                counts.update(await key_topic.restore(tx, settings, await topic_snapshot.erased(reader, intake, secrets, began), master))
                await tx.execute(text(f"SET LOCAL search_path = {service}, runtime"))

                async def tapes() -> AsyncIterator[Tape]:
                    async for tape in topic_snapshot.tapes(reader, intake, secrets, began):
                        tape.settle(await master.load(tx, {taped.meta.case_id for taped in tape.all}))
                        if service in WRITES:
                            counts.update(await _published(tx, service, tape))
                        if tape.foreign:
                            counts["records of others passed over"] += len(tape.foreign)
                        yield tape

                restored = await hook(tx, settings, tapes())
            return {**counts, **restored}
    finally:
        await engine.dispose()


async def _published(tx: AsyncConnection, service: str, tape: Tape) -> dict[str, int]:
    """Restore how far the service had published: sequences, the end of its topic, queue rows and blobs that are on the topic already."""
    topic = WRITES[service]
    for place, (offset, before) in tape.ends.items():
        if place[0] == topic:
            values = {"unit": f"p{place[1]}", "position": json.dumps({word(place): [offset, before]})}
            await tx.execute(text(POSITION.format(s=service)), values)
    await seen(tx, service, tape.numbered(topic))
    queued = await _queued(tx, service, tape.records[topic]) if service != "routing" else 0
    waiting = msgpack.Decoder(list[outbox.Record])
    gone = []
    for row in await tx.execute(text(OUTBOX.format(s=service))):
        meta = seal.open(waiting.decode(row.blob)[-1].value).meta
        published = tape.last.get((topic, meta.case_id))
        if published is not None and published.meta.case_seq >= meta.case_seq:
            gone.append((row.partition, row.id))
    done = {"parts": [partition for partition, _ in gone], "ids": [id_ for _, id_ in gone]}
    await tx.execute(text(PUBLISHED.format(s=service)), done)
    return {"sequences": sum(1 for of, _ in tape.last if of == topic), "queue rows marked as sent": queued, "blobs dropped": len(gone)}


async def _queued(tx: AsyncConnection, service: str, records: Iterable[Taped]) -> int:
    """Mark the queue rows of published records as sent, also rows that the restored copy lacks or has as unsent. Return their number."""
    causes = {taped.meta.cause_id: taped.meta for taped in records}
    values = {
        "ids": list(causes),
        "parts": [topics.partition(meta.case_id) for meta in causes.values()],
        "cases": [meta.case_id for meta in causes.values()],
        "types": [meta.type for meta in causes.values()],
    }
    await tx.execute(text(SENT.format(s=service)), values)
    return len(causes)


async def seen(tx: AsyncConnection, service: str, records: Iterable[Taped]) -> None:
    """Store these records as the last ones of their case and topic that the service read or wrote, unless it has a later one."""
    last = list(records)
    values = {
        "topics": [taped.place[0] for taped in last],
        "cases": [taped.meta.case_id for taped in last],
        "seqs": [taped.meta.case_seq for taped in last],
        "digests": [fingerprint(taped.value) for taped in last],
        "drills": [taped.meta.drill for taped in last],
    }
    await tx.execute(text(SEEN.format(s=service)), values)
