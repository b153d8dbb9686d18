"""Measure the routing of one checkout again and again, as `bench.pairs` asks: one line of words on stdin, one of JSON on stdout.

`bench.pairs` runs this file with another checkout on the path, so it may import only what that checkout has too.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from bench import fill, ground, latency, plan, routing, topic
from bench.rows import percentile
from bench.weight import cpu
from referral.local import certificates
from referral.local.kafka import Kafka
from referral.local.postgres import Postgres
from referral.local.stack import Stack
from referral.wire import seal

LOOK_S = 0.1  # seconds between two looks at how far routing has come: a look costs what is measured
Figures = dict[str, float]


class Spent(NamedTuple):
    """Processor seconds so far. inputs: inputs decided so far."""

    inputs: int
    process: float
    postgres: float
    broker: float


class Servers(NamedTuple):
    """Processes of both servers: of PostgreSQL the first one, whose children serve the connections."""

    postgres: int
    broker: int


def family(parent: int) -> float:
    """Return the processor seconds of a process and its children, those that have ended too."""
    tick, total = os.sysconf("SC_CLK_TCK"), 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(stat.parent.name) == parent:
            total += sum(map(int, words[11:15]))
        elif int(words[1]) == parent:
            total += sum(map(int, words[11:13]))
    return total / tick


async def spent(made: Stack, servers: Servers, connection: asyncpg.Connection[Any]) -> Spent:
    """Return what the line has spent until now."""
    inputs = int(await connection.fetchval(routing.READ))
    return Spent(inputs, cpu(made["routing-1"].pid), family(servers.postgres), cpu(servers.broker))


async def full(made: Stack, servers: Servers, cases: int, seed: int, _: int) -> Figures:
    """Let routing decide a log that is there before it starts. Microseconds of processor time per event, without the first tenth.

    AssertionError: its decisions differ from the plan.
    """
    now = time.time_ns() // 1000
    planned = await asyncio.to_thread(plan.plan, plan.policy(made.settings.policy), cases, now, seed)
    chest = await fill.case_keys(made, planned.cases)
    sealed = await asyncio.to_thread(fill.seal, planned, chest, now)
    process = made["routing-1"]
    await process.stop()
    since = await topic.ends(made.settings, made.settings.topic(routing.OUT))
    async with ground.admin(made) as connection:
        begin = int(await connection.fetchval(routing.READ))
        await fill.produce(made, sealed)
        await process.start()
        await ground.until(lambda: routing.reached(connection, begin + int(len(sealed) * topic.WARM)), LOOK_S)
        warm = await spent(made, servers, connection)
        await ground.until(lambda: routing.reached(connection, begin + len(sealed)), LOOK_S)
        done = await spent(made, servers, connection)
    await process.stop()
    outs = await topic.read(made.settings, made.settings.topic(routing.OUT), since)
    assert {meta.event_id: meta.type for meta in (seal.open(r.value).meta for r in outs)} == planned.types, "other decisions than foreseen"
    events = (done.inputs - warm.inputs) * (1 + len(outs) / len(sealed))
    used = {name: (getattr(done, name) - getattr(warm, name)) / events * 1e6 for name in ("process", "postgres", "broker")}
    return {"pace": topic.pace(outs, len(sealed)), **used}


async def steady(made: Stack, servers: Servers, cases: int, seed: int, rate: int) -> Figures:
    """Send first referrals at so many a second. Milliseconds until decided, and of processor time for each."""
    process = made["routing-1"]
    await process.start()
    sealed, _ = await fill.prepare(made, cases, seed)
    begun, since = await topic.ends(made.settings, made.settings.topic(fill.TOPIC)), time.monotonic()
    outs = await topic.ends(made.settings, made.settings.topic(routing.OUT))
    async with ground.admin(made) as connection:
        before = await spent(made, servers, connection)
        await latency.trickle(made, sealed, rate)
        await ground.until(lambda: routing.reached(connection, before.inputs + len(sealed)), LOOK_S)
        after = await spent(made, servers, connection)
    assert time.monotonic() - since < 2 * cases / rate, "the line did not keep pace"
    inputs = await topic.read(made.settings, made.settings.topic(fill.TOPIC), begun)
    waited = latency.delays(inputs, await topic.read(made.settings, made.settings.topic(routing.OUT), outs))
    await process.stop()
    used = {name: (getattr(after, name) - getattr(before, name)) / len(sealed) * 1000 for name in ("process", "postgres", "broker")}
    return {"p50": percentile(waited, 0.5), "p99": percentile(waited, 0.99), **used}


async def main() -> None:
    """Hold one line on servers of its own (lines of one database server share their roles), and answer until stdin ends."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made_here:
        folder = Path(made_here)
        certificates.ensure(folder / "ca", folder / "identities")
        broker, base = Kafka(folder / "kafka", folder / "identities" / certificates.KAFKA), Postgres(folder / "postgres")
        try:
            kafka, postgres = await asyncio.gather(asyncio.to_thread(broker.start), asyncio.to_thread(base.start))
            assert broker.child and base.child
            servers = Servers(base.child.pid, broker.child.pid)
            async with ground.Ground(kafka, postgres, folder).line("routing") as line:
                await line["routing-1"].stop()
                say({})
                while words := (await asyncio.to_thread(sys.stdin.readline)).split():
                    what, *numbers = words  # cases, seed, rate
                    say(await {"full": full, "steady": steady}[what](line, servers, *map(int, numbers)))
        finally:
            await asyncio.gather(asyncio.to_thread(broker.stop), asyncio.to_thread(base.stop))


def say(figures: Figures) -> None:
    sys.stdout.write("FIGURES " + json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
