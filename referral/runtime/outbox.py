"""Outbox: what a batch says, kept with it as one blob per partition, and published again until the broker has it. Go-back-N:

a failed publication throws the producer away, and the oldest blob goes out again with the same bytes; readers drop the repeats.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Fenced
from referral.runtime.partition import Unit, digest, word

LIMIT = 30.0  # seconds for a blob; then the producer is thrown away
RECORD = 1_000_000  # bytes of a record's value and headers; max.message.bytes is 1 MiB and framing needs some


class Record(Struct, frozen=True, array_like=True):
    """A record as it goes out."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Blob(NamedTuple):
    """One partition's committed and unpublished records."""

    partition: int
    id: int
    records: list[Record]


Sent = tuple[bytes, bytes | None, list[tuple[str, bytes]]]
"""Key, value and headers of a record as the broker gets them."""
Span = tuple[int, int]
"""A record batch on the topic: its first offset, and the one after its last."""
_decoder = msgspec.msgpack.Decoder(list[Record])
_encode = msgspec.msgpack.Encoder().encode
_LOAD = text("SELECT partition, id, blob FROM outbox WHERE partition = ANY(CAST(:parts AS int[])) ORDER BY id")
_KEEP = text(
    "INSERT INTO outbox (partition, records, oldest, blob)"
    " SELECT * FROM unnest(CAST(:parts AS int[]), CAST(:counts AS int[]), CAST(:oldest AS bigint[]), CAST(:blobs AS bytea[]))"
    " RETURNING partition, id"
)
# Confirmations need not wait for the disk: one that a crash of the database takes back means the same bytes once more.
_CONFIRM = text(
    "WITH gone AS (DELETE FROM outbox USING unnest(CAST(:parts AS int[]), CAST(:ids AS bigint[])) AS d(p, i)"
    " WHERE outbox.partition = d.p AND outbox.id = d.i)"
    " UPDATE lease SET positions = lease.positions || CAST(c.position AS jsonb)"
    " FROM unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[]), CAST(:positions AS text[])) AS c(unit, epoch, position)"
    " WHERE lease.unit = c.unit AND lease.epoch = c.epoch"
    " RETURNING lease.unit, (SELECT set_config('synchronous_commit', 'off', true))"
)


async def load(tx: AsyncConnection, partitions: list[int]) -> list[Blob]:
    """What an owner before us committed and did not confirm."""
    return [Blob(p, i, _decoder.decode(blob)) for p, i, blob in (await tx.execute(_LOAD, {"parts": partitions})).all()]


async def keep(tx: AsyncConnection, records: Mapping[int, list[Record]], oldest: Mapping[int, int]) -> list[Blob]:
    """Keep each partition's records with the batch."""
    if not records:
        return []
    parts = list(records)
    values = {
        "parts": parts,
        "counts": [len(records[p]) for p in parts],
        "oldest": [oldest[p] for p in parts],
        "blobs": [_encode(records[p]) for p in parts],
    }
    return [Blob(p, i, records[p]) for p, i in (await tx.execute(_KEEP, values)).all()]


async def publish(producer: AIOKafkaProducer, topic: str, blobs: list[Blob]) -> dict[int, list[Span]]:
    """Partition → where its record batches stand, once the broker has all. TimeoutError, KafkaError: throw the producer away."""
    sent = (send(producer, topic, b.partition, [(r.key, r.value, r.headers) for r in b.records]) for b in blobs)
    return dict(zip((b.partition for b in blobs), await asyncio.gather(*sent), strict=True))


async def send(producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[Sent]) -> list[Span]:
    """Where the record batches stand, once the broker has all. As prebuilt batches: one future for each, not one for each record.

    TimeoutError, KafkaError: nothing is known to be there.
    """
    futures, counts = [], []
    batch = producer.create_batch()
    async with asyncio.timeout(LIMIT):
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                counts.append(batch.record_count())
                batch.close()
                futures.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        counts.append(batch.record_count())
        batch.close()
        futures.append(await producer.send_batch(batch, topic, partition=partition))
        done = await asyncio.gather(*futures)
    if any(one.offset < 0 for one in done):  # the broker had it already and does not say where: publish again and know
        raise KafkaError("no offset")
    return [(one.offset, one.offset + count) for one, count in zip(done, counts, strict=True)]


def joined(start: int, spans: Iterable[Span]) -> int | None:
    """The end of spans that follow `start` without a hole; None: something else stands between them. KafkaError: the topic went back."""
    for begin, end in spans:
        if begin < start:
            raise KafkaError("the topic ends before what it has acknowledged")
        if begin > start:
            return None
        start = end
    return start


async def confirm(tx: AsyncConnection, topic: str, units: Mapping[int, Unit], blobs: list[Blob], spans: Mapping[int, list[Span]]) -> None:
    """Published. The confirmed position moves over what is this service's alone; before a hole it stays, and the ledger looks into it.

    Fenced: somebody else took over meanwhile (the records are the same bytes that it repeats).
    """
    for blob in blobs:
        unit, place = units[blob.partition], (topic, blob.partition)
        before = unit.positions.get(place, (0, ""))
        end = joined(max(before[0], unit.explained), spans[blob.partition])
        unit.suspect |= end is None
        last = blob.records[-1]
        unit.positions[place] = before if end is None else (end, digest(last.key, last.value))
    owned = [units[b.partition] for b in blobs]
    values = {
        "parts": [b.partition for b in blobs],
        "ids": [b.id for b in blobs],
        "units": [u.name for u in owned],
        "epochs": [u.epoch for u in owned],
        "positions": [json.dumps({word((topic, b.partition)): u.positions[topic, b.partition]}) for b, u in zip(blobs, owned, strict=True)],
    }
    confirmed = (await tx.execute(_CONFIRM, values)).all()
    await tx.commit()
    for unit, blob in zip(owned, blobs, strict=True):
        unit.left[topic, blob.partition] = unit.positions[topic, blob.partition]
    if len(confirmed) < len(blobs):
        raise Fenced("another instance owns a partition of this batch")
