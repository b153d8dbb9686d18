"""The line's clock, and the one that stands still for a test: both move by what they are told, forward, and say so.

And the clock of this machine beside the database's, as a service sees it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Rejected
from referral.runtime.loop import clock_ahead
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from referral.runtime.testing.clock import stand_still
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
HOUR = 3_600_000_000


class ClockContract:
    """The tests. `tx` is the administrator's connection to a database with the clock of whoever inherits."""

    @pytest.fixture
    async def tx(self, bare: Settings) -> AsyncIterator[AsyncConnection]:
        engine = database.admin(bare)
        async with engine.connect() as made:
            yield made
        await engine.dispose()

    async def test_it_never_goes_back_and_moves_by_no_less_than_it_is_told(self, tx: AsyncConnection, bare: Settings) -> None:
        before = await clock.now(tx)
        assert await clock.now(tx) >= before
        assert before + HOUR <= await clock.advance(tx, bare, HOUR) <= await clock.now(tx) < before + HOUR + 60_000_000
        with pytest.raises(Rejected):
            await clock.advance(tx, bare, -1)

    async def test_a_day_of_the_keys_is_one_of_the_line(self, tx: AsyncConnection, bare: Settings) -> None:
        await clock.advance(tx, bare, HOUR)
        today = (await tx.exec_driver_sql("SELECT keys.today()")).scalar_one()
        assert 0 <= await clock.now(tx) - today < 60_000_000

    async def test_whoever_waits_for_it_hears_that_it_was_moved(self, tx: AsyncConnection, bare: Settings) -> None:
        heard, other = asyncio.Event(), await asyncpg.connect(bare.database.replace("+asyncpg", ""))
        await other.add_listener(clock.MOVED, lambda *_: heard.set())
        await clock.advance(tx, bare, HOUR)
        await tx.commit()
        async with asyncio.timeout(5):
            await heard.wait()
        await other.close()


class TestTrueClock(ClockContract):
    pass


class TestStillClock(ClockContract):
    @pytest.fixture
    async def tx(self, bare: Settings) -> AsyncIterator[AsyncConnection]:
        engine = database.admin(bare)
        async with engine.connect() as made:
            self.at = await stand_still(made)
            await made.commit()
            yield made
        await engine.dispose()

    async def test_it_stands_still_until_it_is_moved(self, tx: AsyncConnection, bare: Settings) -> None:
        await asyncio.sleep(0.01)
        assert await clock.now(tx) == self.at
        assert await clock.advance(tx, bare, HOUR) == await clock.now(tx) == self.at + HOUR


async def test_a_clock_that_is_ahead_is_seen_by_a_role_without_rights(bare: Settings) -> None:
    own = database.engine(bare, "audit", size=1)
    work = asyncio.create_task(clock_ahead.follow(own, "made-up", lambda: time.time() + 120))
    try:
        await until(lambda: _ahead() is not None, what="the clock is measured")
        ahead = _ahead()
        assert ahead is not None and 119 < ahead < 121
    finally:
        work.cancel()
        await own.dispose()


def _ahead() -> float | None:
    return REGISTRY.get_sample_value("referral_clock_ahead_seconds", {"service": "made-up"})
