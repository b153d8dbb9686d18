"""Account for every record of the service's own topic, continuously, and report each record that the service did not write.

A record that the broker acknowledges directly behind the last own one needs no reading. The ledger reads only the records between or
above acknowledged ones: a mark under the writer's secret proves that a predecessor wrote them. docs/decisions/0020 gives the rule.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping
from dataclasses import replace

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from referral.domain.inputs import Input, RecordLost, Source, lost_input
from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.loop import quarantine, writer_mark
from referral.runtime.loop.decode import BatchState, Opened, open_all
from referral.runtime.loop.quarantine import Refused
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.sequence import FAR, NONE, Seen, fingerprint
from referral.runtime.loop.units import Unit
from referral.runtime.settings import Settings
from referral.wire import codec, seal
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.writer_signature import Writers

EVERY = 2.0
"""Seconds (ours) between two queries for the end offsets of the own partitions: one request to the broker, whatever their number."""
LIMIT = 60.0
"""Seconds for one read; a broker that needs longer is away."""
MOST = 1000
"""Records of one check (ours, the same as of one batch): a flood of foreign records must not keep the service from its work."""
LINES = 20
"""Log lines for one batch of foreign records (ours): the metric counts all of them, `referral doctor` names the first."""
REASON = "foreign"
"""The word of the lists quarantine-reason and lost-reason for a record that its topic's owner did not write."""
Ranges = Mapping[TopicPartition, tuple[int, int]]


class Ledger:
    """The account that one instance keeps of its service's topic.

    book: a consumer that reads records of open and aborted transactions too; no program of ours writes those.
    """

    def __init__(self, book: AIOKafkaConsumer, settings: Settings, writes: str) -> None:
        self._book, self._settings, self._writes = book, settings, writes
        self._next = 0.0
        self._query: asyncio.Task[dict[TopicPartition, int]] | None = None

    def is_due(self, units: Collection[Unit], mono: float) -> bool:
        """Return True when `check` would look. Records under way have no acknowledgement yet, so none may be."""
        if any(unit.suspect for unit in units):
            return True
        return mono >= self._next if self._query is None else self._query.done()

    async def check(self, units: Collection[Unit], mono: float) -> list[Taken]:
        """Return the records that no acknowledgement covers, at most MOST. units: the active ones. mono: monotonic seconds.

        The query runs in the background and a later turn takes its result, so that leases and alarms go on while the broker is away. The
        turn waits for the broker only when a unit is suspect. KafkaError: the broker did not answer within the request timeout.
        """
        if any(unit.suspect for unit in units):
            await self.halt()
            return await self._account(units, await self._ends(units))
        if self._query is None and mono >= self._next:
            self._next = mono + EVERY
            self._query = asyncio.create_task(self._ends(units))
        if self._query is None or not self._query.done():
            return []
        answered, self._query = self._query, None
        return await self._account(units, answered.result())

    async def halt(self) -> None:
        """Cancel the query for end offsets."""
        if self._query is not None:
            self._query.cancel()
            await asyncio.gather(self._query, return_exceptions=True)
            self._query = None

    async def _ends(self, units: Collection[Unit]) -> dict[TopicPartition, int]:
        """Query the end offsets of the own partitions of these units."""
        name = self._settings.topic(self._writes)
        partitions = [TopicPartition(name, unit.partition) for unit in units if unit.partition is not None]
        return dict(await self._book.end_offsets(partitions)) if partitions else {}

    async def _account(self, units: Collection[Unit], ends: Mapping[TopicPartition, int]) -> list[Taken]:
        """Read from behind the last own record of each unit to its end. ends: end offsets of the units that were ours at the query."""
        name = self._settings.topic(self._writes)
        own = {TopicPartition(name, unit.partition): unit for unit in units if unit.partition is not None}
        places = {tp: unit for tp, unit in own.items() if tp in ends}
        ranges = {tp: (start, ends[tp]) for tp, unit in places.items() if (start := self._start(unit)) < ends[tp]}
        try:
            records_of, read_to = await read(self._book, ranges, MOST)
        finally:
            if ranges:  # an empty account leaves the client as it was, which asks for the topics of each other one
                self._book.unsubscribe()
        for tp, unit in places.items():
            unit.explained = max(unit.explained, read_to.get(tp, 0))
            unit.suspect = tp in ranges and unit.explained < ranges[tp][1]
        return [Taken(places[tp], (self._writes, tp.partition), record) for tp, records in records_of.items() for record in records]

    def _start(self, unit: Unit) -> int:
        """Return the offset behind the last record of a unit whose writer is known."""
        assert unit.partition is not None
        return max(unit.positions.get((self._writes, unit.partition), (0, ""))[0], unit.explained)


