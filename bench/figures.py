"""Measure oversight's start: its speed on an existing log, its memory, and the delay until a new event is counted."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from itertools import cycle, islice
from typing import NamedTuple

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import fill
from bench.ground import Ground, say, until
from bench.plan import policy
from bench.rows import Row, percentile
from referral.analysis.simulation.caseload import worlds
from referral.analysis.simulation.world import World
from referral.domain.events import Meta
from referral.domain.inputs import derived
from referral.local.stack import Stack
from referral.runtime.kafka import clients
from referral.runtime.loop import outbox
from referral.runtime.loop.outbox import Blob, Record
from referral.wire import codec, headers, seal, topics
from tests.harness import callers

SIZES = (100_000, 1_000_000)
TEMPLATES = 100
"""Cases that are made up; all others repeat them under other ids and keys."""
FAMILY = "5d1f0e66-2c1b-4f6e-9f38-0c2b8a3d7e10"
"""Any fixed id: the ids of the cases are derived from it."""
ONES = 40
"""Events whose delay is measured one by one."""
AT_ONCE = 20_000
"""Records that are sealed before they are sent: a hundred megabytes at most."""
TOPICS = ("referral-intake", "referral-routing")
READ = re.compile(r"^referral_oversight_records_total\{.*\} ([0-9.e+-]+)$", re.MULTILINE)
MEMORY = re.compile(r"^process_resident_memory_bytes ([0-9.e+-]+)$", re.MULTILINE)


class Said(NamedTuple):
    """One event of a made-up case, encoded: the same for every case that repeats it."""

    topic: str
    seq: int
    type: str
    body: bytes


def templates(made: Stack) -> list[list[Said]]:
    """Return the events of one year's cases on their topics, case by case."""
    rules = policy(made.settings.policy)
    world, cases = World(next(iter(worlds(rules, TEMPLATES, 1, 2027))), rules), dict[str, list[Said]]()
    seqs: dict[tuple[str, str], int] = {}
    while world.next_at is not None:
        done = world.step()
        for body in () if done is None else (done.body, *done.events):
            topic = getattr(type(body), "TOPIC", "")
            if topic in TOPICS and (body in done.events or topic == TOPICS[0]):  # type: ignore[union-attr]
                id = done.live.id  # type: ignore[union-attr]
                seqs[id, topic] = seq = seqs.get((id, topic), 0) + 1
                cases.setdefault(id, []).append(Said(topic, seq, type(body).TYPE, codec.encode(body)))  # type: ignore[attr-defined]
    return list(cases.values())


def records(cases: list[list[Said]], chest: dict[str, bytes], now: int) -> Iterator[tuple[str, int, Record]]:
    """Yield topic, partition and record of every event, sealed under a case of its own.

    The month is open, so that nothing is released meanwhile.
    """
    for (case_id, key), told in zip(chest.items(), cycle(cases), strict=False):
        for said in told:
            meta = Meta(
                event_id=derived(case_id, f"{said.topic}{said.seq}"),
                case_id=case_id,
                case_seq=said.seq,
                type=said.type,
                fingerprint=codec.fingerprint(said.type),
                cause_id=case_id,
                recorded_at=now,
                source="bench",
                drill=False,
            )
            value = seal.seal(key, said.topic, meta, said.body, os.urandom(seal.NONCE))
            yield said.topic, topics.partition(case_id), Record(case_id.encode(), value, headers.of(meta))


async def put(made: Stack, wanted: Iterator[tuple[str, int, Record]]) -> int:
    """Publish the records to their topics. Return their number."""
    count = 0
    async with clients.producer(made.settings) as producer:
        while some := list(islice(wanted, AT_ONCE)):
            count += len(some)
            for topic in TOPICS:
                parted: dict[int, list[Record]] = {}
                for _, partition, record in (one for one in some if one[0] == topic):
                    parted.setdefault(partition, []).append(record)
                for start in range(0, max(map(len, parted.values()), default=0), fill.CHUNK):
                    blobs = [Blob(p, 0, chunk) for p, all_ in parted.items() if (chunk := all_[start : start + fill.CHUNK])]
                    await outbox.publish(producer, made.settings.topic(topic), blobs, fill.signer(made, topic))
    return count


