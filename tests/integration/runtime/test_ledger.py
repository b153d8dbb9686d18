"""A service knows what it wrote: a foreign record on its own topic is named at once, and neither stops nor sets back anything."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY
from sqlalchemy import text

from referral.domain.inputs import RecordLost
from referral.runtime.kafka import clients
from referral.runtime.loop import ledger
from referral.runtime.loop.decode import Opened
from referral.runtime.loop.reader import Taken
from referral.wire import seal
from tests.harness.line.runtime_stack import OUT, QUARANTINE, Counter, Stack, said
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


def foreign(service: str = "routing", topic: str = OUT) -> float:
    """Records that this service has disowned so far."""
    return REGISTRY.get_sample_value("referral_foreign_total", {"service": service, "topic": topic}) or 0.0


async def forged(line: Stack, case: str, seq: int, what: str = "forged") -> bytes:
    """As by somebody who has the master key and the broker: sealed under the case's key."""
    return await line.value(case, seq, said(what), OUT, source="routing")


def garbage(value: bytes) -> bytes:
    """The same record under another key."""
    meta = seal.open(value).meta
    return seal.seal(os.urandom(32), OUT, meta, b"nothing", os.urandom(12))


async def working(line: Stack, partition: int = 0) -> tuple[Counter, str]:
    """The service at work, with one record of a case on its topic."""
    case, counter = await line.case(partition), line.counter()
    counter.start()
    await line.write(case, await line.value(case, 1))
    await until(lambda: line.has(1))
    return counter, case


def confirmed(counter: Counter) -> int:
    """The offset of its own topic up to which it knows every record."""
    return counter.tenure.assignment.units["p0"].positions.get((OUT, 0), (0, ""))[0] if "p0" in counter.units else 0


def asked(counter: Counter) -> list[tuple[str, int, str]]:
    """The records for which the case's desk is asked."""
    return [(i.body.topic, i.body.seq, i.body.reason) for i in counter.inputs if isinstance(i.body, RecordLost)]


@asynccontextmanager
async def transaction(line: Stack, value: bytes, case: str) -> AsyncIterator[AIOKafkaProducer]:
    """Somebody's transaction with one record on the service's topic; still open while the block runs, unless the block ends it."""
    stranger = clients.producer(line.settings, transactional_id=f"stranger-{case}")
    await stranger.start()
    try:
        await stranger.begin_transaction()
        await stranger.send_and_wait(line.settings.topic(OUT), value, key=case.encode(), partition=0)
        yield stranger
    finally:
        await stranger.stop()


async def test_a_record_that_the_owner_did_not_write_is_named_at_once_and_the_true_one_is_applied(line: Stack) -> None:
    before = foreign()
    counter, case = await working(line)
    offset = await line.write(case, await forged(line, case, 2), topic=OUT)
    await until(lambda: foreign() == before + 1)
    await until(lambda: asked(counter) == [(OUT, 2, "foreign")])
    await until(lambda: line.has(1, QUARANTINE))
    assert [r.key for r in await line.distinct(QUARANTINE)] == [f"routing/{OUT}/0/{offset}".encode()]
    await line.write(case, await line.value(case, 2))
    await until(lambda: line.has(4))
    assert [m.case_seq for m in await line.metas()] == [1, 2, 3, 4], "nothing true stands on the forged number"
    reader = line.counter("n", name="notifier", reads=(OUT,), writes="referral-notification")
    reader.start()
    await until(lambda: len(reader.inputs) == 4)
    assert asked(reader) == []


