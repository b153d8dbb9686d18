"""An input that kills the process, in a real process: it is put aside after named attempts, and its partition goes on."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from referral.domain.events import Quarantined
from referral.runtime.kafka import clients
from referral.runtime.loop import attempts
from referral.runtime.postgres import database, queue
from referral.wire import codec, topics
from tests.harness import malformed
from tests.harness.line import poison
from tests.harness.line.runtime_stack import IN, OUT, QUARANTINE, Stack, came
from tests.harness.programs import Program
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]
HOUR = 3600 * 1_000_000


async def takes_over(line: Stack) -> None:
    """The next process has at once whatever a dead one held."""
    await line.sql("UPDATE routing.lease SET lease_until = '-infinity'")
    await line.sql("UPDATE routing.instance SET alive_until = '-infinity'")


@asynccontextmanager
async def survivor(line: Stack, case: str, *words: str, deaths: int) -> AsyncIterator[None]:
    """The process that lives after so many have died; it is ended with the block."""
    service = Program(line.settings, "tests.harness.line.poison", case, *words)
    for _ in range(deaths):
        await takes_over(line)
        service.start()
        assert await service.ended() == poison.KILLED
    await takes_over(line)
    service.start()
    try:
        yield
        assert service.runs()
    finally:
        await service.kill()


def said_by(line: Stack, case: str) -> Callable[[], Awaitable[bool]]:
    async def said() -> bool:
        return any(m.case_id == case for m in await line.metas())

    return said


async def put(line: Stack, case: str, id_: str) -> None:
    async with line.admin.begin() as tx:
        key = (await line.keys.load(tx, [case]))[case]
        await tx.exec_driver_sql("SET LOCAL search_path = routing, runtime")
        await queue.put(tx, case, came(), id_, key)


@pytest.mark.kafka
async def test_a_record_is_quarantined_unread_at_its_third_attempt(line: Stack) -> None:
    bad, good = await line.case(5), await line.case(5)
    await line.write(bad, await line.value(bad, 1))
    await line.write(good, await line.value(good, 1))
    async with survivor(line, bad, deaths=attempts.LAST):
        await until(said_by(line, good))
    assert [r.key for r in await line.distinct(QUARANTINE)] == [b"routing/referral-intake/5/0"]
    assert {m.case_id for m in await line.metas()} == {good}


@pytest.mark.kafka
async def test_a_record_among_many_is_found_and_quarantined(line: Stack) -> None:
    """The first death leaves 41 suspects; the second one comes in a batch of 16; then they are taken one by one."""
    bad, good = await line.case(5), await line.case(5)
    for number in range(1, 21):
        await line.write(good, await line.value(good, number))
    await line.write(bad, await line.value(bad, 1))
    for number in range(21, 41):
        await line.write(good, await line.value(good, number))
    async with survivor(line, bad, deaths=1 + 1 + attempts.LAST - 1):
        await until(lambda: _count(line, good, 40))
        await until(line.cleared)
    assert [r.key for r in await line.distinct(QUARANTINE)] == [b"routing/referral-intake/5/20"]
    assert {m.case_id for m in await line.metas()} == {good}


async def test_an_input_that_kills_is_counted_whatever_is_handled_between(line: Stack) -> None:
    """A unit reads several places, and their order is nobody's promise: what others write meanwhile must not begin the count anew."""
    kills, fine = (IN, 5), ("referral-notification", 5)
    engine = database.engine(line.settings, "routing", size=1)
    async with engine.connect() as tx:
        for deaths in range(attempts.LAST):
            assert await attempts.begin(tx, "p5", fine, deaths) == 1
            await attempts.end(tx, "p5", fine, deaths)
            await tx.commit()
            assert await attempts.begin(tx, "p5", kills, 7) == deaths + 1
    await engine.dispose()


async def test_what_was_counted_of_an_input_that_is_not_there_is_forgotten(line: Stack) -> None:
    """A record that comes late keeps its count: it may still kill."""
    case = await line.case(5)
    first = line.counter("a")
    first.start()
    await line.write(case, await line.value(case, 1))
    await until(lambda: first.inputs)
    await first.end()
    for topic, offset in ((IN, 0), (IN, 99), ("queue", 7)):
        await line.sql("INSERT INTO routing.suspect VALUES ('p5', :topic, 5, :offset, 2)", topic=topic, offset=offset)
    counter = line.counter("b")
    counter.start()

    async def forgotten() -> bool:
        return await line.sql('SELECT topic, "offset" FROM routing.suspect') == [(IN, 99)]

    await until(forgotten)