def _metric(made: Stack, wanted: re.Pattern[str]) -> float:
    try:
        return sum(float(value) for value in wanted.findall(callers.metrics(made, "oversight")))
    except httpx.HTTPError:
        return 0.0


async def caught_up(made: Stack, count: int, every: float = 0.2) -> float:
    """Return the seconds from oversight's first record until it has read so many. AssertionError: it has not within PATIENCE_S."""
    began = 0.0

    async def done() -> bool:
        nonlocal began
        read = await asyncio.to_thread(_metric, made, READ)
        began = began or (time.perf_counter() if read else 0.0)
        return read >= count

    await until(done, every)
    return time.perf_counter() - began


async def bare(made: Stack, chest: dict[str, bytes], count: int) -> float:
    """Return the seconds of a bare loop that consumes, opens and decodes the same records."""

    async def loop() -> float:
        began, done = 0.0, 0
        async with AIOKafkaConsumer(**clients.reached(made.settings), enable_auto_commit=False) as consumer:
            places = [TopicPartition(made.settings.topic(topic), n) for topic in TOPICS for n in range(topics.PARTITIONS)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            while done < count:
                for place, found in (await consumer.getmany(timeout_ms=500, max_records=1000)).items():
                    began = began or time.perf_counter()
                    topic = made.settings.plain(place.topic)
                    for record in found:
                        envelope = seal.open(record.value)
                        meta = envelope.meta
                        codec.decode(meta.type, meta.fingerprint, seal.unseal(chest.get(meta.case_id), topic, envelope))
                        done += 1
        return time.perf_counter() - began

    return await asyncio.to_thread(lambda: asyncio.run(loop()))


async def delays(made: Stack, wanted: Iterator[tuple[str, int, Record]], count: int) -> list[float]:
    """Return the seconds from the sending of an event until it is counted, one after another."""
    seconds = []
    async with clients.producer(made.settings) as producer:
        for topic, partition, record in islice(wanted, ONES):
            began, count = time.perf_counter(), count + 1
            await outbox.publish(producer, made.settings.topic(topic), [Blob(partition, 0, [record])], fill.signer(made, topic))
            await caught_up(made, count, 0.01)
            seconds.append(time.perf_counter() - began)
    return seconds


async def figures(at: Ground) -> AsyncIterator[Row]:
    """Measure each size on a line of its own: read everything, beside the bare loop; then one event after another."""
    for size in SIZES:
        async with at.line("oversight") as made:
            process, cases = made["oversight-1"], await asyncio.to_thread(templates, made)
            each = sum(map(len, cases)) / len(cases)
            chest = await fill.case_keys(made, [derived(FAMILY, str(n)) for n in range(int(size / each) + 1)])
            await process.stop()
            count = await put(made, records(cases, chest, time.time_ns() // 1000))
            say(f"oversight reads {count:,} events of {len(chest):,} cases")
            await process.start()
            ours = await caught_up(made, count)
            memory = await asyncio.to_thread(_metric, made, MEMORY)
            say("the bare loop does the same")
            theirs = await bare(made, chest, count)
            more = await fill.case_keys(made, [derived(FAMILY, f"more {n}") for n in range(ONES)])
            late = await delays(made, records(cases, more, time.time_ns() // 1000), count)
        against = "bare aiokafka loop that opens and decodes them"
        yield Row(
            name=f"oversight, catching up with {count:,} events", value=count / ours, unit="1/s", reference=count / theirs, against=against
        )
        yield Row(name=f"oversight, memory with {count:,} events", value=memory / 2**20, unit="MiB")
        for share in (0.5, 0.9):
            name = f"oversight, from an event to its place, p{share * 100:.0f}, after {count:,} events"
            yield Row(name=name, value=percentile(late, share) * 1000, unit="ms")
