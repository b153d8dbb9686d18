"""Rewound: does SQL, or Kafka, stand where it stood? Asked before anything is published after a take-over.

Everything on the service's own topic was committed first. So a record there that this service wrote, with a sequence beyond SQL's, says
that SQL went back; and a position beyond the topic, or with another record before it, that Kafka did. A record that somebody else wrote
says nothing about SQL: the ledger names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Malformed
from referral.runtime import commit, erasure, keyring, ledger, mark
from referral.runtime.keys import Keys
from referral.runtime.partition import Place, Unit, digest
from referral.runtime.sequence import NONE
from referral.runtime.settings import Settings
from referral.wire import seal

LIMIT = 60.0  # seconds for one check; a broker that needs longer is away
_WROTE = text("SELECT EXISTS (SELECT FROM seen WHERE topic = :topic)")
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rewound:
    """Why a unit stops. cause: `sql` or `kafka`. place: where it was seen. `referral recover` needs no more."""

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
    """The units that must stop. A unit's position before the beginning of a topic that it never read is moved there.

    book: a reader that sees open transactions: a record of ours may stand above one.
    """
    async with asyncio.timeout(LIMIT):
        try:
            asked = [await _check(tx, settings, book, keys, writes, unit, places) for unit, places in units.values()]
            return [found for found in asked if found]
        finally:
            book.unsubscribe()


async def _check(
    tx: AsyncConnection,
    settings: Settings,
    book: AIOKafkaConsumer,
    keys: Keys,
    writes: str | None,
    unit: Unit,
    places: tuple[Place, ...],
) -> Rewound | None:
    own = (writes, unit.partition) if writes and unit.partition is not None else None
    tps = {TopicPartition(settings.topic(p[0]), p[1]): p for p in (*places, *([own] if own else []))}
    begins, ends = await book.beginning_offsets(list(tps)), await book.end_offsets(list(tps))
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
    records, _ = await ledger.read(book, {tp: r for tp, r in ranges.items() if r[0] < r[1]})
    for tp, place in tps.items():
        offset, before = unit.positions.get(place, (0, ""))
        for record in records.get(tp, []):
            if before and record.offset == offset - 1 and digest(record.key, record.value) != before:
                return Rewound(unit.name, "kafka", place)
    if own is None:
        return None
    confirmed = unit.positions.get(own, (0, ""))[0]
    beyond = [r for tp, place in tps.items() if place == own for r in records.get(tp, []) if r.offset >= confirmed]
    return Rewound(unit.name, "sql", own) if beyond and await _beyond(tx, settings, keys, own[0], beyond) else None


async def _beyond(tx: AsyncConnection, settings: Settings, keys: Keys, topic: str, records: list[ConsumerRecord]) -> bool:
    """Whether this service wrote a record that SQL does not know.

    A database that never wrote to the topic was emptied or made anew, and its secret with it: then the seal has to do for the mark.
    """
    secret, wrote = await mark.secret(tx), (await tx.execute(_WROTE, {"topic": topic})).scalar_one()
    envelopes = []
    for record in records:
        try:
            envelope = seal.open(record.value or b"")
        except Malformed:  # not ours: its readers quarantine it
            continue
        if not wrote or mark.carries(secret, record.value, record.headers):
            envelopes.append(envelope)
    if not wrote and envelopes:
        known = await _keys(tx, settings, keys, {e.meta.case_id for e in envelopes})
        envelopes = [e for e in envelopes if ledger.opens(e, topic, known, erasure.intake_keys(settings))]
    seen = await commit.seen(tx, {e.meta.case_id for e in envelopes})
    return any(e.meta.case_seq > seen.get((topic, e.meta.case_id), NONE).seq for e in envelopes)


async def _keys(tx: AsyncConnection, settings: Settings, keys: Keys, ids: Iterable[str]) -> dict[str, bytes]:
    """The keys of these cases, also of such as begin after the copy that the database is."""
    found, wanted = await keys.load(tx, ids), set(ids)
    if wanted - found.keys():
        found |= keys.unwrap({case: key for case, key in (await keyring.kept(settings, keys)).items() if case in wanted - found.keys()})
    return found
