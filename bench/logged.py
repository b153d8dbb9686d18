"""Measure the log: records per second into entries under a signed checkpoint, and the delay until a record is signed and cosigned."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator

import httpx

from bench import topic
from bench.ground import Ground, admin, say, until
from bench.rows import Row, at_least, at_most, percentile
from bench.weight import cpu
from referral.domain.events import Meta, RungFailed
from referral.local.stack import Stack
from referral.runtime.kafka import clients
from referral.tlog import checkpoint, note
from referral.wire import codec, headers, seal, topics
from tests.harness import callers

RECORDS, EACH = 40_000, 20
"""Records for the catch-up; records of a case."""
RATE, SECONDS = 1_000, 15
BODY = 400
"""Bytes of a body: with meta and seal some 660, as routing's records have."""
WITNESSES = 3
TOPIC = RungFailed.TOPIC
SIGNED = "SELECT size, at FROM audit.checkpoint ORDER BY size"
STAMPS = "SELECT idx FROM audit.entry WHERE topic = $1"


def records(count: int) -> list[tuple[int, bytes, bytes, list[tuple[str, bytes]]]]:
    """Return (partition, key, value, headers): sealed records of many cases, each case with its dense sequence."""
    made = []
    for number in range(count):
        case_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"log {count} {number // EACH}"))
        meta = Meta(
            event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"event {count} {number}")),
            case_id=case_id,
            case_seq=number % EACH + 1,
            type=RungFailed.TYPE,
            fingerprint=codec.fingerprint(RungFailed.TYPE),
            cause_id=case_id,
            recorded_at=1_800_000_000_000_000,
            source="notifier",
            drill=True,
        )
        value = seal.seal(bytes(32), TOPIC, meta, os.urandom(BODY), os.urandom(12))
        made.append((topics.partition(case_id), case_id.encode(), value, headers.of(meta)))
    return made


async def produce(made: Stack, count: int, rate: float = 0.0) -> None:
    """Publish all records at once, or at a rate per second."""
    ready = records(count)
    async with clients.producer(made.settings) as producer:
        start, sent = time.monotonic(), []
        for number, (partition, key, value, told) in enumerate(ready):
            if rate and number % 10 == 0:
                await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            sent.append(await producer.send(made.settings.topic(TOPIC), value, key=key, partition=partition, headers=told))
        await asyncio.gather(*sent)


async def logged(at: Ground) -> AsyncIterator[Row]:
    """Measure the catch-up with an existing topic, then a steady stream, with three witnesses as processes of their own."""
    async with at.line("audit", witnesses=WITNESSES) as made, admin(made) as connection:
        before = await connection.fetchval("SELECT size FROM audit.head")
        audit = made["audit-1"]
        await audit.stop()
        say(f"{RECORDS} records wait")
        await produce(made, RECORDS)
        await audit.start()
        size = before + RECORDS
        used = cpu(audit.pid)
        await until(lambda: connection.fetchval("SELECT EXISTS (SELECT FROM audit.checkpoint WHERE size >= $1)", size))
        used = (cpu(audit.pid) - used) / RECORDS * 1e6
        rows = [(row["size"], row["at"]) for row in await connection.fetch(SIGNED) if row["size"] > before]
        first = next(row for row in rows if row[0] > before + RECORDS * topic.WARM)
        pace = (rows[-1][0] - first[0]) / ((rows[-1][1] - first[1]) / 1e6)
        yield at_least("log: Kafka to signed checkpoint, durable", pace, "records/s", 5_000)
        yield Row(name="  CPU of audit for one record", value=used, unit="us")
        async for row in steady(made, connection, size):
            yield row


async def steady(made: Stack, connection, size: int) -> AsyncIterator[Row]:  # type: ignore[no-untyped-def]
    """Measure from the broker's stamp of a record to the first checkpoint over it, signed and published."""
    seen: list[tuple[int, float]] = []
    say(f"{RATE} records a second for {SECONDS} s")
    watching = asyncio.create_task(watch(made, seen))
    total = RATE * SECONDS
    await produce(made, total, RATE)
    await until(lambda: connection.fetchval("SELECT max(size) >= $1 FROM audit.checkpoint WHERE cosigned IS NOT NULL", size + total))
    await asyncio.sleep(0.2)
    watching.cancel()
    offset = await connection.fetchval("SELECT offset_us FROM runtime.clock")
    stamps = await stamped(made, connection, size)
    signed = [(row["size"], (row["at"] - offset) / 1000) for row in await connection.fetch(SIGNED)]
    for name, heads, bound in (("signed", signed, 1_000), ("published with a quorum", seen, 5_000)):
        waited = waits(stamps, heads)
        yield Row(name=f"log at {RATE}/s: record to {name}, p50", value=percentile(waited, 0.5), unit="ms")
        yield at_most(f"log at {RATE}/s: record to {name}, p99", percentile(waited, 0.99), "ms", bound)


async def stamped(made: Stack, connection, size: int) -> list[tuple[int, int]]:  # type: ignore[no-untyped-def]
    """Return (index, the broker's stamp in ms) of the entries from `size` on."""
    records_read = await topic.read(made.settings, made.settings.topic(TOPIC))
    at = {(record.partition, record.offset): record.at for record in records_read}
    rows = await connection.fetch('SELECT idx, partition, "offset" FROM audit.entry WHERE idx >= $1 AND topic = $2', size, TOPIC)
    return sorted((row["idx"], at[row["partition"], row["offset"]]) for row in rows)


def waits(stamps: list[tuple[int, int]], heads: list[tuple[int, float]]) -> list[float]:
    """Return the milliseconds from each stamp to the first head that covers it."""
    waited, place = [], 0
    ordered = sorted(heads)
    for index, at in stamps:
        while ordered[place][0] <= index:
            place += 1
        waited.append(ordered[place][1] - at)
    return waited


async def watch(made: Stack, seen: list[tuple[int, float]]) -> None:
    """Record the published checkpoints, as anybody sees them."""
    async with httpx.AsyncClient(base_url=made.addresses.audit, verify=callers.browser(made)) as client:
        while True:
            answer = await client.get("/checkpoint")
            if answer.status_code == 200:
                published = checkpoint.parse(note.parse(answer.content).text)
                if not seen or seen[-1][0] != published.size:
                    seen.append((published.size, time.time() * 1000))
            await asyncio.sleep(0.01)
