"""What a pool of connections does when the server has closed one, and how many rows of many tables are written at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from referral.runtime.keys.case_keys import KEY
from referral.runtime.postgres import bells, bulk, database, queue
from referral.runtime.settings import Settings
from tests.harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("asked", [True, False])
async def test_a_connection_that_the_server_has_closed_is_given_to_nobody(
    bare: Settings, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RESTED", 0.0 if asked else 2 * PATIENCE_S)
    engine, admin = database.engine(bare, "intake", size=1), database.admin(bare)
    try:
        async with engine.connect() as tx:
            before = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            raw = (await tx.get_raw_connection()).driver_connection
        assert raw is not None
        async with admin.begin() as tx:
            assert (await tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": before})).scalar_one()
        if not asked:
            await until(raw.is_closed)
        async with engine.connect() as tx:
            assert (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one() != before
    finally:
        await engine.dispose()
        await admin.dispose()


async def test_a_server_that_hangs_keeps_nobody_from_the_one_that_takes_writes(bare: Settings, tmp_path: Path) -> None:
    """It is listed first, as the one is that was lost: the driver gave it all of the time, at every attempt."""
    asked = asyncio.Event()
    silent = await asyncio.start_unix_server(lambda *_: asked.set(), tmp_path / ".s.PGSQL.5432")
    here = make_url(bare.database)
    both = here.update_query_dict({"host": f"{tmp_path},{here.query['host']}", "port": "5432,5432"})
    engine = database.engine(structs.replace(bare, database=both.render_as_string(hide_password=False)), "intake", size=2)
    try:
        async with engine.connect() as one:
            assert asked.is_set() and (await one.execute(text("SELECT 1"))).scalar_one() == 1
            asked.clear()
            async with engine.connect() as two:
                assert not asked.is_set() and (await two.execute(text("SELECT 1"))).scalar_one() == 1
    finally:
        await engine.dispose()
        silent.close()


async def test_no_server_that_takes_writes_is_a_database_that_is_away(bare: Settings) -> None:
    """Between two primaries there is none: that ended every service that asked beside its loop."""
    here = make_url(bare.database)
    both = here.update_query_dict({"host": f"{here.query['host']},{here.query['host']}", "port": "5432,5432"})
    nobody = both.update_query_dict({"target_session_attrs": "standby"})
    engine = database.engine(structs.replace(bare, database=nobody.render_as_string(hide_password=False)), "intake", size=2)
    try:
        with pytest.raises(DBAPIError) as told:
            async with engine.connect():
                pass
        assert database.away(told.value)
    finally:
        await engine.dispose()


async def test_what_a_stopped_process_has_locked_is_free_again(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends a transaction whose process says nothing; until then another one waits for the row."""
    monkeypatch.setattr(database, "SILENT", 0.5)
    stopped, other = database.engine(bare, "intake", size=1), database.admin(bare)
    try:
        async with stopped.connect() as silent:
            await silent.execute(text("SELECT id FROM intake.turn WHERE id = 1 FOR UPDATE"))
            async with other.begin() as tx:
                assert (await tx.execute(text("SELECT id FROM intake.turn WHERE id = 1 FOR UPDATE SKIP LOCKED"))).all() == []
                await tx.execute(text("SELECT id FROM intake.turn WHERE id = 1 FOR UPDATE"))
            with pytest.raises(DBAPIError) as ended:
                await silent.execute(text("SELECT"))
            assert database.away(ended.value)
            await silent.invalidate()
    finally:
        await stopped.dispose()
        await other.dispose()


async def test_a_connection_that_has_rested_is_asked_and_given_again(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that fails for another reason than a dead server would make the pool connect anew each time, without a word."""
    monkeypatch.setattr(database, "RESTED", 0.0)
    engine = database.engine(bare, "intake", size=1)
    try:
        pids = set()
        for _ in range(3):
            async with engine.connect() as tx:
                pids.add((await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one())
        assert len(pids) == 1
    finally:
        await engine.dispose()


async def test_a_bell_for_the_queue_is_heard_without_a_transaction(bare: Settings) -> None:
    engine = database.engine(bare, "intake", size=2)
    heard = asyncio.Event()
    try:
        async with bells.listening(engine, {bells.of("intake", bells.QUEUE): heard.set}) as driver:
            bells.Doorbell(engine, "intake").ring()
            await until(heard.is_set)
        assert driver.is_closed(), "it listens, so it is never used for anything else"
    finally:
        await engine.dispose()


async def test_rows_of_several_tables_are_written_by_one_statement_or_not_at_all(bare: Settings) -> None:
    engine = database.engine(bare, "intake", size=1)
    key = [{"case_id": case, "reader": "intake", "wrapped": b"w"} for case in ("c1", "c2")]
    row = {"id": "q1", "partition": 1, "case_id": "c1", "type": "t", "fingerprint": 1, "body": b"", "drill": False}
    try:
        async with engine.begin() as tx:
            await bulk.write(tx, {KEY: key, queue.QUEUE: [row, {**row, "id": "q2"}]})
            await bulk.write(tx, {KEY: [], queue.QUEUE: [row]})  # the same id is taken once
        with pytest.raises(Exception, match="case_key_pkey"):
            async with engine.begin() as tx:
                await bulk.write(tx, {queue.QUEUE: [{**row, "id": "q3"}], KEY: key[:1]})
        async with engine.connect() as tx:
            assert (await tx.execute(text("SELECT id FROM queue ORDER BY n"))).scalars().all() == ["q1", "q2"]
            assert (await tx.execute(text("SELECT count(*) FROM keys.wrapped(ARRAY['c1', 'c2', 'c3'])"))).scalar_one() == 2
    finally:
        await engine.dispose()
