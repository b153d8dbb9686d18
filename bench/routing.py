"""Measure routing at full load (real process, real decisions, sealed records), beside a bare loop with the same records in the same run."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench import fill, stages, topic
from bench.bare import Said, bare
from bench.ground import Ground, admin, say, until
from bench.plan import Plan, plan, policy
from bench.rows import Row
from referral.local.stack import Stack
from referral.wire import seal
from tests.harness import callers

OUT = "referral-routing"
CASES = 2000
CROWDS = (10_000, 100_000, 1_000_000)
CROWD_CASES = 700  # cases of each measurement beside a crowd
READ = "SELECT coalesce(sum((value ->> 0)::bigint), 0) FROM routing.lease, jsonb_each(positions) WHERE key LIKE 'referral-intake/%'"


@dataclass
class Run:
    """One measured run. outs: the published records. seconds: by stage, from the metrics of the process. cpu: seconds of the process."""

    plan: Plan
    outs: list[topic.Read]
    seconds: dict[str, float]
    cpu: float

    @property
    def pace(self) -> float:
        """Return the events in and out per second."""
        return topic.pace(self.outs, len(self.plan.inputs))

    @property
    def events(self) -> int:
        """Return the number of inputs and outputs."""
        return len(self.outs) + len(self.plan.inputs)


async def run(made: Stack, cases: int, seed: int) -> Run:
    """Let routing decide a log that exists before it starts. AssertionError: its decisions differ from the plan."""
    now = time.time_ns() // 1000
    planned = await asyncio.to_thread(plan, policy(made.settings.policy), cases, now, seed)
    chest = await fill.case_keys(made, planned.cases)
    sealed = await asyncio.to_thread(fill.seal, planned, chest, now)
    process = made["routing-1"]
    await process.stop()
    since = await topic.ends(made.settings, made.settings.topic(OUT))
    async with admin(made) as connection:
        target = int(await connection.fetchval(READ)) + len(sealed)
        await fill.produce(made, sealed)
        say(f"routing decides {len(sealed)} inputs of {cases} cases")
        await process.start()
        await until(lambda: reached(connection, target))
    seconds, cpu = await asyncio.to_thread(_metrics, made)
    outs = await topic.read(made.settings, made.settings.topic(OUT), since)
    decided = {meta.event_id: meta.type for meta in (seal.open(record.value).meta for record in outs)}
    assert decided == planned.types, (
        f"{len(decided.items() ^ planned.types.items())} of {len(planned.types)} decisions are not those foreseen"
    )
    return Run(planned, outs, seconds, cpu)


async def reached(connection: asyncpg.Connection[Any], target: int) -> bool:
    """Return whether so many records of referral-intake are decided and published."""
    return bool(await connection.fetchval(READ) >= target)


def _metrics(made: Stack) -> tuple[dict[str, float], float]:
    text = callers.metrics(made, "routing")
    stages_found = re.findall(r'^referral_batch_seconds_sum\{.*stage="(\w+)"\} ([0-9.e+-]+)$', text, re.MULTILINE)
    cpu = re.search(r"^process_cpu_seconds_total ([0-9.e+-]+)$", text, re.MULTILINE)
    return {stage: float(value) for stage, value in stages_found}, float(cpu.group(1)) if cpu else 0.0


async def said(made: Stack, done: Run) -> Said:
    """Return the real outputs of a run, by the position of the input that caused them: the bare loop produces these."""
    source = await topic.read(made.settings, made.settings.topic(fill.TOPIC))
    wanted = {cause.id for _, cause, _ in done.plan.asked}
    by_cause = topic.causes(done.outs)
    out: dict[tuple[int, int], list[tuple[int, bytes, bytes, list[tuple[str, bytes]]]]] = {}
    for record in source:
        event_id = seal.open(record.value).meta.event_id
        if event_id in wanted:
            out[record.partition, record.offset] = [(o.partition, o.key, o.value, list(o.headers)) for o in by_cause.get(event_id, [])]
    return out


async def throughput(at: Ground, cases: int = CASES, repeats: int = 2) -> AsyncIterator[Row]:
    """Measure routing and the bare loop in turn; then break down routing's time."""
    ours, theirs = [], []
    async with at.line("routing") as made:
        for seed in range(repeats):
            done = await run(made, cases, seed)
            ours.append(done.pace)
            reference = await said(made, done)
            say("the bare loop does the same")
            theirs.append(await bare(made.settings, made.settings.topic(fill.TOPIC), f"{made.config.prefix}sink", reference))
        parts = stages.pure(done.plan, policy(made.settings.policy))
    pace, loop = statistics.median(ours), statistics.median(theirs)
    size = statistics.mean(len(o.value) + sum(len(k) + len(v) for k, v in o.headers) for o in done.outs)
    against = f"bare aiokafka loop, {done.events} events, {size:.0f} bytes out"
    yield Row(
        name="routing, events in and out",
        value=pace,
        unit="1/s",
        reference=loop,
        against=against,
        wanted=">= 0.15 (goal 0.25)",
        reached=pace >= 0.15 * loop,
    )
    for row in stages.rows(done.seconds, done.cpu, parts, len(done.plan.inputs), done.events, done.pace):
        yield row


async def flat(at: Ground) -> AsyncIterator[Row]:
    """Measure beside more and more other cases: the cost of an event must not grow."""
    async with at.line("routing") as made:
        first = 0.0
        for seed, up_to in enumerate((0, *CROWDS)):
            if up_to:
                say(f"filling the tables up to {up_to} cases")
                async with admin(made) as connection:
                    await fill.crowd(connection, up_to)
            cost = 1e6 / (await run(made, CROWD_CASES, 100 + seed)).pace
            if up_to == CROWDS[0]:
                first = cost
            elif up_to:
                yield Row(
                    name=f"routing, cost of an event beside {up_to:,} cases",
                    value=cost,
                    unit="µs",
                    reference=first,
                    against=f"beside {CROWDS[0]:,}",
                    wanted="<= 1.25",
                    reached=cost <= 1.25 * first,
                )
