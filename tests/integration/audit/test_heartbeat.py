"""Heartbeats on a real database beside a real broker: what they say, who appends them, and when nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.cli import connection
from referral.errors import Rejected
from referral.proof.entry import Entry, Kind
from referral.proof.heartbeat import read
from referral.proof.verify.log import verify
from referral.runtime.kafka import clients
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from services.audit.__main__ import TOPICS, alarm
from services.audit.handle import Audit
from services.audit.heartbeat import Heartbeats
from services.audit.ingest import Says
from tests.harness.line.audit_stack import OWNED
from tests.harness.waiting import until
from tests.unit.audit.test_ingest import PARTITION, TOPIC

pytestmark = pytest.mark.servers


@asynccontextmanager
async def owned(settings: Settings) -> AsyncIterator[Heartbeats]:
    """The heartbeats of the instance that has the log."""
    admin, engine = database.admin(settings), database.engine(settings, "audit")
    async with admin.begin() as tx:
        await tx.execute(
            OWNED,
            {"me": settings.instance},
        )
    made = Heartbeats(engine, settings, Audit(alarm, (Says(Kind.KEYS, b"whom to believe"),)), TOPICS)
    try:
        yield made
    finally:
        await made._halt()
        await engine.dispose()
        await admin.dispose()


async def entries(settings: Settings) -> list[Entry]:
    engine = database.admin(settings)
    async with engine.connect() as tx:
        found = [entry async for entry in connection.entries(tx)]
    await engine.dispose()
    return found


async def test_the_owner_says_how_far_the_topics_reach_once_a_minute(settings: Settings) -> None:
    writer = clients.producer(settings)
    await writer.start()
    await writer.send_and_wait(settings.topic(TOPIC), b"x", key=b"x", partition=PARTITION)
    await writer.stop()
    async with owned(settings) as mine:
        assert await mine.beat() and await mine.beat()
        keys, beat = await entries(settings)
        assert (keys.kind, beat.kind) == (Kind.KEYS, Kind.HEARTBEAT), "what audit says of itself comes first, a heartbeat once a minute"
        said = read(beat)
        assert said.ends is not None and said.ends.keys() == set(TOPICS) and said.drill
        assert said.ends[TOPIC] == [int(n == PARTITION) for n in range(12)] and said.unread == {f"{TOPIC}/{PARTITION}": 0}
        assert len(beat.value) < 400 and not beat.case_id
        async with mine._engine.begin() as tx:
            await tx.execute(text("UPDATE audit.lease SET owner = 'another'"))
        assert not await mine.beat() and len(await entries(settings)) == 2, "only who has the log appends to it"
    assert not verify(await entries(settings), {}).findings


async def test_a_broker_that_is_away_stops_no_heartbeat_and_a_moved_clock_does(settings: Settings) -> None:
    async with owned(structs.replace(settings, kafka="127.0.0.1:9")) as lonely:
        assert await lonely.beat()
        assert read((await entries(settings))[-1]).ends is None
    real = structs.replace(settings, drill_clock=False, instance="real")
    async with owned(real) as honest:
        before = len(await entries(settings))
        admin = database.admin(settings)
        async with admin.begin() as tx:
            await tx.execute(text("UPDATE runtime.clock SET offset_us = -2592000000000"))
        await admin.dispose()
        with pytest.raises(Rejected, match="drill"):
            await honest.beat()
        assert len(await entries(settings)) == before


async def test_beside_the_loop_it_is_said_again_when_its_minute_is_over(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pace and age are those of the module: shortened here, so that no test waits a minute."""
    from services.audit import heartbeat

    monkeypatch.setattr(heartbeat, "EVERY_S", 0.2)
    monkeypatch.setattr(heartbeat, "LOOK_S", 0.05)

    async def three() -> bool:
        return sum(e.kind is Kind.HEARTBEAT for e in await entries(settings)) >= 3

    async with owned(settings) as mine:
        task = asyncio.create_task(mine.run())
        try:
            await until(three)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    report = verify(await entries(settings), {})
    assert report.exit_code() == 0, report.findings
