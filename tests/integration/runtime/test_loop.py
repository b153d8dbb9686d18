"""The loop: what comes in is handled once, in order, and said once."""

from __future__ import annotations

import asyncio
import socket
import uuid

import pytest
from aiokafka.errors import KafkaError
from msgspec import Struct, structs
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import KnockAnswered, KnockSent
from referral.domain.inputs import Due, derived
from referral.runtime.kafka import clients
from referral.runtime.loop import outbox
from referral.runtime.postgres import clock, queue
from referral.runtime.service import Batch, Outcome
from referral.runtime.settings import Settings
from referral.runtime.testing.clock import stand_still
from referral.wire import seal, topics
from tests.harness.line.runtime_stack import IN, QUARANTINE, Stack, came, counting, said
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
HOUR = 3_600_000_000


async def test_what_comes_in_is_handled_in_order_and_said_once(line: Stack) -> None:
    case = await line.case()
    await line.write(case, *[await line.value(case, n) for n in range(1, 6)])
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 5)
    assert [i.seq for i in counter.inputs] == [1, 2, 3, 4, 5]
    await counter.end()
    metas = await line.metas()
    assert [m.case_seq for m in metas] == [1, 2, 3, 4, 5]
    assert [m.event_id for m in metas] == [derived(i.id, 0) for i in counter.inputs]
    assert [r.partition for r in await line.distinct()] == [topics.partition(case)] * 5
    again = line.counter("b")
    again.start()
    await until(lambda: len(again.units) == 12)
    await line.write(case, await line.value(case, 6))
    await until(lambda: again.inputs)
    assert [i.seq for i in again.inputs] == [6]


async def test_records_larger_than_a_fetch_come_all_the_same(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clients.CONSUMER, "max_partition_fetch_bytes", 100)  # type: ignore[index]
    cases = [await line.case(n) for n in range(0, 12, 2)]
    for seq in (1, 2, 3):
        for case in cases:
            await line.write(case, await line.value(case, seq))
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 18)
    assert all([i.seq for i in counter.inputs if i.case_id == case] == [1, 2, 3] for case in cases)


async def test_a_door_s_rows_are_drained_by_flag_even_when_a_lower_number_commits_later(line: Stack) -> None:
    case = await line.case()
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.units) == 12)
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    async with line.admin.connect() as slow:
        key = (await line.keys.load(slow, [case]))[case]
        await slow.exec_driver_sql("SET search_path = routing, runtime")
        await queue.put(slow, case, came(), first, key)
        async with counter.engine.begin() as quick:
            await queue.put(quick, case, came(), second, key)
        await until(lambda: counter.inputs)
        await slow.commit()
    await until(lambda: len(counter.inputs) == 2)
    assert [i.id for i in counter.inputs] == [second, first]
    assert {i.source.topic for i in counter.inputs} == {"queue"}


async def test_sent_rows_are_kept_for_longer_than_anything_is_repeated_and_then_deleted(line: Stack) -> None:
    case = await line.case()
    async with line.admin.begin() as tx:
        key = (await line.keys.load(tx, [case]))[case]
        await tx.exec_driver_sql("SET LOCAL search_path = routing, runtime")
        for id_ in (old := str(uuid.uuid4()), young := str(uuid.uuid4()), waiting := str(uuid.uuid4())):
            await queue.put(tx, case, came(), id_, key)
    await line.sql("UPDATE routing.queue SET sent = id <> :w, at = at - :past", w=waiting, past=(queue.KEEP + 10) * 1_000_000)
    await line.sql("UPDATE routing.queue SET at = at + 20 * 1000000 WHERE id = :y", y=young)
    counter = line.counter()
    counter.start()
    await until(lambda: counter.inputs)
    await until(lambda: _none(line, f"SELECT * FROM routing.queue WHERE id = '{old}'"))
    assert {row[0] for row in await line.sql("SELECT id FROM routing.queue")} == {young, waiting}
    assert [i.id for i in counter.inputs] == [waiting]


async def test_the_doorbell_wakes_the_owner_before_its_poll(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.tenure.POLL", 600.0)
    monkeypatch.setattr("referral.runtime.loop.timers.REST", 600.0)
    case = await line.case()
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.units) == 12 and not counter.not_ready)
    async with counter.engine.begin() as tx:
        key = (await line.keys.load(tx, [case]))[case]
        await queue.put(tx, case, came(), str(uuid.uuid4()), key)
    await until(lambda: counter.inputs)


