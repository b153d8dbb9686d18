"""Outbox: turn a batch's events into sealed records, store them with the batch, and publish them until the broker has acknowledged them.

Each record is numbered per case, sealed under the case's key, and of a size that the broker accepts. A batch stores one blob per
partition. Go-back-N: after a failed publication the producer is discarded and the oldest blob is published again with the same bytes;
readers drop the repeats. A published blob is kept until the log has read it, so that topics can be made again after a lost broker
(docs/decisions/0054). The view `outbox` shows only what waits for publication, the table `outgoing` has both.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Input, derived
from referral.errors import Fenced
from referral.runtime import observe, record_signing
from referral.runtime.kafka.publish import Sent, Span, send
from referral.runtime.loop import writer_mark
from referral.runtime.loop.sequence import NONE, Seen, fingerprint
from referral.runtime.loop.units import Unit, digest, word
from referral.runtime.postgres import database
from referral.runtime.record_signing import Sign
from referral.wire import codec, headers, seal, topics

RECORD = 1_000_000  # bytes of a record's value and headers; max.message.bytes is 1 MiB, and the framing needs the rest


class Record(Struct, frozen=True, array_like=True):
    """A record ready to be published."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Blob(NamedTuple):
    """The committed, unconfirmed records of one partition."""

    partition: int
    id: int
    records: list[Record]


_decoder = msgspec.msgpack.Decoder(list[Record])
_encode = msgspec.msgpack.Encoder().encode
_LOAD = text("SELECT partition, id, blob FROM outbox WHERE partition = ANY(CAST(:parts AS int[])) ORDER BY id")
# Confirmations do not wait for the disk: if a database crash loses one, the same bytes are published once more.
_CONFIRM = text(
    "WITH kept AS (UPDATE outgoing SET published = d.e FROM"
    " unnest(CAST(:parts AS int[]), CAST(:ids AS bigint[]), CAST(:ends AS bigint[])) AS d(p, i, e)"
    " WHERE outgoing.partition = d.p AND outgoing.id = d.i)"
    " UPDATE lease SET positions = lease.positions || CAST(c.position AS jsonb)"
    " FROM unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[]), CAST(:positions AS text[])) AS c(unit, epoch, position)"
    " WHERE lease.unit = c.unit AND lease.epoch = c.epoch"
    " RETURNING lease.unit, (SELECT set_config('synchronous_commit', 'off', true))"
)


_FORGET = text(
    "DELETE FROM outgoing USING audit.logged WHERE logged.place = :topic || '/' || outgoing.partition"
    " AND outgoing.published <= logged.\"offset\" RETURNING (SELECT set_config('synchronous_commit', 'off', true))"
)


async def load(tx: AsyncConnection, partitions: list[int]) -> list[Blob]:
    """Return the blobs that a previous owner committed and did not confirm."""
    return [Blob(p, i, _decoder.decode(blob)) for p, i, blob in (await tx.execute(_LOAD, {"parts": partitions})).all()]


def rounds(blobs: Iterable[Blob]) -> list[list[Blob]]:
    """Return blobs in the turns in which they are published: one of each partition at a time, in their order."""
    turns: list[list[Blob]] = []
    count: defaultdict[int, int] = defaultdict(int)
    for blob in blobs:
        if count[blob.partition] == len(turns):
            turns.append([])
        turns[count[blob.partition]].append(blob)
        count[blob.partition] += 1
    return turns


def encoded(records: Mapping[int, list[Record]], oldest: Mapping[int, int]) -> dict[int, tuple[int, int, bytes]]:
    """Return partition → its blob for `tables.store`. oldest: partition → when the oldest cause of its records arrived, µs UTC."""
    return {partition: (len(some), oldest[partition], _encode(some)) for partition, some in records.items()}


async def publish(producer: AIOKafkaProducer, topic: str, blobs: list[Blob], sign: Sign = record_signing.unsigned) -> dict[int, list[Span]]:
    """Publish the blobs, signed, and return partition → spans of its record batches, once the broker has acknowledged all of them.

    sign: signs records of this topic. A blob that is published again is signed again: readers compare keys and values, not headers.

    TimeoutError, KafkaError: discard the producer.
    """
    sent = (send(producer, topic, b.partition, _signed(sign, b.records)) for b in blobs)
    return dict(zip((b.partition for b in blobs), await asyncio.gather(*sent), strict=True))


