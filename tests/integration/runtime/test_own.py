"""Ownership: a fair share, take-over, zombies, rewinds and records that kill, with several instances."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaTimeoutError
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import bootstrap
from referral.runtime.loop import assignment, rollback_check
from referral.runtime.loop.tenure import GROWTH
from referral.runtime.postgres import database
from referral.runtime.service import Batch, Outcome
from referral.wire import seal
from tests.harness.engines import connecting
from tests.harness.line.runtime_stack import IN, OUT, QUARANTINE, Counter, Stack, counting
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


async def expire(line: Stack, schema: str = "routing") -> None:
    """As if ten seconds had passed since the last renewal."""
    await line.sql(f"UPDATE {schema}.lease SET lease_until = '-infinity'; ")
    await line.sql(f"UPDATE {schema}.instance SET alive_until = '-infinity'")


async def die_in_the_first_batch(line: Stack) -> None:
    """Let an instance die in its first batch, of whatever waits."""
    inside = asyncio.Event()

    async def hanging(tx: AsyncConnection, batch: Batch) -> Outcome:
        inside.set()
        await asyncio.Event().wait()
        return Outcome()

    victim = line.counter("a", handle=hanging)
    victim.start()
    await until(inside.is_set)
    await victim.kill()
    await expire(line)


async def _last_an_hour(line: Stack) -> None:
    """As if no lease ended by its time: only the proof that its owner's connection is gone ends it."""
    await line.sql("UPDATE routing.lease SET lease_until = clock_timestamp() + interval '1 hour'")
    await line.sql("UPDATE routing.instance SET alive_until = clock_timestamp() + interval '1 hour'")


async def test_an_instance_that_died_is_taken_over_although_its_leases_have_not_ended(line: Stack) -> None:
    a, b = line.counter("a"), line.counter("b")
    a.start()
    await until(lambda: len(a.units) == 12)
    await a.kill()
    await _last_an_hour(line)
    b.start()
    await until(lambda: len(b.units) == 12)


async def test_units_of_instances_that_live_are_left_to_them(line: Stack) -> None:
    a, b = line.counter("a"), line.counter("b")
    a.start()
    b.start()
    await until(lambda: len(a.units) == 6 and len(b.units) == 6)
    epochs, looked = "SELECT unit, owner, epoch FROM routing.lease ORDER BY unit", "SELECT min(alive_until) AS at FROM routing.instance"
    owned, ((before,),) = await line.sql(epochs), await line.sql(looked)
    await until(
        lambda: line.sql(f"SELECT 1 FROM ({looked}) AS seen WHERE at > CAST(:before AS timestamptz) + interval '3 s'", before=before)
    )
    assert await line.sql(epochs) == owned


async def test_two_instances_share_and_one_gives_back_when_the_other_comes(line: Stack) -> None:
    a, b = line.counter("a"), line.counter("b")
    a.start()
    await until(lambda: len(a.units) == 12)
    b.start()
    await until(lambda: len(a.units) == 6 and len(b.units) == 6)
    assert a.units | b.units == {f"p{n}" for n in range(12)} and not a.units & b.units
    await b.end()
    await until(lambda: len(a.units) == 12)


async def test_units_move_as_soon_as_an_instance_comes_or_goes_and_not_at_a_survey(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "EVERY", 3600.0)
    monkeypatch.setattr(assignment, "ALONE", 3600.0)
    a, b = line.counter("a"), line.counter("b")
    a.start()
    await until(lambda: len(a.units) == 12)
    b.start()
    await until(lambda: len(a.units) == 6 and len(b.units) == 6, what="b was given its share")
    await b.end()
    await until(lambda: len(a.units) == 12, what="a has taken what b gave back")


