"""A broker or a database that dies in the middle and comes back: ready again within 30 s, nothing lost, doubled or said otherwise."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.local.kafka import Kafka
from referral.local.postgres import Postgres
from referral.local.server import Server
from referral.runtime import bootstrap
from referral.runtime.kafka import clients
from referral.runtime.postgres import queue
from referral.runtime.service import Batch, Outcome
from referral.runtime.settings import Settings
from tests.harness.line.runtime_stack import OUT, Counter, Stack, came, counting, stack
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.kafka]
READY = 30.0
"""Seconds from when the server answers again (DESIGN §8)."""


async def blocking(call):
    return await asyncio.get_running_loop().run_in_executor(None, call)


async def kill(server: Server) -> None:
    """As suddenly as a machine dies."""
    assert server.child is not None
    server.child.signal(signal.SIGKILL)
    await blocking(server.child.wait)


async def put(line: Stack, case: str, count: int) -> None:
    async with line.admin.begin() as tx:
        key = (await line.keys.load(tx, [case]))[case]
        await tx.exec_driver_sql("SET LOCAL search_path = routing, runtime")
        for _ in range(count):
            await queue.put(tx, case, came(), str(uuid.uuid4()), key)


async def said(line: Stack, case: str, count: int) -> bool:
    return len({m.case_seq for m in await line.metas() if m.case_id == case}) >= count


async def whole(line: Stack, cases: list[str], count: int) -> None:
    """Each case's events are dense and said with the same bytes, however often they were published."""
    records = await line.records(OUT)
    for case in cases:
        values = [r.value for r in records if r.key == case.encode()]
        assert len(set(values)) == count
        assert list(dict.fromkeys(values)) == sorted(set(values), key=values.index)
    metas = [m for m in await line.metas() if m.case_id in cases]
    for case in cases:
        assert sorted({m.case_seq for m in metas if m.case_id == case}) == list(range(1, count + 1))
    assert await line.sql("SELECT * FROM routing.queue WHERE NOT sent") == []
    assert await line.sql("SELECT * FROM routing.outbox") == []


async def ready_again(counter: Counter, answers: float) -> None:
    await until(lambda: not counter.not_ready, READY + 5)
    assert time.monotonic() - answers <= READY


@pytest.mark.long
async def test_a_broker_that_dies_while_it_is_written_to_and_comes_back(settings: Settings, identities: Path, folder: Path) -> None:
    broker = Kafka(folder, identities / "kafka")
    try:
        mine = structs.replace(settings, kafka=await blocking(broker.start))
        await clients.create_topics(mine)
        async with stack(mine) as line:
            cases = [await line.case(n) for n in (0, 5, 11)]
            counter = line.counter()
            counter.start()
            await until(lambda: not counter.not_ready)
            for case in cases:
                await put(line, case, 5)
            await until(lambda: said(line, cases[2], 1))
            for case in cases:
                await put(line, case, 200)  # under way when it dies
            await kill(broker)
            for case in cases:
                await put(line, case, 5)
            await until(lambda: "loop" in counter.not_ready)
            await blocking(broker.start)
            await ready_again(counter, time.monotonic())
            for case in cases:
                await until(lambda case=case: said(line, case, 210))  # type: ignore[misc]
            await until(lambda: idle(line))
            await counter.end()
            await whole(line, cases, 210)
    finally:
        await blocking(broker.stop)


async def idle(line: Stack) -> bool:
    return not await line.sql("SELECT 1 FROM routing.outbox")


async def test_a_database_that_dies_in_the_middle_of_a_batch_and_comes_back(settings: Settings, folder: Path) -> None:
    database = Postgres(folder)
    try:
        mine = structs.replace(settings, database=await blocking(database.start))
        await bootstrap.prepare_database(mine)
        async with stack(mine) as line:
            cases = [await line.case(n) for n in (0, 5, 11)]
            inside, go_on = asyncio.Event(), asyncio.Event()

            async def slow(tx: AsyncConnection, batch: Batch) -> Outcome:
                inside.set()
                await go_on.wait()
                return await counting(tx, batch)

            counter = line.counter(handle=slow)
            counter.start()
            await until(lambda: not counter.not_ready)
            for case in cases:
                await line.write(case, *[await line.value(case, n) for n in range(1, 11)])
            await until(inside.is_set)
            await kill(database)
            go_on.set()
            await until(lambda: "loop" in counter.not_ready)
            await blocking(database.start)
            await line.admin.dispose()  # our own connections died too
            await ready_again(counter, time.monotonic())
            for case in cases:
                await until(lambda case=case: said(line, case, 10))  # type: ignore[misc]
            await until(lambda: idle(line))
            await counter.end()
            await whole(line, cases, 10)
    finally:
        await blocking(database.stop)