@pytest.mark.kafka
async def test_a_batch_that_cannot_be_decoded_and_kills_is_quarantined_unread_at_its_third_attempt(line: Stack) -> None:
    """Behind it stands a transaction's marker, which no reading one at a time may wait for."""
    good, topic = await line.case(5), line.settings.topic(IN)
    torn = malformed.deltas(random.Random(1))
    assert await malformed.produce(line.producer, topic, 5, torn) == ""
    async with clients.producer(line.settings, transactional_id=topic) as writer:
        await writer.begin_transaction()
        await writer.send_and_wait(topic, b"x", key=b"k", partition=5)
        await writer.abort_transaction()
    async with survivor(line, poison.UNDECODABLE, deaths=attempts.LAST):
        await until(lambda: line.has(1, QUARANTINE))
        await line.write(good, await line.value(good, 1))
        await until(said_by(line, good))
    [kept] = await line.distinct(QUARANTINE)
    assert kept.key == b"routing/referral-intake/5/1"
    body = codec.decode(Quarantined.TYPE, codec.fingerprint(Quarantined.TYPE), kept.value)
    assert isinstance(body, Quarantined) and body.reason == "kills-process" and body.length == len(torn)


async def test_a_marker_at_a_topic_s_end_holds_back_no_alarm(line: Stack) -> None:
    """It is no record, so no record says that everything was read."""
    case = await line.case(5)
    await line.write(case, await line.value(case, 1))
    async with clients.producer(line.settings, transactional_id=line.settings.topic(IN)) as writer:
        await writer.begin_transaction()
        await writer.send_and_wait(line.settings.topic(IN), b"x", key=b"k", partition=5)
        await writer.abort_transaction()
    await line.sql("INSERT INTO routing.alarm VALUES (:c, :p, runtime.clock())", c=case, p=5)
    counter = line.counter()
    counter.start()
    await until(lambda: any(i.source.topic == "alarm" for i in counter.inputs))

    async def gone() -> bool:
        return await line.sql("SELECT * FROM routing.alarm") == []

    await until(gone)  # it is handled a moment before its batch is committed


@pytest.mark.kafka
@pytest.mark.parametrize(("words", "deaths", "kept"), [((), 3, 1), (("gentle",), 3, 0)])
async def test_a_queue_row_goes_to_the_fallback_or_into_the_quarantine(line: Stack, words: tuple[str, ...], deaths: int, kept: int) -> None:
    bad, good = await line.case(5), await line.case(5)
    await put(line, bad, str(uuid.uuid4()))
    await put(line, good, str(uuid.uuid4()))
    async with survivor(line, bad, *words, deaths=deaths):
        await until(said_by(line, good))
        await until(line.cleared)
        await line.write(good, await line.value(good, 1))
        await until(lambda: _count(line, good, 2))
    quarantined = await line.distinct(QUARANTINE)
    assert len(quarantined) == kept and all(r.key.startswith(b"routing/queue/5/") for r in quarantined)
    assert any(m.case_id == bad for m in await line.metas()) is (kept == 0)
    assert await line.sql("SELECT * FROM routing.queue WHERE NOT sent") == []


async def _count(line: Stack, case: str, count: int) -> bool:
    return sum(m.case_id == case for m in await line.metas(OUT)) >= count


@pytest.mark.kafka
@pytest.mark.parametrize("words", [(), ("gentle",)])
async def test_an_alarm_goes_to_the_fallback_or_is_put_off_and_never_lost(line: Stack, words: tuple[str, ...]) -> None:
    bad, good = await line.case(5), await line.case(5)
    for case in (bad, good):
        await line.sql("INSERT INTO routing.alarm VALUES (:c, :p, runtime.clock())", c=case, p=topics.partition(case))
    async with survivor(line, bad, *words, deaths=attempts.LAST):
        await until(said_by(line, good))
        await until(line.cleared)
    left = await line.sql("SELECT case_id, at - runtime.clock() FROM routing.alarm")
    if words:  # the fallback answered for the case, and set no other
        assert any(m.case_id == bad for m in await line.metas()) and left == []
    else:
        assert [row[0] for row in left] == [bad] and HOUR * 0.9 < left[0][1] <= HOUR