async def read(
    book: AIOKafkaConsumer, ranges: Ranges, most: int | None = None
) -> tuple[dict[TopicPartition, list[ConsumerRecord]], dict[TopicPartition, int]]:
    """Return (the records of each range [start, stop), the offset up to which each was read). Transaction markers are skipped.

    The broker sends along what stands behind a range, which can be all that waits: of that no record is made.

    most: number of records after which reading ends early. TimeoutError: the broker is away.
    """
    records_of: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in ranges}
    read_to = {tp: start for tp, (start, _) in ranges.items()}
    left, room = set(ranges), math.inf if most is None else most
    if left:
        book.assign(list(left))
        for tp in left:
            book.seek(tp, ranges[tp][0])
    async with asyncio.timeout(LIMIT):
        while left and room > 0:
            found = await book.getmany(*left, timeout_ms=200, max_records=1)
            for tp in list(left):
                stop, records = ranges[tp][1], found.get(tp, [])
                if (wanted := min(stop - await book.position(tp), room - len(records))) > 0:
                    records += (await book.getmany(tp, timeout_ms=0, max_records=int(wanted))).get(tp, [])
                records_of[tp] += [r for r in records if r.offset < stop]
                room -= len(records)
                read_to[tp] = min(await book.position(tp), stop)
                if read_to[tp] == stop:
                    left.discard(tp)
                    book.pause(tp)
    return records_of, read_to


def strangers(own: list[Taken], secret: bytes) -> list[Opened]:
    """Return the records that the service did not write. own: records of its own topic. secret: its writer secret."""
    return open_all([t for t in own if not writer_mark.carries(secret, t.record.value, t.record.headers)], unread=False)


def disown(state: BatchState, foreign: list[Opened], intake: Erasers, writers: Writers, service: str) -> BatchState:
    """Log each foreign record. If its seal opens, readers accept it: then quarantine it, ask the case's desk and skip its sequence number.

    The next genuine record gets a higher number than the foreign one, so readers apply it and take it for no repeat and no fork.

    state: the batch before it is decoded; returned with the inputs for the desks and the quarantine entries.
    intake: those whom an erasure is believed.
    writers: the services' public keys. A record without the service's signature is believed by no reader: its number stays free.
    service: the service's name.
    """
    inputs, refused, read = list[Input](), list[Refused](), Seen()
    for count, item in enumerate(foreign):
        _, place, record = item.taken
        observe.FOREIGN.labels(service, place[0]).inc()
        if count < LINES:
            at = {"topic": place[0], "partition": place[1], "offset": record.offset}
            observe.log().error("foreign record", service=service, hint=f"{service} did not write it; find out who did", **at)
        if item.envelope is None or not opens(item.envelope, place[0], state.keys, intake, record.timestamp):
            continue  # readers refuse it without our help
        meta = item.envelope.meta
        refused.append(quarantine.record(item.taken, REASON, meta))
        if not writers.wrote(place[0], record.key, record.value or b"", record.headers, record.timestamp):
            continue
        inputs.append(_desk_input(item, meta.case_id, meta.case_seq))
        case = place[0], meta.case_id
        last = read.get(case) or state.seen.get(case, NONE)
        if last.seq < meta.case_seq <= last.seq + FAR:
            read[case] = last.after(meta.case_seq, fingerprint(record.value or b""), last.drill)
    return replace(
        state,
        seen=state.seen | read,
        read=state.read | read,
        inputs=(*state.inputs, *inputs),
        refused=(*state.refused, *refused),
    )


def _desk_input(item: Opened, case_id: str, seq: int) -> Input:
    """Return the input that asks the case's desk about a foreign record."""
    _, place, record = item.taken
    source = Source(topic=place[0], partition=place[1], offset=record.offset)
    return lost_input(case_id, RecordLost(topic=place[0], seq=seq, reason=REASON), source)


def opens(envelope: seal.Envelope, topic: str, keys: Mapping[str, bytes], intake: Erasers, at: int) -> bool:
    """Return whether readers accept this record: it opens, or is an erasure that intake and two persons signed. at: LogAppendTime, ms."""
    meta = envelope.meta
    try:
        data = seal.unseal(keys.get(meta.case_id), topic, envelope)
        return meta.type not in seal.UNSEALED or intake.genuine(meta.case_id, codec.decode(meta.type, meta.fingerprint, data), at)
    except Malformed:
        return False
