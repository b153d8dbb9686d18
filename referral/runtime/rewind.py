"""Rewound: does SQL, or Kafka, stand where it stood? Asked before anything is published after a take-over.

Everything on the service's own topic was committed first. So a record there with a sequence beyond SQL's says that SQL went back,
and a position beyond the topic, or with another record before it, that Kafka did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Malformed
from referral.runtime import commit
from referral.runtime.partition import Place, Unit, digest
from referral.runtime.sequence import NONE
from referral.runtime.settings import Settings
from referral.wire import seal

LIMIT = 60.0  # seconds for one check; a broker that needs longer is away
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
    probe: AIOKafkaConsumer,
    writes: str | None,
    units: Mapping[str, tuple[Unit, tuple[Place, ...]]],
) -> list[Rewound]:
    """The units that must stop. A unit's position before the beginning of a topic that it never read is moved there."""
    async with asyncio.timeout(LIMIT):
        try:
            return [found for unit, places in units.values() if (found := await _check(tx, settings, probe, writes, unit, places))]
        finally:
            probe.unsubscribe()


async def _check(
    tx: AsyncConnection, settings: Settings, probe: AIOKafkaConsumer, writes: str | None, unit: Unit, places: tuple[Place, ...]
) -> Rewound | None:
    own = (writes, unit.partition) if writes and unit.partition is not None else None
    tps = {TopicPartition(settings.topic(p[0]), p[1]): p for p in (*places, *([own] if own else []))}
    begins, ends = await probe.beginning_offsets(list(tps)), await probe.end_offsets(list(tps))
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
    records = await _read(probe, {tp: r for tp, r in ranges.items() if r[0] < r[1]})
    for tp, place in tps.items():
        offset, before = unit.positions.get(place, (0, ""))
        for record in records.get(tp, []):
            if before and record.offset == offset - 1 and digest(record.key, record.value) != before:
                return Rewound(unit.name, "kafka", place)
    if own is None:
        return None
    confirmed = unit.positions.get(own, (0, ""))[0]
    beyond = [r for tp, place in tps.items() if place == own for r in records.get(tp, []) if r.offset >= confirmed]
    return Rewound(unit.name, "sql", own) if await _beyond(tx, own[0], beyond) else None


async def _read(probe: AIOKafkaConsumer, ranges: Mapping[TopicPartition, Range]) -> dict[TopicPartition, list[ConsumerRecord]]:
    """The records of each [start, stop)."""
    found: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in ranges}
    if not ranges:
        return found
    probe.assign(list(ranges))
    for tp, (start, _) in ranges.items():
        probe.seek(tp, start)
    left = set(ranges)
    while left:
        for tp, records in (await probe.getmany(*left, timeout_ms=1000)).items():
            found[tp] += [r for r in records if r.offset < ranges[tp][1]]
            if records and records[-1].offset >= ranges[tp][1] - 1:
                left.discard(tp)
                probe.pause(tp)
    return found


async def _beyond(tx: AsyncConnection, topic: str, records: list[ConsumerRecord]) -> bool:
    """Whether a record has a sequence that SQL does not know."""
    metas = []
    for record in records:
        try:
            metas.append(seal.open(record.value or b"").meta)
        except Malformed:  # not ours: its readers quarantine it
            continue
    seen = await commit.seen(tx, {m.case_id for m in metas})
    return any(m.case_seq > seen.get((topic, m.case_id), NONE).seq for m in metas)
