"""Fill empty topics from the log's tables, each record at the offset that it had: for a broker, or a whole site, that is lost.

The log has every record as it was, with its key, headers and time, except what readers drop anyway: repeats. Where one of those stood, the
record before it is written again, so that no offset ever means two records. What was published and the log had not read yet is still in
`outgoing`: the services publish it again behind, signed anew, and it gets its old offsets too, which decisions name. Whoever had read it
goes back, and drops it as a repeat. docs/decisions/0054 has the fate of each topic.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from msgspec import msgpack, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.events import CaseKey
from referral.errors import Malformed, Rejected
from referral.runtime.kafka import clients, replication, scan
from referral.runtime.kafka.publish import Sent, send
from referral.runtime.keys import key_topic
from referral.runtime.loop.outbox import Record
from referral.runtime.loop.units import Place, Position, digest, place, word
from referral.runtime.postgres import database
from referral.runtime.recovery.old_offsets import Filler, Kept, Old, settled, tail
from referral.runtime.recovery.recover import FENCE, WRITES
from referral.runtime.settings import LINE, Settings
from referral.wire import codec, leaf, topics

LOGGED = (*WRITES.values(), "referral-policy", "referral-quarantine", "oversight-feed")
"""Topics of which the log has every record. The keys are in a table; `ingress.<agency>` is nowhere else, and begins empty."""
TIME = "message.timestamp.type"
WRITERS, LOG = "CreateTime", "LogAppendTime"
"""The two values of TIME: the time that a record brings, and the broker's own."""
STOPPED_S = 15.0
"""Longest wait (ours) for services that are dead: they count as running for ten seconds."""
CHUNK, FLYING = 2000, 4
"""Rows that are fetched at once, and record batches that are under way at once (ours): some megabytes."""
KEYS_AT_ONCE = 1000
ALIVE = "SELECT '{s}' AS service, id FROM {s}.instance WHERE alive_until > clock_timestamp()"
ENTRIES = text(
    'SELECT leaf, key, value, headers FROM audit.entry WHERE topic = :topic AND partition = :partition AND "offset" >= 0'
    " AND kind <> 'GAP' ORDER BY \"offset\""
)
FORMS = text("SELECT case_id, reader, wrapped FROM keys.case_key")
KEPT = "SELECT partition, id, published, blob FROM {s}.outgoing ORDER BY partition, id"
AGAIN = "UPDATE {s}.outgoing SET published = NULL, records = :records, blob = :blob WHERE partition = :partition AND id = :id"
GONE = "DELETE FROM {s}.outgoing WHERE partition = :partition AND id = :id"
LEASES = "SELECT unit, positions::text AS positions FROM {s}.lease"
MOVE = "UPDATE {s}.lease SET positions = CAST(:positions AS jsonb) WHERE unit = :unit"
POLICY = text(
    "UPDATE routing.policy SET confirmed = NULL WHERE confirmed IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM audit.entry WHERE kind = 'POLICY' AND key = convert_to(number::text, 'UTF8'))"
)
RELEASES = text(
    "SELECT number FROM oversight.release WHERE published_at IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM audit.entry WHERE kind = 'FIGURE' AND key = convert_to('release/' || number, 'UTF8'))"
)
RELEASE = text("UPDATE oversight.release SET published_at = NULL WHERE number = ANY(CAST(:numbers AS int[]))")
Said = Callable[[str, int], None]
"""Is told a topic, and how many of its records are written."""


