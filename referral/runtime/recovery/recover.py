"""After the database went back in time: what the topics prove is put back, so that nothing is lost, said twice or decided twice.

Positions of what a service reads stay where the copy has them: reading again rebuilds its tables, as at any restart. Put back is what
reading again cannot know: how far the service itself had spoken (sequences, its own topic's end), which of its queue rows are on the
topic already, and, by a hook of each service, what it had answered. docs/decisions/0007-recover.md says why this is enough.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable

from msgspec import msgpack
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.keys import case_keys, erasure_tag, key_topic
from referral.runtime.loop import outbox, writer_mark
from referral.runtime.loop.sequence import fingerprint
from referral.runtime.loop.units import word
from referral.runtime.postgres import database
from referral.runtime.recovery import topic_snapshot
from referral.runtime.recovery.topic_snapshot import Tape, Taped
from referral.runtime.settings import Settings
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
OUTBOX = "SELECT partition, blob FROM {s}.outbox"
PUBLISHED = "DELETE FROM {s}.outbox WHERE partition = ANY(CAST(:parts AS int[]))"


Hook = Callable[[AsyncConnection, Settings, Tape, dict[str, bytes]], Awaitable[dict[str, int]]]
"""A service's own part: (transaction, settings, tape, case keys) → what it put back, by name."""


async def recover(settings: Settings, service: str, hook: Hook) -> dict[str, int]:
    """Put back one service, in one transaction that fences every instance of it; they take over again by themselves."""
    engine = database.admin(settings)
    try:
        async with engine.begin() as tx:
            await tx.execute(text(FENCE.format(s=service)))
            master = case_keys.read(settings.master_key_file)
            secrets = {topic: await writer_mark.secret(tx, owner) for owner, topic in WRITES.items()}
            made = await topic_snapshot.read(settings, erasure_tag.needed_keys(settings), secrets)
            await key_topic.restore(tx, settings, made.erased, master)
            await tx.execute(text(f"SET LOCAL search_path = {service}, runtime"))
            found = await master.load(tx, {taped.meta.case_id for taped in made.all})
            made.settle(found)
            counts = await _spoken(tx, service, made, found) if service in WRITES else {}
            if made.foreign:
                counts["records of others passed over"] = len(made.foreign)
            return {**counts, **await hook(tx, settings, made, found)}
    finally:
        await engine.dispose()


async def _spoken(tx: AsyncConnection, service: str, made: Tape, found: dict[str, bytes]) -> dict[str, int]:
    """How far the service had spoken: sequences, the end of its topic, queue rows and blobs that are on the topic already."""
    topic = WRITES[service]
    for place, (offset, before) in made.ends.items():
        if place[0] == topic:
            values = {"unit": f"p{place[1]}", "position": json.dumps({word(place): [offset, before]})}
            await tx.execute(text(POSITION.format(s=service)), values)
    await seen(tx, service, made.numbered(topic, found))
    queued = await _queued(tx, service, made.records[topic]) if service != "routing" else 0
    waiting = msgpack.Decoder(list[outbox.Record])
    gone = []
    for row in await tx.execute(text(OUTBOX.format(s=service))):
        meta = seal.open(waiting.decode(row.blob)[-1].value).meta
        said = made.last.get((topic, meta.case_id))
        if said is not None and said.meta.case_seq >= meta.case_seq:
            gone.append(row.partition)
    await tx.execute(text(PUBLISHED.format(s=service)), {"parts": gone})
    return {"sequences": sum(1 for of, _ in made.last if of == topic), "queue rows marked as sent": queued, "blobs dropped": len(gone)}


async def _queued(tx: AsyncConnection, service: str, records: Iterable[Taped]) -> int:
    """Whatever is on the topic is sent, also if the copy of the database does not know it or knows it as waiting."""
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
    """These are the last records of their case and topic that the service read or wrote, unless it knows a later one."""
    found = list(records)
    values = {
        "topics": [taped.place[0] for taped in found],
        "cases": [taped.meta.case_id for taped in found],
        "seqs": [taped.meta.case_seq for taped in found],
        "digests": [fingerprint(taped.value) for taped in found],
        "drills": [taped.meta.drill for taped in found],
    }
    await tx.execute(text(SEEN.format(s=service)), values)
