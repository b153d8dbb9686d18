"""The database's clock and its standbys, as a service sees them."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from referral.runtime.loop import database_view
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


@contextlib.contextmanager
def following(work: asyncio.Task[None]) -> Iterator[None]:
    yield
    work.cancel()


async def test_a_clock_that_is_ahead_and_a_slot_that_nobody_reads_are_seen_by_a_role_without_rights(settings: Settings) -> None:
    own, admin, slot = database.engine(settings, "audit", size=1), database.admin(settings), f"s{uuid.uuid4().hex}"
    try:
        async with admin.begin() as tx:
            await tx.execute(text("SELECT pg_create_physical_replication_slot(:slot, true)"), {"slot": slot})
            await tx.execute(text("SELECT pg_switch_wal()"))
        with following(asyncio.create_task(database_view.follow(own, "made-up", lambda: time.time() + 120))):
            await until(lambda: _behind(slot) is not None, what="the slot is seen")
        ahead = REGISTRY.get_sample_value("referral_clock_ahead_seconds", {"service": "made-up"})
        assert ahead is not None and 119 < ahead < 121
    finally:
        async with admin.begin() as tx:
            await tx.execute(text("SELECT pg_drop_replication_slot(:slot)"), {"slot": slot})
        await own.dispose()
        await admin.dispose()


def _behind(slot: str) -> float | None:
    return REGISTRY.get_sample_value("referral_standby_behind_bytes", {"service": "made-up", "slot": slot})