@dataclass(slots=True)
class Topic:
    """What came of one topic. ends: place → its end. digests: place → offset → digest of the record there, where a position needs it."""

    records: int = 0
    repeats: int = 0
    ends: dict[Place, int] = field(default_factory=dict)
    digests: dict[Place, dict[int, str]] = field(default_factory=dict)


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return these topics, or all that can be made again. Rejected: one cannot."""
    every = (*LOGGED, CaseKey.TOPIC)
    for name in names:
        if name not in every:
            raise Rejected("not-in-the-log", name, f"these can be made again: {', '.join(every)}")
    return tuple(names) or every


async def rebuild(settings: Settings, names: Sequence[str] = (), said: Said = lambda *_: None) -> dict[str, dict[str, int]]:
    """Fill these topics, by default all; they exist and are empty. Return for each what was written, and what is set back.

    Rejected: a topic is not empty, or a service runs. KafkaError: the broker went away; delete the topics that are begun, and repeat.
    """
    wanted = chosen(names)
    engine = database.admin(settings)
    try:
        await _empty(settings, wanted)
        await _still(engine)
        logged = [name for name in LOGGED if name in wanted]
        async with engine.connect() as tx:
            positions = [at for service in LINE for _, at in await _positions(tx, service)]
            read = {where: offset for _, at in await _positions(tx, "audit") for where, (offset, _) in at.items()}
            kept = {topic: await _kept(tx, service) for service, topic in WRITES.items() if topic in logged}
            for topic, blobs in kept.items():  # a repeat may stand before what the log has not read
                for partition, some in blobs.items():
                    read[topic, partition] = max(read.get((topic, partition), 0), some[0].start or 0)
            done = await _fill(tx, settings, logged, positions, read, said)
            keys = await _keys(tx, settings) if CaseKey.TOPIC in wanted else 0
        agencies = sorted({name for at in positions for name, _ in at if name.startswith(topics.INGRESS)})
        for name in agencies:
            await clients.create_ingress(settings, name.removeprefix(topics.INGRESS))
        ends = await scan.ends(settings, [*logged, *agencies])
        if wrong := [at for topic in done.values() for at, end in topic.ends.items() if ends.get(at) != end]:
            raise KafkaError(f"{wrong[0]} ends at {ends.get(wrong[0])}: somebody else writes there")
        async with engine.begin() as tx:
            back = await _settle(tx, done, kept, {at: end for at, end in ends.items() if at[0] in agencies})
    finally:
        await engine.dispose()
    found = {name: {"records": topic.records, "repeats": topic.repeats} for name, topic in done.items()}
    return found | ({CaseKey.TOPIC: {"records": keys}} if CaseKey.TOPIC in wanted else {}) | {"database": back}


async def _still(engine: AsyncEngine) -> None:
    """Wait until no service runs. Rejected: one does."""
    until = time.monotonic() + STOPPED_S
    while True:
        async with engine.connect() as tx:
            alive = (await tx.execute(text(" UNION ALL ".join(ALIVE.format(s=service) for service in LINE)))).all()
        if not alive:
            return
        if time.monotonic() > until:
            hint = "it would read a topic that is half filled: stop every instance, and repeat"
            raise Rejected("running", f"{alive[0].service} {alive[0].id}", hint)
        await asyncio.sleep(0.5)


async def _empty(settings: Settings, names: Iterable[str]) -> None:
    """Check that the topics exist and have no record. Rejected."""
    ends = await scan.ends(settings, names)
    for name in names:
        held = [end for (topic, _), end in ends.items() if topic == name]
        if not held:
            raise Rejected("missing", settings.topic(name), "`referral prepare` makes it")
        if any(held):
            hint = "it holds records, which would be there twice; if they count for nothing, delete it, run `referral prepare`, repeat"
            raise Rejected("not-empty", settings.topic(name), hint)


async def _positions(tx: AsyncConnection, service: str) -> list[tuple[str, dict[Place, Position]]]:
    """Return the positions of each unit of a service."""
    rows = await tx.execute(text(LEASES.format(s=service)))
    return [(row.unit, {place(at): (o, d) for at, (o, d) in json.loads(row.positions).items()}) for row in rows]


async def _kept(tx: AsyncConnection, service: str) -> dict[int, list[Kept]]:
    """Return partition → blobs that wait, or that the log may not have read."""
    decoder, found = msgpack.Decoder(list[Record]), dict[int, list[Kept]]()
    for row in await tx.execute(text(KEPT.format(s=service))):
        found.setdefault(row.partition, []).append(Kept(row.id, row.published, decoder.decode(row.blob)))
    return found


async def _fill(
    tx: AsyncConnection,
    settings: Settings,
    names: list[str],
    positions: list[dict[Place, Position]],
    until: Mapping[Place, int],
    said: Said,
) -> dict[str, Topic]:
    """Write the topics, with the times that their records had. Return what came of each. until: place → offset that is filled up to."""
    cards, done = clients.wanted(settings), dict[str, Topic]()
    wanted: dict[Place, set[int]] = {}
    for each in positions:
        for where, (offset, _) in each.items():
            wanted.setdefault(where, set()).add(offset - 1)
    admin = clients.admin(settings)
    await admin.start()
    try:
        for name in names:
            await _dated(admin, settings, name, cards[name], WRITERS)
            try:
                async with clients.producer(settings) as producer:
                    done[name] = topic = Topic()
                    for at in [(name, partition) for partition in range(cards[name].partitions)]:
                        writing = Writing(producer, settings.topic(name), at[1], wanted.get(at, set()))
                        await _partition(tx, writing, at, until.get(at, 0), topic)
                        said(name, topic.records)
            finally:
                await _dated(admin, settings, name, cards[name], LOG)
    finally:
        await admin.close()
    return done


async def _dated(admin: AIOKafkaAdminClient, settings: Settings, name: str, card: topics.Topic, value: str) -> None:
    """Let a topic's records keep the time that they bring, or get the broker's. All its other settings are those of its card."""
    brokers = len((await admin.describe_cluster())["brokers"])
    wanted = {**card.config, **replication.settings(brokers), TIME: value}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic(name), wanted)])
    until, dated = time.monotonic() + clients.APPEAR, structs.replace(card, config={**card.config, TIME: value})
    while problems := await clients.differences(admin, settings, {name: dated}):
        if time.monotonic() > until:
            raise problems[0]
        await asyncio.sleep(0.05)


async def _partition(tx: AsyncConnection, writing: Writing, at: Place, until: int, topic: Topic) -> None:
    """Write one partition, up to what the log has read of it."""
    filler = Filler()
    async for offset, record in _entries(tx, at):
        written = filler.take(offset, record)
        topic.records += 1
        topic.repeats += len(written) - 1
        for one in written:
            await writing.take(one)
    more = filler.until(until)
    topic.repeats += len(more)
    for one in more:
        await writing.take(one)
    await writing.finish()
    if filler.last is not None:
        writing.digests[filler.next - 1] = digest(filler.last.key, filler.last.value)
    topic.ends[at], topic.digests[at] = filler.next, writing.digests


async def _entries(tx: AsyncConnection, at: Place) -> AsyncIterator[tuple[int, Old]]:
    """Yield offset and record of each entry of a partition, in order. Malformed: a row is not what its leaf says."""
    headers = msgpack.Decoder(list[tuple[str, bytes]])
    async with tx.stream(ENTRIES, {"topic": at[0], "partition": at[1]}, execution_options={"yield_per": CHUNK}) as rows:
        async for row in rows:
            found = leaf.decode(row.leaf)
            if (found.topic, found.partition) != at:
                raise Malformed("entry", f"an entry of {word(at)} has the leaf of another place: `referral audit verify` names it")
            yield found.offset, Old(row.key, row.value or None, headers.decode(row.headers), found.kafka_time)


@dataclass(slots=True)
class Writing:
    """Write one partition from its beginning, some batches at a time. wanted: offsets whose digests are needed."""

    producer: AIOKafkaProducer
    name: str
    partition: int
    wanted: set[int]
    digests: dict[int, str] = field(default_factory=dict)
    _next: int = 0
    _first: int = 0
    _flying: list[tuple[int, asyncio.Future[Any]]] = field(default_factory=list)
    _batch: Any = field(init=False)

    def __post_init__(self) -> None:
        self._batch = self.producer.create_batch()

    async def take(self, record: Old) -> None:
        """Write the next record. KafkaError: the broker refused, or it did not get the offset that follows."""
        words = {"key": record.key, "value": record.value, "timestamp": record.at, "headers": record.headers}
        if self._batch.append(**words) is None:
            await self._send()
            self._batch.append(**words)
        if self._next in self.wanted:
            self.digests[self._next] = digest(record.key, record.value)
        self._next += 1

    async def finish(self) -> None:
        """Wait until the broker has all of it."""
        if self._next > self._first:
            await self._send()
        while self._flying:
            await self._landed()

    async def _send(self) -> None:
        self._batch.close()
        if len(self._flying) == FLYING:
            await self._landed()
        self._flying.append((self._first, await self.producer.send_batch(self._batch, self.name, partition=self.partition)))
        self._batch, self._first = self.producer.create_batch(), self._next

    async def _landed(self) -> None:
        first, future = self._flying.pop(0)
        got = (await future).offset
        if got != first:
            raise KafkaError(f"{self.name}[{self.partition}] gave a record offset {got}, not {first}: somebody else writes there")


async def _keys(tx: AsyncConnection, settings: Settings) -> int:
    """Publish the keys of every living case, wrapped for each reader. Return their number."""
    count = 0
    async with clients.producer(settings) as producer, tx.stream(FORMS) as rows:
        async for some in rows.partitions(KEYS_AT_ONCE):
            sent: list[Sent] = [(key_topic.name(row.case_id, row.reader), codec.encode(CaseKey(wrapped=row.wrapped)), []) for row in some]
            await send(producer, settings.topic(CaseKey.TOPIC), 0, sent)
            count += len(sent)
    return count


async def _settle(
    tx: AsyncConnection, done: Mapping[str, Topic], kept: Mapping[str, dict[int, list[Kept]]], ingress: Mapping[Place, int]
) -> dict[str, int]:
    """Bring the services' tables to the topics: positions, and what must be published again. Return the numbers, by name."""
    digests = {at: found for topic in done.values() for at, found in topic.digests.items()}
    ends = {at: end for topic in done.values() for at, end in topic.ends.items()} | dict(ingress)
    counts = {"positions set back": 0, "records to publish again": 0, "bundles to publish again": 0, "releases to publish again": 0}
    for service in LINE:
        await tx.execute(text(FENCE.format(s=service)))
        for partition, blobs in kept.get(WRITES.get(service, ""), {}).items():
            where = (WRITES[service], partition)
            again = tail(ends[where], digests[where].get(ends[where] - 1, ""), blobs)
            counts["records to publish again"] += sum(map(len, again.values()))
            await _put(tx, service, partition, again)
        for unit, before in await _positions(tx, service):
            after = {at: settled(position, ends[at], digests.get(at)) if at in ends else position for at, position in before.items()}
            if after != before:
                counts["positions set back"] += sum(after[at][0] != before[at][0] for at in before)
                moved = {word(at): list(position) for at, position in after.items()}
                await tx.execute(text(MOVE.format(s=service)), {"unit": unit, "positions": json.dumps(moved)})
    if "referral-policy" in done:
        counts["bundles to publish again"] = (await tx.execute(POLICY)).rowcount
    if "oversight-feed" in done:
        counts["releases to publish again"] = await _releases(tx)
    return counts


async def _put(tx: AsyncConnection, service: str, partition: int, again: Mapping[int, list[Record]]) -> None:
    """Let a service find what it has to publish again, as after a death; what is on the topic goes."""
    for id_, records in again.items():
        values: dict[str, object] = {"partition": partition, "id": id_}
        if records:
            values |= {"records": len(records), "blob": msgpack.encode(records)}
        await tx.execute(text((AGAIN if records else GONE).format(s=service)), values)


async def _releases(tx: AsyncConnection) -> int:
    """Mark the releases that the log lacks as not published. Return their number. The table's trigger refuses this to everybody else."""
    numbers = list((await tx.execute(RELEASES)).scalars())
    if numbers:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))
        await tx.execute(RELEASE, {"numbers": numbers})
        await tx.execute(text("SET LOCAL session_replication_role = origin"))
    return len(numbers)
