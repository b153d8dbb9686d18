"""Audit's table on a real PostgreSQL: exact bytes in, the same entries out, nothing that changes or goes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.cli import connection
from referral.domain.inputs import Input
from referral.proof.entry import Entry, Kind
from referral.runtime.postgres import database
from referral.runtime.service import Batch
from referral.runtime.settings import Settings
from services.audit.handle import Audit
from tests.harness.engines import by_hand
from tests.unit.audit.test_ingest import CASE, TOPIC, record, value

pytestmark = pytest.mark.servers


@pytest.fixture
async def engine(bare: Settings) -> AsyncIterator[AsyncEngine]:
    made = database.engine(bare, "audit")
    yield made
    await made.dispose()


async def take(engine: AsyncEngine, *inputs: Input) -> list[Entry]:
    """One batch through the handler; the alarms that it raised."""
    alarms: list[Entry] = []
    async with engine.begin() as tx:
        await Audit(alarms.extend).handle(tx, Batch(now=1, inputs=inputs, keys={}, owned=frozenset({"all"})))
    return alarms


async def entries(engine: AsyncEngine) -> list[Entry]:
    async with engine.connect() as tx:
        return [entry async for entry in connection.entries(tx)]


async def test_entries_come_back_byte_for_byte(engine: AsyncEngine) -> None:
    await take(engine, record(value(1), 0, told=[("ce_id", b"\x00\xff")]), record(b"", 1, key=None))
    first, second = await entries(engine)
    assert (first.value, first.headers, first.case_seq, first.kind) == (value(1), (("ce_id", b"\x00\xff"),), 1, Kind.EVENT)
    assert (second.value, second.key, second.kind, second.idx) == (b"", None, Kind.UNREADABLE, 1)


async def test_a_key_of_any_length_stops_nothing(engine: AsyncEngine) -> None:
    told = [("ce_type", b"referral.quarantined.v1")]
    for offset, topic in enumerate(("referral-quarantine", TOPIC)):
        await take(engine, record(b"x", offset, topic, random.Random(1).randbytes(9000), told))
    assert [e.kind for e in await entries(engine)] == [Kind.UNREADABLE, Kind.UNREADABLE]


async def test_repeats_forks_and_gaps_are_told_across_batches(engine: AsyncEngine) -> None:
    assert not await take(engine, record(value(1), 0), record(value(2), 1))
    alarms = await take(engine, record(value(2), 2), record(value(2, rung=9), 3), record(value(5), 4))
    assert [a.kind for a in alarms] == [Kind.FORK, Kind.GAP]
    assert [e.kind for e in await entries(engine)] == [Kind.EVENT, Kind.EVENT, Kind.FORK, Kind.GAP, Kind.EVENT]
    async with engine.connect() as tx:
        assert (await tx.execute(text("SELECT topic, times, last_offset FROM audit.repeat"))).one() == (TOPIC, 1, 2)


async def test_a_batch_that_is_handled_again_adds_nothing(engine: AsyncEngine) -> None:
    batch = (record(value(1), 0), record(value(3), 1), record(b"x", 2))
    await take(engine, *batch)
    before = await entries(engine)
    assert not await take(engine, *batch)
    assert await entries(engine) == before


async def test_entries_of_one_case(engine: AsyncEngine) -> None:
    await take(engine, record(value(1), 0), record(b"x", 1), record(value(3), 2))
    async with engine.connect() as tx:
        found = await connection.of_case(tx, CASE)
    assert [e.kind for e in found] == [Kind.EVENT, Kind.GAP, Kind.EVENT]


async def test_the_table_is_append_only(bare: Settings, engine: AsyncEngine, subtests: pytest.Subtests) -> None:
    """Audit's role has no right to change it, and what stands in the way of its owner is a trigger."""
    await take(engine, record(value(1), 0))
    for statement in ("UPDATE audit.entry SET leaf = ''", "DELETE FROM audit.entry", "TRUNCATE audit.entry"):
        with subtests.test(statement):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with engine.begin() as tx:
                    await tx.execute(text(statement))
            with pytest.raises(DBAPIError, match="append-only"):
                async with by_hand(bare) as tx:
                    await tx.execute(text(statement))
            assert len(await entries(engine)) == 1
