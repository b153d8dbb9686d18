"""What oversight does when a month has closed, on a real database and broker: when, what is refused, and what a lost database gets back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from msgspec import structs
from prometheus_client import REGISTRY

from referral.cli.admin import oversight
from referral.domain.events import Counted, ReleaseMade
from referral.domain.inputs import derived
from referral.errors import NewerVersion, Rejected
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys
from referral.runtime.observe import Health
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from referral.wire.topics import partition
from services.oversight import feed, scheduler, store
from services.oversight.calendar import after, begins, closes
from services.oversight.counting.projection import Courses
from services.oversight.record_reader import RecordReader
from services.oversight.release import Release
from services.oversight.release_builder import ReleaseBuilder
from services.oversight.scheduler import GRACE, Hole, ReleaseScheduler
from tests.harness import made_releases
from tests.harness.engines import beginning
from tests.harness.erased import INTAKE
from tests.harness.line.oversight_stack import LATER, line
from tests.harness.oversight_log import Record, year

pytestmark = pytest.mark.servers
JAN, FEB, MAR = "2054-01", "2054-02", "2054-03"
DAY = 86_400_000_000


def release(number: int, month: str, children: int = 40, corrects: int | None = None, late: int = 0) -> Release:
    """Made up. late: as if it were a figure, so that two which count otherwise are not the same."""
    block = made_releases.Block(number, "child-labour", month, month, children).two("withdrawn", 12)
    one = made_releases.made(number, month, block.figures, corrects)
    return Release(structs.replace(one.made, counted=(Counted(what="late", count=late),)), one.figures)


def at(moment: int, name: str) -> Record:
    """A record of another case, recorded at this moment of 2054."""
    topic, meta, body = year(1)[0]
    return topic, structs.replace(meta, case_id=derived(meta.case_id, name), recorded_at=moment - LATER), body


class MadeUp(ReleaseBuilder):
    """Makes releases without courses: what is late makes the first release be corrected."""

    def due(self, before: Sequence[Release]) -> str:
        return max((after(one.made.month) for one in before), default=JAN)

    def make(self, before: Sequence[Release], month: str) -> list[Release]:
        number, late = len(before) + 1, self.reading.late()
        told = [release(number, month, late=late)]
        return [*told, release(number + 1, JAN, 60, corrects=1)] if late else told


@dataclass
class Teller:
    """The process without Faust."""

    closing: ReleaseScheduler

    @property
    def builder(self) -> ReleaseBuilder:
        return self.closing.builder

    @property
    def releases(self) -> list[Release]:
        return self.closing.releases

    async def read(self) -> None:
        """All that is there and was not read yet."""
        async for record in _records(self.closing.settings, self.closing.done):
            await self.closing.take([record])

    async def look(self) -> None:
        """A month that is due is told at one look, and published at the next."""
        for _ in range(2):
            await self.closing.look()
            assert not self.closing.health.not_ready()


async def _records(settings: Settings, done: dict[tuple[str, int], int]) -> AsyncIterator[ConsumerRecord]:
    reader = clients.consumer(settings)
    await reader.start()
    try:
        places = {TopicPartition(settings.topic(topic), n): done.get((topic, n), 0) for topic, n in feed.PLACES}
        ends = {place: end for place, end in (await reader.end_offsets(list(places))).items() if end > places[place]}
        reader.assign(list(ends))
        for place in ends:
            reader.seek(place, places[place])
        while any([await reader.position(place) < end for place, end in ends.items()]):
            for batch in (await reader.getmany(timeout_ms=1000)).values():
                for record in batch:
                    yield record
    finally:
        await clients.halt(reader)


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Teller]:
    """It has real cases: no exercise."""
    settings = structs.replace(settings, drill_clock=False)
    master, engine, probe = case_keys.read(settings), database.engine(settings, "oversight"), clients.consumer(settings)
    await probe.start()
    try:
        builder = MadeUp(RecordReader(Courses(), INTAKE), lambda: ())
        closing = ReleaseScheduler(settings, engine, master, builder, Health(), probe)
        await closing.start()
        yield Teller(closing)
    finally:
        await clients.halt(probe)
        await engine.dispose()


async def test_a_lost_database_comes_back_with_its_correction_and_counts_what_came_late_alike(settings: Settings) -> None:
    async with line(settings) as made, started(settings) as told:
        await made.write([at(begins(JAN), "first")])
        await told.read()
        await made.at(closes(JAN) + GRACE // 2)
        await told.look()
        assert not told.releases, "what is on its way is waited for"
        await made.at(closes(JAN) + GRACE)
        await told.look()
        assert [one.made.month for one in told.releases] == [JAN]
        await made.write([at(begins(JAN), "late")])
        await told.look()
        assert REGISTRY.get_sample_value("referral_oversight_behind") == 0, "nobody sees in a metric that something was said"
        await told.read()
        await made.at(closes(FEB) + GRACE)
        await told.look()
        said = [(one.made.month, one.made.corrects, one.made.counted[0].count) for one in told.releases]
        assert said == [(JAN, None, 0), (FEB, None, 1), (JAN, 1, 0)]
        assert await feed.read(settings) == told.releases and all(map(feed.whole, told.releases)), "each has its figures beside the others"
        await made.write([at(closes(FEB) - DAY, "later")])
        await told.read()
        undisturbed = [*told.releases, *told.builder.make(told.releases, MAR)]
        assert undisturbed[3].made.counted[0].count == 1
        await made.forget()
        async with started(settings) as other:
            assert other.releases == told.releases
            await other.read()
            await made.at(closes(MAR) + GRACE)
            await other.look()
            assert other.releases == undisturbed


async def test_nothing_is_stored_of_a_batch_that_was_not_counted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of a newer release ends the process; one more look, before it is ended, must not store that it was read."""
    async with line(settings) as made, started(settings) as told:
        await made.write([at(begins(JAN), "first")])
        await told.read()
        await told.look()
        stored = await told.closing.progress.positions()
        assert sum(further for further, *_ in stored.values()) == 1
        monkeypatch.setattr(scheduler, "SAVE", 0.0)
        monkeypatch.setattr(RecordReader, "take", _newer)
        await made.write([at(begins(JAN), "second")])
        with pytest.raises(NewerVersion):
            await told.read()
        await told.look()
        assert await told.closing.progress.positions() == stored


