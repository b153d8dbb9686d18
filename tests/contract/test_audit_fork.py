"""A log that was set back, or that goes another way than the one its witnesses have seen: it says so and does not run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from msgspec import structs
from sqlalchemy.engine import make_url

from referral.errors import Misfit
from referral.runtime.settings import Settings
from tests.contract.audit_stack import Log, answering, honest, log, serving
from tests.unit.test_audit_ingest import record, value

pytestmark = pytest.mark.servers


@asynccontextmanager
async def backup(settings: Settings) -> AsyncIterator[Settings]:
    """A copy of the database as it is now."""
    url = make_url(settings.database)
    plain = settings.database.replace("postgresql+asyncpg://", "postgresql://", 1).replace(f"/{url.database}", "/postgres", 1)
    connection = await asyncpg.connect(plain)
    name = f"{url.database}_copy"
    try:
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", url.database)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {url.database}")
        yield structs.replace(settings, database=url.set(database=name).render_as_string(hide_password=False))
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


async def grown(made: Log, count: int) -> None:
    await made.append(count)
    assert await made.publisher().round()


async def test_an_old_copy_is_refused_and_so_is_another_continuation_of_it(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two:
        urls = [one, two]
        async with log(bare, urls) as made:
            await grown(made, 10)
        async with backup(bare) as copy:
            async with log(bare, urls) as made:
                made.offset = 10
                await grown(made, 20)
                await made.publisher().check()
                assert not made.against
            async with log(copy, urls) as old:
                old.offset = 10
                with pytest.raises(Misfit, match="has cosigned 30 entries, this log has 10, and shows it with this log's own signature"):
                    await old.publisher().check()
                old.against.clear()
                await old.append(25, lambda n: record(value(n, rung=9), n))  # a longer one, with other entries
                with pytest.raises(Misfit, match="35 entries do not continue the 30 that it has cosigned, and shows it"):
                    await old.publisher().round()
                assert old.against["fork"], "readiness says it too"


async def test_who_only_says_so_is_not_believed_unless_no_quorum_is_left(bare: Settings, tmp_path: Path) -> None:
    more = answering(409, b"999\n")
    async with honest(tmp_path, 1) as one, serving(more) as liar, serving(more) as second:
        async with log(bare, [one, liar, "http://127.0.0.1:9"]) as made:
            await made.append(3)
            await made.publisher().check()
            assert not made.against, "two of three can still cosign"
        async with log(bare, [one, liar, second]) as made:
            with pytest.raises(Misfit, match="without those who say so there is no quorum"):
                await made.publisher().check()


async def test_an_empty_database_beside_witnesses_that_know_the_log_is_refused(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, backup(bare) as empty:
        async with log(bare, [one]) as made:
            await grown(made, 1)
        async with log(empty, [one]) as fresh:
            with pytest.raises(Misfit, match="has cosigned 1 entries, this log has 0"):
                await fresh.publisher().check()
