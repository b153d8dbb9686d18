"""The embedded servers are the real thing, and the fixtures give each test a stack of its own."""

from __future__ import annotations

import asyncpg
import pytest

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


async def test_database_is_postgresql_18_and_prepared(database: str) -> None:
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        assert int(await connection.fetchval("SHOW server_version_num")) // 10_000 == 18
        schemas = {row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
    finally:
        await connection.close()
    assert {"intake", "routing", "notifier", "audit", "keys", "runtime"} <= schemas


async def test_settings_have_topics_of_their_own(settings: Settings) -> None:
    admin = clients.admin(settings)
    await admin.start()
    try:
        wanted = [settings.topic("referral-intake"), settings.topic("referral-policy")]

        async def listed() -> bool:
            return set(wanted) <= set(await admin.list_topics())

        await until(listed)
        described = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(wanted)}
    finally:
        await admin.close()
    assert [described[name] for name in wanted] == [12, 1]