async def test_nothing_is_lost_or_doubled_while_units_move(line: Stack) -> None:
    cases = [await line.case(n) for n in range(12)]
    a, b = line.counter("a"), line.counter("b")
    a.start()
    b_started = False
    for seq in range(1, 41):
        for case in cases:
            await line.write(case, await line.value(case, seq))
        if seq == 15 and not b_started:
            b.start()
            b_started = True
    await until(lambda: len({i.id for i in a.inputs + b.inputs}) >= 480)
    await until(lambda: len(a.units) == len(b.units) == 6)
    await a.end()
    await b.end()
    metas = await line.metas()
    assert len({m.event_id for m in metas}) == 480
    for case in cases:
        seqs = [m.case_seq for m in metas if m.case_id == case]
        assert seqs == list(range(1, 41))
    assert len({i.id for i in a.inputs + b.inputs}) == 480


async def test_a_killed_instance_is_taken_over_and_what_it_had_not_published_goes_out_with_the_same_bytes(
    line: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await line.case()
    from referral.runtime.loop import outbox

    true, stuck = outbox.publish, asyncio.Event()

    async def hanging(*given):
        stuck.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(outbox, "publish", hanging)
    a = line.counter("a")
    a.start()
    await line.write(case, await line.value(case, 1))
    await until(stuck.is_set)
    await a.kill()
    monkeypatch.setattr(outbox, "publish", true)
    kept = (await line.sql("SELECT blob FROM routing.outbox"))[0][0]
    assert await line.records() == []
    await expire(line)
    b = line.counter("b")
    b.start()
    await until(lambda: len(b.units) == 12)
    await until(lambda: line.has(1))
    records = await line.distinct()
    assert len(records) == 1 and records[0].value in bytes(kept)
    await line.write(case, await line.value(case, 2))
    await until(lambda: b.inputs)
    assert [i.seq for i in b.inputs] == [2]


async def test_a_zombie_with_an_old_epoch_commits_and_publishes_nothing(line: Stack) -> None:
    case = await line.case(0)
    a = line.counter("a")
    a.start()
    await until(lambda: len(a.units) == 12)
    await line.sql(
        "UPDATE routing.lease SET epoch = epoch + 1, owner = 'b', lease_until = clock_timestamp() + interval '1 h' WHERE unit = 'p0'"
    )
    await line.write(case, await line.value(case, 1))
    await until(lambda: "p0" not in a.units)
    other = await line.case(1)
    await line.write(other, await line.value(other, 1))
    await until(lambda: a.inputs)
    assert {i.case_id for i in a.inputs} == {other}
    await until(lambda: line.has(1))
    assert {m.case_id for m in await line.metas()} == {other}


async def _processed(line: Stack) -> str:
    case = await line.case(0)
    await line.write(case, await line.value(case, 1), await line.value(case, 2))
    a = line.counter("a")
    a.start()
    await until(lambda: len(a.inputs) == 2)
    await a.end()
    return case


async def _stops(line: Stack, cause: str, unit: str = "p0") -> Counter:
    b = line.counter("b")
    b.start()
    await until(lambda: "stopped" in b.not_ready)
    assert b.tenure.assignment.stopped[unit].cause == cause
    return b


async def _said(line: Stack, words: str) -> bool:
    return [row.stopped for row in await line.sql("SELECT stopped FROM routing.instance WHERE id = 'b'")] == [words]


async def test_sql_that_went_back_is_noticed_before_anything_is_said_and_the_other_units_go_on(line: Stack) -> None:
    case = await _processed(line)
    await line.sql("DELETE FROM routing.seen")
    await line.sql("UPDATE routing.lease SET positions = '{}'")
    b = await _stops(line, "rewound-sql")
    await until(lambda: _said(line, "rewound-sql: p0"))  # `referral doctor` said that all is good
    other = await line.case(1)
    await line.write(other, await line.value(other, 1))
    await until(lambda: b.inputs)
    assert {i.case_id for i in b.inputs} == {other}
    assert len([m for m in await line.metas() if m.case_id == case]) == 2


async def test_an_older_copy_on_which_a_batch_was_confirmed_is_a_rewind(line: Stack) -> None:
    """The confirmation had moved the position behind a record that the copy does not know, so nothing stood behind it."""
    case = await line.case(0)
    await line.write(case, await line.value(case, 1))
    a = line.counter("a")
    a.start()
    await until(lambda: line.has(1))
    await until(line.cleared)
    await line.sql("CREATE TABLE copy AS SELECT * FROM routing.seen")
    await line.write(case, await line.value(case, 2))
    await until(lambda: line.has(2))
    await until(line.cleared)
    await a.end()
    await line.sql("TRUNCATE routing.seen")
    await line.sql("INSERT INTO routing.seen SELECT * FROM copy")
    await _stops(line, "rewound-sql")


async def test_an_empty_database_beside_a_topic_with_records_is_a_rewind(line: Stack, postgres: str) -> None:
    await _processed(line)
    await line.sql("TRUNCATE routing.lease, routing.seen, routing.outgoing, routing.alarm")
    await _stops(line, "rewound-sql")


async def test_a_position_beyond_the_topic_means_that_kafka_went_back(line: Stack) -> None:
    await _processed(line)
    await line.sql("""UPDATE routing.lease SET positions = positions || '{"referral-intake/0": [99, "ab"]}' WHERE unit = 'p0'""")
    await _stops(line, "rewound-kafka")


async def test_another_record_before_the_position_means_that_kafka_went_back(line: Stack) -> None:
    await _processed(line)
    await line.sql("""UPDATE routing.lease SET positions = positions || '{"referral-intake/0": [2, "ab"]}' WHERE unit = 'p0'""")
    await _stops(line, "rewound-kafka")


async def test_a_clean_restart_is_no_rewind(line: Stack) -> None:
    await _processed(line)
    b = line.counter("b")
    b.start()
    await until(lambda: len(b.units) == 12 and not b.not_ready)
    assert b.tenure.assignment.stopped == {} and b.inputs == []


async def test_a_record_that_kills_the_process_is_quarantined_unread_at_its_third_attempt(line: Stack) -> None:
    good, poison = await line.case(5), await line.case(5)
    await line.write(poison, await line.value(poison, 1))
    await line.write(good, await line.value(good, 1))
    for _ in range(3):
        inside = asyncio.Event()

        async def dying(tx: AsyncConnection, batch: Batch, inside: asyncio.Event = inside) -> Outcome:
            if any(i.case_id == poison for i in batch.inputs):
                inside.set()
                await asyncio.Event().wait()
            return await counting(tx, batch)

        victim = line.counter("a", handle=dying)
        victim.start()
        await until(inside.is_set)
        await victim.kill()
        await expire(line)
    last = line.counter("b", handle=dying)
    last.start()
    await until(lambda: last.inputs)
    assert [i.case_id for i in last.inputs] == [good]
    kept = await line.distinct(QUARANTINE)
    assert [r.key for r in kept] == [b"routing/referral-intake/5/0"]
    await until(lambda: len(last.units) == 12 and not last.tenure.assignment.units["p5"].records_alone_until)
    await until(line.cleared)


async def test_an_input_that_raises_while_it_is_read_carefully_is_not_taken_for_one_that_kills(line: Stack) -> None:
    """An orderly end is no death: five failures count against nobody, and nothing is skipped."""
    case, failures = await line.case(5), 5
    await line.write(case, await line.value(case, 1))
    await die_in_the_first_batch(line)
    tried: list[int] = []

    async def failing(tx: AsyncConnection, batch: Batch) -> Outcome:
        tried.append(len(batch.inputs))
        if len(tried) <= 2 * failures:  # each failure is tried together and alone
            raise RuntimeError("it will be better soon")
        return await counting(tx, batch)

    last = line.counter("b", handle=failing)
    last.start()
    await until(lambda: last.inputs)
    assert await line.distinct(QUARANTINE) == []
    await until(lambda: line.has(1))


async def test_what_waits_behind_a_process_killed_from_outside_is_read_in_growing_batches(line: Stack) -> None:
    """None of the records killed it, so that a thousand of them need not be read one by one."""
    case, waiting = await line.case(5), 200
    for number in range(1, waiting + 1):
        await line.write(case, await line.value(case, number))
    await die_in_the_first_batch(line)
    sizes: list[int] = []

    async def sized(tx: AsyncConnection, batch: Batch) -> Outcome:
        sizes.append(len(batch.inputs))
        return await counting(tx, batch)

    last = line.counter("b", handle=sized)
    last.start()
    await until(lambda: len(last.inputs) == waiting)
    assert sizes[0] == 1 and all(size <= GROWTH**number for number, size in enumerate(sizes))
    assert len(sizes) < waiting.bit_length(), sizes
    await until(line.cleared)  # the handler has seen the last batch, its transaction has not ended yet


async def test_a_unit_that_cannot_begin_rests_and_the_others_begin(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker answers, and not for one partition."""
    check, ill = rollback_check.check, {"p3"}

    async def checked(*more: Any) -> list[rollback_check.Rewound]:
        if ill & more[-1].keys():
            raise KafkaTimeoutError
        return await check(*more)

    monkeypatch.setattr("referral.runtime.loop.assignment.rollback_check.check", checked)
    monkeypatch.setattr("referral.runtime.loop.assignment.AGAIN", 0.5)
    case = await line.case(5)
    await line.write(case, await line.value(case, 1))
    counter = line.counter()
    counter.start()
    await until(lambda: counter.inputs and len(counter.units) == 11)
    await until(lambda: "unreadable: p3" in counter.not_ready.get("stopped", ""))
    ill.clear()
    await until(lambda: len(counter.units) == 12 and not counter.not_ready)


async def test_a_service_with_one_unit_gets_every_record_exactly_as_it_is(line: Stack) -> None:
    case = await line.case()
    value = await line.value(case, 1)
    await line.write(case, value, value, b"garbage")

    async def keep(tx: AsyncConnection, batch: Batch) -> Outcome:
        assert batch.owned == {"all"} and not batch.keys
        return Outcome()

    counter = line.counter(handle=keep, name="audit", one_unit=True, writes=None, reads=(IN, OUT, QUARANTINE))
    counter.start()
    await until(lambda: len(counter.inputs) == 3)
    assert [i.body.value for i in counter.inputs] == [value, value, b"garbage"]
    assert all(i.body.kafka_time > 0 for i in counter.inputs)
    assert len({i.id for i in counter.inputs}) == 3
    assert seal.open(counter.inputs[0].body.value).meta.case_id == case


async def test_a_lost_database_connection_is_fenced_and_the_loop_goes_on(line: Stack) -> None:
    case = await line.case()
    counter = line.counter()
    counter.start()
    await line.write(case, await line.value(case, 1))
    await until(lambda: counter.inputs)
    await line.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'routing' AND datname = current_database()")
    await line.write(case, await line.value(case, 2))
    await until(lambda: {i.seq for i in counter.inputs} == {1, 2})
    await until(lambda: _until_seq(line, 2))
    assert [m.case_seq for m in await line.metas()] == [1, 2]


async def _until_seq(line: Stack, seq: int) -> bool:
    return any(m.case_seq == seq for m in await line.metas())


async def test_a_drill_s_database_refuses_a_process_that_is_none(line: Stack) -> None:
    from referral.errors import Rejected
    from referral.runtime.postgres import clock

    real = msgspec.structs.replace(line.settings, drill_clock=False)
    async with line.admin.begin() as tx:
        with pytest.raises(Rejected, match="no-drill"):
            await clock.advance(tx, real, 1)
        before = await clock.now(tx)
        assert await clock.advance(tx, line.settings, 3_600_000_000) >= before + 3_600_000_000
    async with connecting(database.engine(line.settings, "routing")) as own:
        from sqlalchemy.exc import DBAPIError

        with pytest.raises(DBAPIError):
            await clock.advance(own, line.settings, 1)
    line.settings = real
    counter = line.counter()
    counter.start()
    await until(lambda: counter.task and counter.task.done())
    assert "drill" in str(counter.task.exception())
    with pytest.raises(Rejected, match="drill"):
        await bootstrap.prepare_database(real)
    assert make_url(real.database).database
