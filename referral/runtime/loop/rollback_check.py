"""Detect a restored older database or topic after a take-over, before anything is published.

A service commits everything before it publishes. So a record of this service on its own topic with a sequence beyond the database's proves
that the database was set back. A position beyond the topic's end, or with another record before it, proves that the topic was set back.
A record of another writer proves nothing about the database: the ledger reports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Malformed
from referral.runtime.keys import erasure_tag, key_topic
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import ledger, tables, writer_mark
from referral.runtime.loop.sequence import NONE
from referral.runtime.loop.units import Place, Unit, digest
from referral.runtime.settings import Settings
from referral.wire import seal

LIMIT = 60.0  # seconds for one check; a broker that needs longer counts as away
_WROTE = text("SELECT EXISTS (SELECT FROM seen WHERE topic = :topic)")
Range = tuple[int, int]
Tps = dict[TopicPartition, Place]


@dataclass(frozen=True, slots=True)
class Rewound:
    """The reason why a unit stops. cause: `sql` or `kafka`. place: the partition that shows it. `referral recover` needs no more."""

    unit: str
    cause: str
    place: Place


async def check(
    tx: AsyncConnection,
    settings: Settings,
    book: AIOKafkaConsumer,
    keys: Keys,
    writes: str | None,
    units: Mapping[str, tuple[Unit, tuple[Place, ...]]],
) -> list[Rewound]:
    """Return the units that must stop. For a topic that a unit never read, move its position to the beginning that is retained.

    Of the service's own topic the records behind the position are explained, where all of them are the service's.

    book: a consumer that reads uncommitted records too: a record of ours may be behind an open transaction.
    keys: opens the case keys.
    writes: the service's own topic, if it has one.
    units: name → (unit, the partitions that it reads).
    """
    async with asyncio.timeout(LIMIT):
        try:
            return await _check(tx, settings, book, keys, writes, [(unit, _tps(settings, writes, unit, p)) for unit, p in units.values()])
        finally:
            book.unsubscribe()


def _own(writes: str | None, unit: Unit) -> Place | None:
    return (writes, unit.partition) if writes and unit.partition is not None else None


def _tps(settings: Settings, writes: str | None, unit: Unit, places: tuple[Place, ...]) -> Tps:
    own = _own(writes, unit)
    return {TopicPartition(settings.topic(p[0]), p[1]): p for p in (*places, *([own] if own else []))}


async def _check(
    tx: AsyncConnection, settings: Settings, book: AIOKafkaConsumer, keys: Keys, writes: str | None, units: list[tuple[Unit, Tps]]
) -> list[Rewound]:
    """Check all units with one query each for offsets and records: a take-over has a dozen units, and every case waits for it."""
    every = [tp for _, tps in units for tp in tps]
    begins, ends = await book.beginning_offsets(every), await book.end_offsets(every)
    asked = [(unit, tps, _ranges(unit, _own(writes, unit), tps, begins, ends)) for unit, tps in units]
    wanted = {tp: r for _, _, ranges in asked if not isinstance(ranges, Rewound) for tp, r in ranges.items() if r[0] < r[1]}
    records, _ = await ledger.read(book, wanted)
    secret = await writer_mark.secret(tx) if writes else b""
    rewound = list[Rewound]()
    for unit, tps, ranges in asked:
        if isinstance(ranges, Rewound):
            rewound.append(ranges)
        elif (place := _moved(unit, tps, records)) is not None:
            rewound.append(Rewound(unit.name, "kafka", place))
        elif own := _own(writes, unit):
            mine = next(tp for tp in tps if tps[tp] == own)
            at = unit.positions.get(own, (0, ""))[0]
            read = records.get(mine, [])  # with the one before the position: a confirmation moves it, on an older copy too
            marked = [r for r in read if writer_mark.carries(secret, r.value, r.headers)]
            if read and await _beyond(tx, settings, keys, own[0], read, marked):
                rewound.append(Rewound(unit.name, "sql", own))
            elif {r.offset for r in read if r.offset >= at} <= {r.offset for r in marked}:
                unit.explained = ends[mine]
    return rewound


def _ranges(
    unit: Unit, own: Place | None, tps: Tps, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Range] | Rewound:
    """Return the ranges of records to read, or Rewound when a position is outside its topic."""
    ranges: dict[TopicPartition, Range] = {}
    for tp, place in tps.items():
        offset, before = unit.positions.get(place, (0, ""))
        if not before and offset < begins[tp] and place != own:
            unit.positions[place] = (begins[tp], "")
            continue
        if not begins[tp] <= offset <= ends[tp] and not (place == own and offset == 0):
            return Rewound(unit.name, "kafka", place)
        start = max(begins[tp], offset - 1) if before or place == own else offset
        ranges[tp] = (start, ends[tp] if place == own else offset)
    return ranges


def _moved(unit: Unit, tps: Tps, records: Mapping[TopicPartition, list[ConsumerRecord]]) -> Place | None:
    """Return the place where the record before the position is not the one that was read; None: there is no such place."""
    for tp, place in tps.items():
        offset, before = unit.positions.get(place, (0, ""))
        for record in records.get(tp, []):
            if before and record.offset == offset - 1 and digest(record.key, record.value) != before:
                return place
    return None


async def _beyond(
    tx: AsyncConnection, settings: Settings, keys: Keys, topic: str, records: list[ConsumerRecord], marked: list[ConsumerRecord]
) -> bool:
    """Return whether this service wrote a record that its database does not contain. marked: the records with its mark.

    A database that never wrote to the topic was emptied or recreated, together with the writer secret: then an opening seal counts in place
    of the mark.
    """
    wrote = (await tx.execute(_WROTE, {"topic": topic})).scalar_one()
    envelopes = []
    for record in marked if wrote else records:
        try:
            envelopes.append((seal.open(record.value or b""), record.timestamp))
        except Malformed:  # no record of ours: readers quarantine it
            continue
    if not wrote and envelopes:
        known, erasers = await _keys(tx, settings, keys, {e.meta.case_id for e, _ in envelopes}), erasure_tag.erasers(settings)
        envelopes = [(e, at) for e, at in envelopes if ledger.opens(e, topic, known, erasers, at)]
    seen, _ = await tables.known(tx, {e.meta.case_id for e, _ in envelopes})
    return any(e.meta.case_seq > seen.get((topic, e.meta.case_id), NONE).seq for e, _ in envelopes)


async def _keys(tx: AsyncConnection, settings: Settings, keys: Keys, ids: Iterable[str]) -> dict[str, bytes]:
    """Return the keys of these cases: from the database, or from the key topic for cases that are newer than a restored database."""
    loaded, wanted = await keys.load(tx, ids), set(ids)
    if missing := wanted - loaded.keys():
        loaded |= keys.unwrap(await key_topic.read(settings, keys, missing))
    return loaded
