"""Instances stopped past their leases and woken again: the others went on, and the zombies change nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from sqlalchemy import text

from tests.faults.line import Line
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.harness.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]
OWNERS = "SELECT unit, owner, pid FROM {s}.lease WHERE owner LIKE :like"
# One transaction of the test holds every batch up where it stores its cases, or where it waits for places that such a batch has locked:
# it has locked its leases by then.
HOLD = "LOCK TABLE routing.case_state IN SHARE MODE"
HELD_UP = "SELECT pid FROM pg_locks JOIN routing.lease USING (pid) WHERE NOT granted AND owner LIKE :like LIMIT 1"
# The server waits for its client, inside a transaction that has written: nothing but the server can end it while the client is stopped.
OPEN = "SELECT pid FROM pg_stat_activity WHERE pid = :pid AND wait_event = 'ClientRead' AND backend_xid IS NOT NULL"


async def test_zombies_write_nothing_and_send_nothing_twice(line: Line) -> None:
    load = Load(line.stack, seed=77, settings=line.stack.settings)
    running = asyncio.create_task(load.run())
    try:
        inside = await stopped_inside_a_transaction(line, "routing-1")
        for name in ("intake-2", "notifier-1", "audit-1"):
            await line.stack[name].pause()
        stopped = ("routing-1", "intake-2", "notifier-1", "audit-1")
        await nobody_owns(line, stopped)
        assert not await line.rows("SELECT pid FROM pg_stat_activity WHERE pid = :pid", pid=inside), "its backend was ended"
        taken = load.done
        await until(lambda: beyond(load, taken + 20), what="the line goes on without them")
        for name in stopped:
            await line.stack[name].resume()
        await line.ready()
        taken = load.done
        await until(lambda: beyond(load, taken + 20), what="the line goes on with them")
        load.end()
        await running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    verdict = await judge(line.stack, load)
    assert verdict.good, verdict


async def stopped_inside_a_transaction(line: Line, name: str) -> int:
    """SIGSTOP an instance of routing between the first and the last statement of a batch; return its backend's pid."""
    async with line.admin.begin() as hold:
        await hold.execute(text(HOLD))
        ((pid,),) = await until(lambda: line.rows(HELD_UP, like=f"{name}-%"), what=f"a batch of {name} is held up")
        await line.stack[name].pause()
    await until(lambda: line.rows(OPEN, pid=pid), what="its transaction stays open")
    return int(pid)


async def nobody_owns(line: Line, names: tuple[str, ...]) -> None:
    """Wait until no unit is owned by one of them."""
    left: list[Any] = []

    async def look() -> bool:
        left[:] = [row for name in names for row in await line.rows(OWNERS.format(s=name.partition("-")[0]), like=f"{name}-%")]
        return not left

    await until(look, within=2 * PATIENCE_S, what=lambda: f"others own what they owned, but for {left}")


async def beyond(load: Load, count: int) -> bool:
    return load.done >= count
