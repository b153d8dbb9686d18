"""Measure at a steady rate: the delay of decisions, the delay of escalations, and the time of a take-over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from bench import alarms, fill, topic
from bench.fill import Sealed
from bench.ground import Ground, admin, say, until
from bench.routing import OUT, reached
from bench.rows import Row, at_most, percentile
from bench.weight import cpu
from referral.local.stack import Stack
from referral.runtime.kafka import clients
from referral.runtime.loop import outbox
from referral.runtime.loop.outbox import Blob
from referral.wire import seal

RATE = 50
CASES = 1000
UNITS = 12
SHARE = (
    "SELECT count(*) = $1 FROM"
    " (SELECT owner FROM routing.lease WHERE lease_until > clock_timestamp() GROUP BY owner HAVING count(*) = $2) AS o"
)


async def trickle(made: Stack, sealed: Sealed, rate: int) -> None:
    """Publish one record at a time, at this rate per second, signed by intake."""
    name, sign = made.settings.topic(fill.TOPIC), fill.signer(made, fill.TOPIC)
    async with clients.producer(made.settings) as producer:
        start = time.monotonic()
        for number, (partition, record) in enumerate(sealed):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            await outbox.publish(producer, name, [Blob(partition, 0, [record])], sign)


def delays(inputs: list[topic.Read], outs: list[topic.Read]) -> list[float]:
    """Return the milliseconds from the broker's stamp of a record to that of the last decision that it caused."""
    done = {cause: max(r.at for r in records) for cause, records in topic.causes(outs).items()}
    return [float(done[seal.open(record.value).meta.event_id] - record.at) for record in inputs]


async def latency(at: Ground) -> AsyncIterator[Row]:
    """Send referrals at 50 a second to routing; then advance the clock, so that every one of them is escalated in turn."""
    async with at.line("routing") as made, admin(made) as connection:
        sealed, chest = await fill.prepare(made, CASES, 31)
        say(f"{CASES} referrals at {RATE} a second")
        before = cpu(made["routing-1"].pid)
        await trickle(made, sealed, RATE)
        await until(lambda: reached(connection, CASES))
        used = (cpu(made["routing-1"].pid) - before) / CASES * 1000
        inputs = await topic.read(made.settings, made.settings.topic(fill.TOPIC))
        waited = delays(inputs, await topic.read(made.settings, made.settings.topic(OUT)))
        yield Row(name="routing, record in to decisions out, p50", value=percentile(waited, 0.5), unit="ms")
        yield at_most("routing, record in to decisions out, p99", percentile(waited, 0.99), "ms", 25)
        yield Row(name="  CPU of routing for one record", value=used, unit="ms")
        async for row in alarms.late(made, chest):
            yield row


async def takeover(at: Ground) -> AsyncIterator[Row]:
    """Kill one of two instances, and an instance alone that is started again, while referrals come in for every partition."""
    async with at.line("routing", instances=2) as made, admin(made) as connection:
        await until(lambda: connection.fetchval(SHARE, 2, UNITS // 2))
        say("killing one of two instances")
        seconds = await _outage(made, 32, made["routing-2"].hold)
        yield at_most("one of two instances is killed: longest wait for a decision", seconds, "s", 8)
    async with at.line("routing") as made, admin(made) as connection:
        await until(lambda: connection.fetchval(SHARE, 1, UNITS))

        async def again() -> None:
            await made["routing-1"].hold()
            await made["routing-1"].release()

        say("killing the only instance, and starting it again")
        yield at_most("the only instance is killed and starts again: longest wait for a decision", await _outage(made, 33, again), "s", 5)


async def _outage(made: Stack, seed: int, kill: Callable[[], Awaitable[None]]) -> float:
    """Return the longest wait for a decision, seconds, of the records that came after a kill under load."""
    sealed, _ = await fill.prepare(made, 600, seed)
    async with admin(made) as connection:
        producing = asyncio.create_task(trickle(made, sealed, RATE))
        await asyncio.sleep(1)
        killed = time.time() * 1000
        await kill()
        await producing
        await until(lambda: reached(connection, len(sealed)))
    inputs = await topic.read(made.settings, made.settings.topic(fill.TOPIC))
    done = topic.causes(await topic.read(made.settings, made.settings.topic(OUT)))
    return max(max(r.at for r in done[seal.open(i.value).meta.event_id]) - i.at for i in inputs if i.at >= killed) / 1000
