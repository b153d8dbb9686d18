"""Measure one system on one load: at full load, at a steady rate, and when it is killed in the middle and started again at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaProducer
from msgspec import structs

from bench import fill, plan, topic
from bench.ground import Ground
from bench.peers import quiet, system
from bench.peers.follower import Found, following
from bench.peers.system import Ours, System
from bench.rows import percentile
from bench.weight import cpu, peak, tree
from referral.local.stack import Stack
from referral.runtime import record_signing
from referral.runtime.kafka import clients
from referral.runtime.loop import outbox
from referral.runtime.loop.outbox import Blob
from referral.runtime.record_signing import Sign
from referral.wire import seal

KILL = 0.4  # share of the decisions after which a system is killed
TICK_S = 0.01  # seconds between two publications at a steady rate: the finest that one producer keeps at thousands a second
SETTLED = 12  # first records of a steady run that are not counted: one for each partition, at which connections and statements begin
Figures = dict[str, float]


@dataclass
class Load:
    """The records of one round. source: the peers' copy of them; ours reads the line's own topic."""

    at: Ground
    made: Stack
    planned: plan.Plan
    chest: dict[str, bytes]
    sealed: fill.Sealed
    now: int
    source: str
    folder: Path

    async def system(self, name: str, commit_s: float = system.COMMIT_S) -> System:
        """Return a system that has yet to decide this load."""
        if name in (system.OURS[0], system.TWICE):
            return Ours(self.made, 1 + (name == system.TWICE))
        return await system.peer(name, self.made, self.source, self.chest, self.now, self.folder, commit_s)

    @property
    def share(self) -> float:
        """Return the share of inputs among all events, in and out."""
        return len(self.sealed) / (len(self.sealed) + len(self.planned.types))

    @property
    def each(self) -> float:
        """Return the events, in and out, of one output."""
        return 1 + len(self.sealed) / len(self.planned.types)


async def load(at: Ground, made: Stack, cases: int, seed: int, folder: Path, length: int = plan.LENGTH) -> Load:
    """Make records, and an empty topic for the peers' copy."""
    now = time.time_ns() // 1000
    planned = await asyncio.to_thread(plan.plan, plan.policy(made.settings.policy), cases, now, seed, length)
    chest = await fill.case_keys(made, planned.cases)
    sealed = await asyncio.to_thread(fill.seal, planned, chest, now)
    source = f"{made.config.prefix}peers-{seed}"
    await system.create(made.settings, source)
    return Load(at, made, planned, chest, sealed, now, source, folder)


async def publish(of: Load) -> None:
    """Publish the whole load, for the peers and for ours."""
    await fill.produce(of.made, of.sealed)
    await fill.produce(of.made, _text(of.sealed), of.made.settings.plain(of.source), record_signing.unsigned)


def _text(sealed: fill.Sealed) -> fill.Sealed:
    """Return records with those headers alone that every peer can read."""
    return [(p, structs.replace(r, headers=[(name, value) for name, value in r.headers if value.isascii()])) for p, r in sealed]


async def full(of: Load, one: System, warm: float = topic.WARM) -> Figures:
    """Let a system decide the load, which is there before it starts. AssertionError: other events than foreseen.

    warm: share of the run that is not counted.
    """
    expected = len(of.planned.types)
    async with following(of.made.settings, one.sink) as follower:
        await one.begin()
        try:
            await follower.until(int(expected * warm))
            before, at, began = spent(of, one), await follower.grown(), quiet.spent()
            await follower.until(expected)
            done, end, over = spent(of, one), await follower.grown(), quiet.spent()
            found, most = await follower.complete(set(of.planned.types)), sum(map(peak, one.pids))
        finally:
            await one.end()
    check(of, found)
    # Transactions leave marks among the records: events are counted by the share of the topic that was written meanwhile.
    events = max(1, end - at) / max(end, len(found.records)) * len(found.records) * of.each
    used = {key: (after - before[key]) / events * 1e6 for key, after in done.items()}
    return {"pace": topic.pace(found.records, len(of.sealed), warm), **used, "memory": most, "others": over.others(began)}


