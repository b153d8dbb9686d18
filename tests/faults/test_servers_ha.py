"""Brokers and database servers die under load, one after another: the rest goes on, no service starts again, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from referral.local.config import StackConfig
from tests.faults import servers
from tests.faults.line import Line, running
from tests.faults.load import Load
from tests.faults.servers import Pulse
from tests.faults.test_rewound import red
from tests.faults.verdict import Verdict, judge
from tests.harness.programs import command
from tests.harness.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(1800)]
WANTED_S = {"kafka": 12.0, "postgres": 5.0}
"""Longest silence that a lost server may cost on a quiet machine (ours); printed beside what was measured, which is a busy one's."""
LIMIT_S = 300.0
"""Longest silence on any machine: what waits for longer does not come back by itself."""
TAIL = (
    "receipts changed",
    "referrals lost",
    "answers lost",
    "records of ingress without an outcome",
    "mails that no knock accounts for",
    "mails repeated without a death",
)
"""Promises that a primary without a quorum takes with it: what it alone had acknowledged, and knocks that it alone knew to be sent."""


@contextlib.asynccontextmanager
async def loaded(line: Line, seed: int) -> AsyncIterator[tuple[Load, Pulse]]:
    """Load on a line, and a look at what comes of it, until the end of the block; then every request has its receipt.

    If the load fails, the block ends at once, with the load's own reason.
    """
    load = Load(line.stack, seed, settings=line.stack.settings, rate=3.0)
    pulse = Pulse(line.stack, load)
    async with asyncio.TaskGroup() as group:
        under, looking = group.create_task(load.run()), group.create_task(pulse.run())
        await pulse.flows(time.monotonic())
        yield load, pulse
        load.end()
        await under
        looking.cancel()


async def test_every_server_dies_and_nothing_is_lost(tmp_path: Path, record_property: Any) -> None:
    def told(name: str, pulse: Pulse, since: float, wanted: float) -> None:
        verdict = "good" if pulse.longest(since) <= wanted else "late"
        record_property("figure", f"{name}: {pulse.silence(since)} (wanted {wanted:g} s: {verdict})")
        assert pulse.longest(since) < LIMIT_S

    async with running(StackConfig(data=tmp_path, instances=2, brokers=3, standbys=2)) as line:
        stack, before = line.stack, servers.services(line.stack)
        async with loaded(line, 16) as (load, pulse):
            for broker in ("kafka-1", "kafka-2", "kafka-3"):
                since = time.monotonic()
                await stack[broker].hold()
                await pulse.flows(since)
                told(broker, pulse, since, WANTED_S["kafka"])
                await stack[broker].release()
                await servers.in_step(stack)

            both = ("kafka-1", "kafka-2")
            await asyncio.gather(*(stack[name].hold() for name in both))
            since, taken = time.monotonic(), load.done
            await until(lambda: load.done >= taken + servers.GROWTH, what="the doors take what comes: the database has it")
            record_property("figure", f"two brokers of three dead: {load.done - taken} things taken in {time.monotonic() - since:.1f} s")
            since = time.monotonic()
            await asyncio.gather(*(stack[name].release() for name in both))
            await pulse.flows(since)
            told("two brokers, from the start of both", pulse, since, 2 * WANTED_S["kafka"])
            await servers.in_step(stack)

            old, since = servers.primary(stack), time.monotonic()
            await old.hold()
            new = await servers.promote(stack)
            await pulse.flows(since)
            told(f"{old.name} dies, {new.name} is promoted", pulse, since, WANTED_S["postgres"])
            since = time.monotonic()
            await servers.rejoin(stack, old)
            record_property("figure", f"{old.name} back as a standby, by pg_rewind: {time.monotonic() - since:.1f} s")
        assert servers.services(stack) == before, "no service was started again"
        verdict = await judge(stack, load)
        record_property("figure", facts(verdict))
        assert verdict.good, verdict


async def test_an_asynchronous_standby_without_the_tail_is_promoted(tmp_path: Path, record_property: Any) -> None:
    async with running(StackConfig(data=tmp_path, instances=1, brokers=1, standbys=1)) as line:
        stack = line.stack
        async with loaded(line, 17) as (load, pulse):
            standby = stack["postgres-2"]
            await servers.follows(stack, standby)
            await standby.hold()  # from here on it misses everything
            since = time.monotonic()
            had = {*load.receipts, *load.answers, *load.published}
            await pulse.flows(since)
            await stack["postgres"].hold()
            tail = {*load.receipts, *load.answers, *load.published} - had
            await standby.release()
            await servers.promote(stack)
            await until(lambda: red(line), what="every writer says that it is stopped")
            code, said = await command(stack.settings, "recover", within=4 * PATIENCE_S)
            assert code == 0, said
            await pulse.flows(time.monotonic())
            await servers.rejoin(stack, stack["postgres"])
        verdict = await judge(stack, load)
        lost = {name: verdict.counts.pop(name) for name in TAIL}
        record_property("figure", f"of {len(tail)} things with a receipt in the lost tail: {named(lost)}")
        record_property("figure", facts(verdict))
        assert verdict.good, verdict
        assert sum(lost.values()) <= 2 * len(tail), lost


def named(lost: dict[str, int]) -> str:
    """Return the promises that were broken, with their numbers."""
    return ", ".join(f"{count} {name}" for name, count in lost.items() if count) or "none lost"


def facts(verdict: Verdict) -> str:
    """Return the verdict in one short line."""
    names = ("log entries", "referrals", "answers", "mails", "requests sent again")
    said = ", ".join(f"{verdict.facts.get(name, 0)} {name}" for name in names)
    return f"verdict {'good' if verdict.good else 'BAD'}: {said}"
