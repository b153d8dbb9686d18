"""The log on its beat, on a real database: one block for each beat, busy or idle, signed by its owner alone, and nothing else is shown."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from referral.cli import connection
from referral.domain.durations import SECOND_US
from referral.proof.cover import BYTES
from referral.proof.entry import Entry, Kind
from referral.proof.verify.log import verify
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings
from referral.tlog import checkpoint, note
from services.audit.api import application
from services.audit.beat import BLOCK
from services.audit.handle import Audit
from services.audit.publisher import Publisher
from tests.harness.engines import connecting
from tests.harness.line import audit_stack
from tests.harness.line.audit_stack import KEY, MASTER, Log, honest, log
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


def beating(made: Log, beat_s: int, name: str = "test") -> Publisher:
    return Publisher(made.engine, KEY, made.policy, name, made.client, Audit(lambda _: None), beat_s)


async def signed(made: Log) -> list[tuple[int, int]]:
    async with made.engine.connect() as tx:
        return [(row.size, row.at) for row in await tx.execute(text("SELECT size, at FROM audit.checkpoint ORDER BY size"))]


async def entries(settings: Settings) -> list[Entry]:
    async with connecting(audit_stack.database.admin(settings)) as tx:
        return [entry async for entry in connection.entries(tx)]


async def test_idle_beats_and_busy_beats_add_one_block_each(bare: Settings, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(honest(tmp_path, 1))
        made = await stack.enter_async_context(log(bare, [url]))
        task = asyncio.create_task(beating(made, 1).run())

        async def several(count: int) -> bool:
            return len(await signed(made)) > count

        try:
            await until(lambda: several(3))
            await made.append(50)
            count = len(await signed(made))
            await until(lambda: several(count + 2))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        sizes = [size for size, _ in await signed(made)]
        assert sizes == [BLOCK * n for n in range(len(sizes))], "an idle beat looks like a busy one"
        beats = [at // SECOND_US for _, at in (await signed(made))[1:]]
        assert len(set(beats)) == len(beats), "never two in one beat"
        found = await entries(bare)
        assert len(found) == sizes[-1] and sum(e.kind is not Kind.COVER for e in found) == 50
        covers = [e.value for e in found if e.kind is Kind.COVER]
        assert len(set(covers)) == len(covers) and {len(value) for value in covers} == {BYTES}
        report = verify(found, {})
        assert not [f for f in report.findings if f.weight and f.code != "KEY_GONE"], report.findings
        assert report.counts["cover entries"] == len(covers)


async def test_between_two_beats_nothing_is_signed_and_nothing_above_it_is_shown(bare: Settings, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(log(bare, [await stack.enter_async_context(honest(tmp_path, 1))]))
        app = httpx.ASGITransport(application(made.engine, MASTER))
        door = await stack.enter_async_context(httpx.AsyncClient(transport=app, base_url="http://log"))
        publisher = beating(made, 10**6)
        await publisher.check()
        async with made.engine.begin() as tx:
            now = await clock.now(tx)
        assert now // (10**6 * SECOND_US) == (now + 600 * SECOND_US) // (10**6 * SECOND_US), "this test would stand on the edge of a beat"
        await made.append(500)
        assert await publisher.round() and await publisher.round()
        assert [size for size, _ in await signed(made)] == [0]
        shown = checkpoint.parse(note.parse((await door.get("/checkpoint")).content).text)
        assert shown.size == 0
        for path in ("0/000", "0/000.p/1", "0/001.p/244", "1/000.p/1"):
            assert (await door.get(f"/tile/{path}")).status_code == 404, path
        assert await made.publisher().round()
        assert [size for size, _ in await signed(made)] == [0, 576] and (await door.get("/tile/0/000")).status_code == 200


async def test_only_the_owner_of_the_log_fills_it_up(bare: Settings, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(log(bare, [await stack.enter_async_context(honest(tmp_path, 1))]))
        other = beating(made, 0, "another instance")
        await made.append(3)
        assert await other.round() and [size for size, _ in await signed(made)] == [0]
        assert await made.publisher().round() and [size for size, _ in await signed(made)] == [0, BLOCK]
