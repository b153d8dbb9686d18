"""A process that was stopped while it holds a unit's row: it is ended, and another instance goes on; whoever is at work is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.loop import lease
from referral.runtime.postgres import database
from referral.runtime.service import Batch, Outcome
from tests.harness.line.runtime_stack import Counter, Stack, counting
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


@asynccontextmanager
async def locked_beside(line: Stack) -> AsyncIterator[tuple[AsyncConnection, Counter]]:
    """A dead owner of all units, whose other connection still locks p0, as an erasure does, or audit's heartbeat; and its successor."""
    a, b = line.counter("a"), line.counter("b")
    a.start()
    await until(lambda: len(a.units) == 12)
    beside = database.engine(line.settings, "routing", size=1)
    async with beside.connect() as tx:
        assert await lease.held(tx, "a", "p0") is not None
        await a.kill()
        b.start()
        yield tx, b
    await beside.dispose()


async def test_a_process_stopped_in_the_middle_of_a_transaction_is_terminated_and_its_work_is_done_once(
    line: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("referral.runtime.loop.tenure.STALL", 2.0)
    case = await line.case(0)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def stopping(tx: AsyncConnection, batch: Batch) -> Outcome:
        inside.set()
        await go_on.wait()
        return await counting(tx, batch)

    a = line.counter("a", handle=stopping)
    a.start()
    await until(lambda: len(a.units) == 12)
    await line.write(case, await line.value(case, 1))
    await until(inside.is_set)
    b = line.counter("b")
    b.start()
    await until(lambda: b.inputs)
    go_on.set()
    await until(lambda: len(a.units) + len(b.units) == 12)
    await until(lambda: line.has(1))
    assert [m.case_seq for m in await line.metas()] == [1]


async def test_a_unit_is_taken_over_that_a_stopped_process_locks_with_another_connection_than_its_loop_s(line: Stack) -> None:
    async with locked_beside(line) as (tx, b):
        await until(lambda: len(b.units) == 12)
        await tx.invalidate()  # its backend was ended


async def test_whoever_locks_a_unit_for_long_and_is_at_work_is_not_ended(line: Stack) -> None:
    """A long erasure, say: the units are taken over when it has committed."""
    async with locked_beside(line) as (tx, b):
        await tx.execute(text("SELECT pg_sleep(15)"))
        assert len(b.units) < 12
        await tx.commit()
        await until(lambda: len(b.units) == 12)