async def crash(of: Load, name: str) -> Figures:
    """Kill a system in the middle of the load and start it again at once. Seconds from the kill; missing, wrong: events in the end."""
    one = await of.system(name)
    async with following(of.made.settings, one.sink) as follower:
        await one.begin()
        try:
            await follower.until(int(len(of.planned.types) * KILL))
            killed = time.time() * 1000
            await one.again()
            found = await follower.complete(set(of.planned.types))
        finally:
            await one.end()
    first = min((r.at for r in found.records if r.at > killed + 100), default=found.grown)  # what was sent before arrives within that
    counts = Counter(seal.open(r.value).meta.event_id for r in found.records)
    return {
        "first": (first - killed) / 1000,
        "all": (found.grown - killed) / 1000,
        "repeats": float(counts.total() - len(counts)),
        "missing": float(found.missing),
        "wrong": float(_wrong(of, found)),
    }


async def steady(of: Load, name: str, rate: float) -> Figures:
    """Send single records at so many a second to a running system: milliseconds until a reader of what is committed has all decisions."""
    one = await of.system(name, commit_s=0.1)
    source = of.made.settings.topic(fill.TOPIC) if isinstance(one, Ours) else of.source
    since = await topic.ends(of.made.settings, source)
    async with following(of.made.settings, one.sink) as follower:
        await one.begin()
        try:
            ours = isinstance(one, Ours)
            sign = fill.signer(of.made, fill.TOPIC) if ours else record_signing.unsigned
            sealed = of.sealed if ours else _text(of.sealed)
            async with clients.producer(of.made.settings) as producer:
                first, rest = sealed[:SETTLED], sealed[SETTLED:]
                await _send(producer, source, first, rate, sign)
                await follower.answered(_ids(first))  # now the system is there
                await one.settled()
                reading = asyncio.create_task(follower.arrivals(len(of.planned.types)))
                await _send(producer, source, rest, rate, sign)
                came = await reading
        finally:
            await one.end()
    arrived = {seal.open(value).meta.cause_id: at for at, value in came}  # the last record of each
    sent, counted = await topic.read(of.made.settings, source, since), _ids(rest)
    waited = [arrived[id] - r.at for r in sorted(sent, key=lambda r: r.at) if (id := seal.open(r.value).meta.event_id) in counted]
    return {"p50": percentile(waited, 0.5), "p99": percentile(waited, 0.99)}


def _ids(sealed: fill.Sealed) -> set[str]:
    """Return the ids of the events in these records."""
    return {seal.open(record.value).meta.event_id for _, record in sealed}


async def _send(producer: AIOKafkaProducer, source: str, sealed: fill.Sealed, rate: float, sign: Sign) -> None:
    """Publish records when they are due."""
    start, done = time.monotonic(), 0
    while done < len(sealed):
        due = min(len(sealed), int((time.monotonic() - start) * rate) + 1)
        parted: dict[int, list[outbox.Record]] = {}
        for partition, record in sealed[done:due]:
            parted.setdefault(partition, []).append(record)
        if parted:
            await outbox.publish(producer, source, [Blob(p, 0, some) for p, some in parted.items()], sign)
        done = due
        await asyncio.sleep(max(TICK_S, start + done / rate - time.monotonic()) if done < len(sealed) else 0)


def spent(of: Load, one: System) -> Figures:
    """Return the processor seconds of the system, the broker and PostgreSQL."""
    return {"process": sum(map(cpu, one.pids)), "broker": cpu(of.at.broker), "postgres": tree(of.at.base)}


def check(of: Load, found: Found) -> None:
    """AssertionError: what was written is not what was foreseen, or not in the order of its case."""
    assert not found.missing, f"{found.missing} of {len(of.planned.types)} events are missing"
    assert not _wrong(of, found), f"{_wrong(of, found)} of {len(of.planned.types)} events are not those foreseen, or out of order"


def _wrong(of: Load, found: Found) -> int:
    """Return the number of events that were not foreseen, of another type, or out of the order of their case."""
    written, last, wrong = set[str](), dict[str, int](), 0
    for record in found.records:
        meta = seal.open(record.value).meta
        if meta.event_id not in written:
            wrong += of.planned.types.get(meta.event_id) != meta.type or meta.case_seq != last.get(meta.case_id, 0) + 1
            written.add(meta.event_id)
            last[meta.case_id] = meta.case_seq
    return wrong
