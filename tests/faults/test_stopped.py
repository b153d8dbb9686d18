"""Instances stopped past their leases and woken again: the others went on, and the zombies change nothing."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.faults.line import Line
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]
OWNERS = "SELECT owner, pid FROM {s}.lease WHERE owner LIKE :like"
# With a transaction number it has written: the first thing that a batch writes is its leases. So does who says that it lives, elsewhere.
INSIDE = "SELECT state FROM pg_stat_activity WHERE pid = :pid AND backend_xid IS NOT NULL"

# The server waits for its client: what the client had sent before it was stopped is done. A commit under way would still end by itself.
WAITS = f"{INSIDE} AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '0.2 s'"

FREE = "SELECT unit FROM {s}.lease WHERE owner LIKE :like FOR UPDATE SKIP LOCKED"


async def test_zombies_write_nothing_and_send_nothing_twice(line: Line) -> None:
    load = Load(line.door.urls, line.cast, seed=77, settings=line.stack.settings)
    running = asyncio.create_task(load.run())
    try:
        inside = await stopped_inside_a_transaction(line, "routing-1")
        for name in ("intake-2", "notifier-1", "audit-1"):
            await line.stack[name].pause()
        stopped = ("routing-1", "intake-2", "notifier-1", "audit-1")
        await until(lambda: nobody(line, stopped), what="others own what they owned")
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
    """SIGSTOP it until the database says that its transaction stays open; its backend's pid."""
    service = name.partition("-")[0]

    async def once() -> int | None:
        owners = await line.rows(OWNERS.format(s=service), like=f"{name}-%")
        for pid in {row.pid for row in owners}:
            for _ in range(200):
                if await line.rows(INSIDE, pid=pid):
                    break
            await line.stack[name].pause()
            await asyncio.sleep(0)
            while await line.rows(INSIDE, pid=pid):
                if await line.rows(WAITS, pid=pid):
                    if len(await line.rows(FREE.format(s=service), like=f"{name}-%")) < len(owners):
                        return int(pid)  # a batch: it has locked its leases
                    break
                await asyncio.sleep(0.05)
            await line.stack[name].resume()
        return None

    return await until(once, what=f"{name} is stopped inside a transaction")


async def nobody(line: Line, names: tuple[str, ...]) -> bool:
    """Whether no unit is owned by one of them."""
    return not [row for name in names for row in await line.rows(OWNERS.format(s=name.partition("-")[0]), like=f"{name}-%")]


async def beyond(load: Load, count: int) -> bool:
    return load.done >= count