async def test_what_a_handler_enqueues_reaches_another_partition(line: Stack) -> None:
    here, there = await line.case(1), await line.case(2)
    id_ = str(uuid.uuid4())

    async def raising(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = await counting(tx, batch)
        for i in batch.inputs:
            if i.case_id == here:
                outcome.enqueue(there, came(), id=id_)
        return outcome

    counter = line.counter(handle=raising)
    counter.start()
    await line.write(here, await line.value(here, 1))
    await until(lambda: len(counter.inputs) == 2)
    assert [(i.case_id, i.source.topic) for i in counter.inputs] == [(here, IN), (there, "queue")]
    await until(lambda: line.metas())
    await counter.end()
    assert {m.case_id for m in await line.metas()} == {here, there}


async def test_one_input_that_raises_is_handled_by_the_fallback_and_the_others_as_ever(line: Stack) -> None:
    bad, good = await line.case(4), await line.case(4)

    async def choosy(tx: AsyncConnection, batch: Batch) -> Outcome:
        if any(i.case_id == bad for i in batch.inputs):
            raise ZeroDivisionError
        return await counting(tx, batch)

    async def fallback(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = Outcome()
        outcome.emit(batch.inputs[0], said("fallback"))
        return outcome

    await line.write(bad, await line.value(bad, 1))
    await line.write(good, await line.value(good, 1))
    counter = line.counter(handle=choosy, fallback=fallback)
    counter.start()
    await until(lambda: counter.inputs)
    await counter.end()
    assert [m.case_id for m in await line.metas()] == [bad, good]


async def test_an_event_that_no_broker_takes_is_known_before_the_commit(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    case = await line.case()

    async def wordy(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = Outcome()
        for i in batch.inputs:
            outcome.emit(i, said("x" * 500))
        return outcome

    monkeypatch.setattr("referral.runtime.loop.outbox.RECORD", 1600)
    await line.write(case, await line.value(case, 1))
    counter = line.counter(handle=wordy, fallback=counting)
    counter.start()
    await until(lambda: line.metas())
    await counter.end()
    assert [m.case_seq for m in await line.metas()] == [1]


async def test_a_failed_publication_goes_out_again_with_the_same_bytes(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    case = await line.case()
    true, failures = outbox.publish, []

    async def failing(*given):
        ends = await true(*given)
        if not failures:
            failures.append(ends)
            raise KafkaError("the acknowledgement was lost")
        return ends

    monkeypatch.setattr(outbox, "publish", failing)
    await line.write(case, await line.value(case, 1), await line.value(case, 2))
    counter = line.counter()
    counter.start()

    async def repeated() -> bool:  # the repeat is the promise here, so repeats count
        return len(await line.records()) >= 4

    await until(repeated)
    await line.write(case, await line.value(case, 3))
    await until(lambda: len(counter.inputs) == 3)
    await counter.end()
    records = await line.records()
    assert [seal.open(r.value).meta.case_seq for r in records[:4]] == [1, 2, 1, 2]
    assert [m.case_seq for m in await line.metas()] == [1, 2, 3]
    assert [(r.key, r.value, r.headers) for r in records[:2]] == [(r.key, r.value, r.headers) for r in records[2:4]]
    assert await line.sql("SELECT * FROM routing.outbox") == []


async def test_what_was_published_is_kept_until_the_log_has_read_it(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.outbox_age.EVERY_S", 0.1)
    case, counter = await line.case(), line.counter()
    await line.write(case, await line.value(case, 1), await line.value(case, 2))
    counter.start()
    published = "SELECT partition, published FROM routing.outgoing WHERE published IS NOT NULL ORDER BY published"
    await until(lambda: len(counter.inputs) == 2)
    kept = await until(lambda: line.sql(published))
    assert await line.sql("SELECT * FROM routing.outbox") == [], "nothing waits"
    partition, first = kept[0]
    read = "INSERT INTO audit.lease (unit, positions) VALUES ('all', jsonb_build_object('referral-routing/{}', jsonb_build_array({}, '')))"
    await line.sql(read.format(partition, first))

    async def gone() -> bool:
        return all(end > first for _, end in await line.sql(published))

    await until(gone)
    await line.sql(f"UPDATE audit.lease SET positions = jsonb_build_object('referral-routing/{partition}', jsonb_build_array(999, ''))")
    await until(lambda: nothing(line, published))
    await counter.end()


async def nothing(line: Stack, statement: str) -> bool:
    return await line.sql(statement) == []


async def test_an_alarm_comes_back_as_an_input_at_its_time_and_only_once(line: Stack) -> None:
    case = await line.case()

    async def sleepy(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = await counting(tx, batch)
        for i in batch.inputs:
            if not isinstance(i.body, Due):
                outcome.wake(i.case_id, batch.now + HOUR)
        return outcome

    async with line.admin.begin() as tx:
        now = await stand_still(tx)
    await line.write(case, await line.value(case, 1))
    counter = line.counter(handle=sleepy)
    counter.start()
    await until(lambda: line.sql("SELECT * FROM routing.alarm"))
    for by, inputs in ((HOUR - 1, 1), (1, 2)):
        async with line.admin.begin() as tx:
            await clock.advance(tx, line.settings, by)
        await line.write(case, b"somebody else's")  # a turn is over when its record is refused
        await until(lambda inputs=inputs: line.has(inputs, QUARANTINE))
        await until(lambda inputs=inputs: len(counter.inputs) == inputs)
    due = counter.inputs[1]
    assert isinstance(due.body, Due) and (due.case_id, due.body.at) == (case, now + HOUR)
    assert due.id == derived(case, f"due:{due.body.at}:1")
    await until(lambda: _none(line, "SELECT * FROM routing.alarm"))


async def _none(line: Stack, statement: str) -> bool:
    return not await line.sql(statement)


DOORS = ("intake.waiting", "notifier.answered")
OFFER = str(uuid.uuid4())


def pressed() -> KnockAnswered:
    return KnockAnswered(offer_id=OFFER, rung=0, person=OFFER, channel="voice", word="LOOKS", reference=OFFER, at=0)


def told() -> KnockSent:
    return KnockSent(offer_id=OFFER, rung=0, person=OFFER, channel="sms", again=0, reference=OFFER, at=0)


async def waiting(line: Stack, case: str, door: str, event: Struct) -> None:
    """An event of a case that a service has taken and not published yet; then the case's alarm is due."""
    async with line.admin.begin() as tx:
        key = (await line.keys.load(tx, [case]))[case]
        await tx.exec_driver_sql(f"SET LOCAL search_path = {door}, runtime")
        await queue.put(tx, case, event, str(uuid.uuid4()), key)
    await line.sql("INSERT INTO routing.alarm VALUES (:c, :p, runtime.clock())", c=case, p=topics.partition(case))


@pytest.mark.parametrize(("door", "event"), [("intake", came()), ("notifier", pressed())], ids=["an answer", "a pressed key"])
async def test_an_answer_that_waits_at_a_door_beats_its_deadline(line: Stack, door: str, event: Struct) -> None:
    case = await line.case()
    await waiting(line, case, door, event)
    counter = line.counter(waits_for=DOORS)
    counter.start()
    await until(lambda: len(counter.units) == 12 and counter.tenure.gate.held_since)
    assert counter.inputs == []
    await line.write(case, await line.value(case, 1))
    await line.sql(f"UPDATE {door}.queue SET sent = true")
    await until(lambda: len(counter.inputs) == 2)
    assert [type(i.body).__name__ for i in counter.inputs] == ["ReferralWithdrawn", "Due"]


async def test_a_dead_door_does_not_stop_an_alarm_for_ever(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.timers.CAP", 1.0)
    case = await line.case()
    await waiting(line, case, "intake", came())
    counter = line.counter(waits_for=DOORS)
    counter.start()
    await until(lambda: counter.inputs)
    assert isinstance(counter.inputs[0].body, Due)


OUTBOX = (
    "INSERT INTO notifier.outbox (partition, records, oldest, blob)"
    " SELECT :p, 1, coalesce(min(at), runtime.clock() - 1000000), '' FROM notifier.queue"
)
HELD = "SELECT partition FROM notifier.answered"


async def test_a_pressed_key_holds_alarms_back_until_its_batch_is_published(line: Stack) -> None:
    """A batch without one holds none back."""
    case = await line.case()
    await line.sql(OUTBOX, p=topics.partition(case))
    assert await line.sql(HELD) == []
    await line.sql("DELETE FROM notifier.outbox")
    await waiting(line, case, "notifier", pressed())
    await line.sql("UPDATE notifier.queue SET sent = true")
    assert await line.sql(HELD) == []
    await line.sql(OUTBOX, p=topics.partition(case))
    assert [row.partition for row in await line.sql(HELD)] == [topics.partition(case)]


async def test_messages_to_staff_hold_no_alarm_back(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.timers.CAP", 3600.0)
    case = await line.case()
    await waiting(line, case, "notifier", told())
    counter = line.counter(waits_for=DOORS)
    counter.start()
    await until(lambda: counter.inputs)
    assert isinstance(counter.inputs[0].body, Due)


@pytest.mark.kafka
async def test_a_producer_whose_broker_is_away_is_thrown_away_at_once(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    case = await line.case()
    true = clients.producer
    made = []

    def deaf(settings: Settings):
        producer = true(settings)
        made.append(producer)
        if len(made) == 1:

            async def never(node_id: int, request: object, **_: object) -> None:
                await asyncio.Event().wait()

            start = producer.start

            async def started() -> None:
                await start()
                producer.client.send = never

            producer.start = started
        return producer

    monkeypatch.setattr("referral.runtime.kafka.clients.producer", deaf)
    monkeypatch.setattr("referral.runtime.kafka.publish.LIMIT", 0.5)
    await line.write(case, await line.value(case, 1))
    counter = line.counter()
    counter.start()
    await until(lambda: len(made) == 2)
    await until(lambda: line.metas())
    assert made[0]._closed
    assert [m.case_seq for m in await line.metas()] == [1]


async def test_what_waits_for_a_broker_that_does_not_answer_grows_old(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.outbox_age.EVERY_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the connection and says nothing, as a stopped broker
        line.settings = structs.replace(line.settings, kafka=f"127.0.0.1:{silent.getsockname()[1]}")
        case, counter = await line.case(), line.counter()
        counter.start()
        async with line.admin.begin() as tx:
            key = (await line.keys.load(tx, [case]))[case]
            await tx.exec_driver_sql("SET LOCAL search_path = routing, runtime")
            await queue.put(tx, case, came(), str(uuid.uuid4()), key)
        await until(lambda: REGISTRY.get_sample_value("referral_outbox_age_seconds", {"service": "routing"}) > 1.0)
        await counter.kill()