def _signed(sign: Sign, records: list[Record]) -> list[Sent]:
    """Return a blob's records as they are published. The outbox holds them unsigned."""
    headers = sign([(r.key, r.value) for r in records])
    return [(r.key, r.value, [*r.headers, *more]) for r, more in zip(records, headers, strict=True)]


def joined(start: int, spans: Iterable[Span]) -> int | None:
    """Return the end of spans that follow `start` without a gap; None: other records are between them.

    KafkaError: a span begins before `start`, so the topic was set back.
    """
    for begin, end in spans:
        if begin < start:
            raise KafkaError("the topic ends before what it has acknowledged")
        if begin > start:
            return None
        start = end
    return start


async def confirm(tx: AsyncConnection, topic: str, units: Mapping[int, Unit], blobs: list[Blob], spans: Mapping[int, list[Span]]) -> None:
    """Mark blobs as published and commit the confirmed positions.

    A position moves over this service's own records only. Before a gap it stays, the unit becomes suspect, and the ledger reads the gap.
    Fenced: another instance took over meanwhile (it publishes the same bytes again).
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
        "ends": [spans[b.partition][-1][1] for b in blobs],
        "units": [u.name for u in owned],
        "epochs": [u.epoch for u in owned],
        "positions": [json.dumps({word((topic, b.partition)): u.positions[topic, b.partition]}) for b, u in zip(blobs, owned, strict=True)],
    }
    async with database.singly(tx):
        confirmed = (await tx.execute(_CONFIRM, values)).all()
    await tx.commit()
    for unit, blob in zip(owned, blobs, strict=True):
        unit.committed[topic, blob.partition] = unit.positions[topic, blob.partition]
    if len(confirmed) < len(blobs):
        raise Fenced("another instance owns a partition of this batch")


async def forget(tx: AsyncConnection, topic: str) -> None:
    """Delete published blobs that the log has read. topic: the service's own. The caller commits."""
    await tx.execute(_FORGET, {"topic": topic})


HEADERS = 1024  # bytes; ours are about 440, and the signature's at most 400


class TooLarge(Exception):
    """An event is larger than the broker accepts. Nothing was committed; the service's fallback handles the input that caused it."""


def compose(
    emitted: list[tuple[Input, Struct]], service: str, topic: str, now: int, keys: Mapping[str, bytes], seen: Seen, secret: bytes
) -> tuple[dict[int, list[Record]], Seen]:
    """Turn emitted events into records. Return (partition → records in order, last sequences). Events of erased cases are dropped.

    emitted: (cause, event), in order.
    service, topic: the service's name and the topic that it writes.
    now: batch clock, µs UTC.
    keys: case id → case key.
    seen: last sequences in the service's own topic, for every case here.
    secret: the service's writer secret; it marks each record.

    TooLarge: an event is larger than RECORD.
    """
    out: defaultdict[int, list[Record]] = defaultdict(list)
    last: Seen = {}
    index: defaultdict[str, int] = defaultdict(int)
    metas, place = seal.Metas(service, now), topic.encode()
    random = os.urandom(seal.NONCE * len(emitted))  # one call for all nonces: the system call takes longer than the sealing
    for at, (cause, event) in zip(range(0, len(random), seal.NONCE), emitted, strict=True):
        case_id = cause.case_id
        before = last.get((topic, case_id)) or seen.get((topic, case_id), NONE)
        number, index[cause.id] = index[cause.id], index[cause.id] + 1
        type_: str = event.TYPE  # type: ignore[attr-defined]
        if type_ not in seal.UNSEALED and case_id not in keys:
            observe.ERASED.labels(service).inc()
            continue
        event_id, seq, drill = derived(cause.id, number), before.seq + 1, cause.drill or before.drill
        meta = metas.encode(event_id, case_id, seq, type_, cause.id, drill)
        value = seal.seal_encoded(keys.get(case_id), place, type_, meta, codec.encode(event), random[at : at + seal.NONCE])
        print_ = fingerprint(value)
        head = headers.plain(type_, id=event_id, source=service, at=now, schema_id=seal.SCHEMA)
        head.append(writer_mark.of(secret, print_))
        if len(value) + HEADERS > RECORD:
            raise TooLarge(type_)
        last[topic, case_id] = before.after(seq, print_, drill)
        out[topics.partition(case_id)].append(Record(case_id.encode(), value, head))
    return dict(out), last