def _newer(reader: RecordReader, records: object, keys: object) -> None:
    raise NewerVersion("case-opened.v99")


async def test_a_feed_that_says_otherwise_is_refused_and_one_that_says_less_is_told_again(settings: Settings) -> None:
    master, one, (read, end) = case_keys.read(settings), release(1, JAN), (feed.PLACES[0], 7)
    async with beginning(database.admin(settings)) as tx:
        await store.keep(tx, one, {read: end}, published_at=5)
    async with started(settings) as told:
        await told.look()
        assert await feed.read(settings) == [one] and (await feed.cuts(settings, master))[1][read] == end
        with pytest.raises(Hole):
            await told.closing.take([_record(settings, offset=1)])
    await feed.publish(settings, master, release(1, JAN, 70), {})
    with pytest.raises(Rejected, match="another one on the feed"):
        await _start(settings)
    await feed.publish(settings, master, one, {read: end})
    await _start(settings)
    await feed.publish(settings, master, release(3, MAR), {})
    with pytest.raises(Rejected, match="not all of it is left"):
        await _start(settings)
    torn = release(2, FEB)
    await feed.publish(settings, master, Release(torn.made, torn.figures[1:]), {})
    with pytest.raises(Rejected, match="not all of it is left"):
        await _start(settings)


async def test_where_nobody_knows_how_far_was_read_only_what_comes_from_now_on_is_late(settings: Settings) -> None:
    await feed.publish(settings, case_keys.read(settings), release(1, JAN), {})
    async with line(settings) as made:
        await made.write([at(begins(JAN), "first")])
        async with started(settings) as told:
            await told.read()
            assert told.builder.reading.late() == 0
            await made.write([at(begins(JAN), "late")])
            await told.read()
            assert told.builder.reading.late() == 1


async def test_releases_that_are_lost_are_not_made_again_unless_somebody_says_that_none_was(settings: Settings) -> None:
    async with line(settings) as made, started(settings) as told:
        await made.at(closes(MAR))
        with pytest.raises(Rejected, match="no release is left"):
            await told.look()
        assert await made.releases() == ([], set())
        async with made.admin.begin() as tx:
            await oversight.begin(tx)
        await told.look()
        assert [one.made.month for one in told.releases] == [JAN, FEB]


def _record(settings: Settings, offset: int) -> ConsumerRecord:
    topic, partition = feed.PLACES[0]
    return ConsumerRecord(settings.topic(topic), partition, offset, 0, 0, b"", b"", None, 0, 0, ())


async def _start(settings: Settings) -> None:
    async with started(settings):
        pass


async def transaction(settings: Settings, topic: str, partition: int, *, abort: bool) -> None:
    """Somebody's, who may write there; its marker stays for ever."""
    async with AIOKafkaProducer(**clients.reached(settings), transactional_id=settings.topic_prefix) as writer:
        await writer.begin_transaction()
        await writer.send_and_wait(settings.topic(topic), b"x", key=b"k", partition=partition)
        await (writer.abort_transaction() if abort else writer.commit_transaction())


async def test_a_transaction_s_marker_is_no_hole_and_holds_back_no_release(settings: Settings) -> None:
    """One in the middle of a partition, one at its end, where no record tells that something stands there."""
    first, second = at(begins(JAN), "first"), at(begins(JAN) + DAY, "first")
    topic, meta, body = second
    place = first[0], partition(first[1].case_id)
    async with line(settings) as made, started(settings) as told:
        await made.write([first])
        await transaction(settings, *place, abort=False)
        await made.write([(topic, structs.replace(meta, case_seq=meta.case_seq + 1), body)])
        await transaction(settings, *place, abort=True)
        await told.read()
        assert told.closing.done[place] in (3, 4), "a commit's marker may come behind the record that was written after it"
        await made.at(closes(JAN) + GRACE)
        async with asyncio.timeout(60):
            while not told.releases:
                await told.look()
        assert [one.made.month for one in told.releases] == [JAN]


async def test_what_is_torn_on_the_feed_is_passed_over_and_its_release_published_again(settings: Settings) -> None:
    async with line(settings) as made, started(settings) as told:
        await made.write([at(begins(JAN), "first")])
        await told.read()
        await made.at(closes(JAN) + GRACE)
        await told.look()
        topic = settings.topic(ReleaseMade.TOPIC)
        for key in (b"release/1", b"\xff"):
            await made.producer.send_and_wait(topic, b"x", key=key, partition=0)
        assert await feed.read(settings) == [], "its last record is torn"
        async with started(settings) as other:
            assert other.releases == told.releases
            await other.read()
            await other.look()
        assert await feed.read(settings) == told.releases
