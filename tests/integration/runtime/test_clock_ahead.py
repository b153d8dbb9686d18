"""The clock of this machine beside the database's, as a service sees it."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from referral.runtime.loop import clock_ahead
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


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