async def test_one_that_came_before_the_true_one_is_named_by_the_acknowledgement_and_readers_ask_the_desk(
    line: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("referral.runtime.loop.ledger.EVERY", 3600.0)
    before = foreign()
    counter, case = await working(line)
    await line.write(case, await forged(line, case, 2), await forged(line, case, 3), topic=OUT)
    await line.write(case, await line.value(case, 2))
    await until(lambda: foreign() == before + 2)
    await until(lambda: line.has(6))
    assert [m.case_seq for m in await line.metas()] == [1, 2, 3, 2, 4, 5], "the last two ask the desk"
    assert counter.inputs[-1].case_id == case
    reader = line.counter("n", name="notifier", reads=(OUT,), writes="referral-notification")
    reader.start()
    await until(lambda: len(reader.inputs) == 6)
    assert asked(reader) == [(OUT, 2, "fork")], "the true record is not dropped in silence"


@pytest.mark.parametrize("strange", [False, True])
async def test_what_a_dead_process_published_and_did_not_confirm_is_explained_by_the_take_over(
    line: Stack, strange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads it a second time, unless a stranger's record is among them."""
    looked, strangers, before = [0], ledger.strangers, foreign()

    def counted(own: list[Taken], secret: bytes) -> list[Opened]:
        looked.append(len(own))
        return strangers(own, secret)

    counter, case = await working(line)
    await until(lambda: confirmed(counter) == 1)
    await counter.end()
    await line.sql("UPDATE routing.lease SET positions = positions - CAST(:own AS text) WHERE unit = 'p0'", own=f"{OUT}/0")
    if strange:
        await line.write(case, garbage(await forged(line, case, 7)), topic=OUT)
    monkeypatch.setattr("referral.runtime.loop.ledger.strangers", counted)
    again = line.counter("b")
    again.start()
    await until(lambda: "p0" in again.units and not again.not_ready)
    await line.write(case, await line.value(case, 2))
    await until(lambda: confirmed(again) == 2 + strange)
    assert foreign() == before + strange
    assert (sum(looked) > 0) == strange


async def test_a_jump_that_no_writer_makes_takes_no_sequence(line: Stack) -> None:
    case, reader = await line.case(), line.counter("n", name="notifier", reads=(OUT,), writes="referral-notification")
    await line.write(case, await forged(line, case, 2**40), await forged(line, case, 1), topic=OUT)
    reader.start()
    await until(lambda: len(reader.inputs) == 2)
    assert [(type(i.body).__name__, i.seq) for i in reader.inputs] == [("RecordLost", 2**40), ("DeadlinePassed", 1)]


async def test_a_foreign_record_is_no_restored_database(line: Stack) -> None:
    before = foreign()
    counter, case = await working(line)
    await counter.end()
    await line.write(case, garbage(await forged(line, case, 7)), await forged(line, case, 2), topic=OUT)
    again = line.counter("b")
    again.start()
    await until(lambda: len(again.units) == 12 and not again.not_ready)
    assert again.tenure.assignment.stopped == {}
    await until(lambda: foreign() == before + 2)
    await line.write(case, await line.value(case, 2))
    await until(lambda: [i for i in again.inputs if i.seq == 2 and not isinstance(i.body, RecordLost)])
    assert again.tenure.assignment.stopped == {}


async def test_what_a_predecessor_published_and_could_not_confirm_is_its_own(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiokafka.errors import KafkaError

    from referral.runtime.loop import outbox

    before, true, failures = foreign(), outbox.publish, []

    async def failing(*given):
        done = await true(*given)
        if not failures:
            failures.append(done)
            raise KafkaError("the acknowledgement was lost")
        return done

    monkeypatch.setattr(outbox, "publish", failing)
    counter, case = await working(line)

    async def repeated() -> bool:  # the repeat is what this test is about, so repeats count
        return len(await line.records()) >= 2

    await until(repeated)
    await line.write(case, await line.value(case, 2))
    await until(lambda: line.has(2))
    await until(lambda: confirmed(counter) >= 3)
    assert [m.case_seq for m in await line.metas()] == [1, 2]
    assert foreign() == before and asked(counter) == []


@pytest.mark.parametrize("end", ["abort", "commit", "open"])
async def test_a_transaction_on_the_own_topic_keeps_nobody_from_taking_over(line: Stack, end: str) -> None:
    before = foreign()
    counter, case = await working(line)
    await counter.end()
    async with transaction(line, garbage(await forged(line, case, 7)), case) as stranger:
        if end == "abort":
            await stranger.abort_transaction()
        elif end == "commit":
            await stranger.commit_transaction()
        again = line.counter("b")
        again.start()
        await until(lambda: len(again.units) == 12 and not again.not_ready)
        await until(lambda: foreign() == before + 1)
        await line.write(case, await line.value(case, 2))
        await until(lambda: again.inputs)
        await again.end()  # and once more, now that its own record stands above the stranger's
        last = line.counter("c")
        last.start()
        await until(lambda: len(last.units) == 12 and not last.not_ready)
        assert last.tenure.assignment.stopped == {}


TABLES = ("lease", "seen", "outgoing", "alarm", "suspect")


async def test_a_dump_restored_under_a_running_service_is_noticed_before_anything_is_said(line: Stack) -> None:
    counter, case = await working(line)
    await until(lambda: confirmed(counter) >= 1)
    for table in TABLES:
        await line.sql(f"CREATE TABLE copy_{table} AS SELECT * FROM routing.{table}")
    await line.write(case, await line.value(case, 2))
    await until(lambda: confirmed(counter) >= 2)
    async with line.admin.begin() as tx:  # owner and epoch of the copy are those of the instance that runs
        await tx.execute(text("TRUNCATE " + ", ".join(f"routing.{table}" for table in TABLES)))
        for table in TABLES:
            always = " OVERRIDING SYSTEM VALUE" if table == "outgoing" else ""
            await tx.execute(text(f"INSERT INTO routing.{table}{always} SELECT * FROM copy_{table}"))
    await line.write(case, await line.value(case, 3))
    await until(lambda: "rewound-sql" in counter.not_ready.get("stopped", ""))
    assert [m.case_seq for m in await line.metas()] == [1, 2]


async def test_nothing_is_decided_by_a_clock_that_somebody_moved(line: Stack) -> None:
    await line.sql("UPDATE runtime.settings SET value = '0' WHERE name = 'drill'")
    line.settings = msgspec.structs.replace(line.settings, drill_clock=False)
    counter, case = await working(line)
    await line.sql("UPDATE runtime.clock SET offset_us = -2592000000000")
    await line.write(case, await line.value(case, 2))
    await until(lambda: "clock" in counter.not_ready)
    assert [i.seq for i in counter.inputs] == [1] and "offset_us = 0" in counter.not_ready["clock"]
    await line.sql("UPDATE runtime.clock SET offset_us = 0")
    await until(lambda: [i.seq for i in counter.inputs] == [1, 2])
    await until(lambda: not counter.not_ready)
