"""Schedule releases: take records, and when a period closes, make its release, store it and publish it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.errors import Rejected, Unavailable
from referral.runtime.background import back_off
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import decode
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Place, Unit, digest, place, word
from referral.runtime.observe import Health, log
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from referral.wire.signed.writer_signature import NO_WRITERS, Writers
from services.oversight import feed, store
from services.oversight.calendar import after, closes
from services.oversight.progress import Progress, Stood
from services.oversight.release import Release
from services.oversight.release_builder import ReleaseBuilder

READ = Counter("referral_oversight_records", "Of an exercise only: records that were read, also those that say nothing new.", ["topic"])
"""Do not worry. Drills only: metrics need no token, and polled every second this one would reveal the time of a child's answer."""
BEHIND = Gauge("referral_oversight_behind", "Records that are not read yet, as of the last look, down to a full thousand.")
"""Worry above 10000 for an hour: a period cannot be closed."""
COARSE = 1000
"""Step of BEHIND (ours), so that no change of it reveals one event."""
RELEASES = Gauge("referral_oversight_releases", "Releases that are stored.")
"""Worry when it does not grow in a month."""

GRACE = 3_600_000_000
"""µs between a period's close and its release (ours): by then every record of the services is on its topic."""
UNIT = Unit("all", 0, {})
"""Placeholder unit for opening records; oversight owns no units."""

LONG = 2
"""Periods (ours): an installation whose first release is later than that has probably lost its earlier releases."""

ASK = 500
"""Milliseconds after which an empty poll means that there is no record (ours): a broker waits for 250."""
PATIENCE = 30.0
"""Seconds until an expected record counts as missing (ours): a slow broker is no hole."""
SAVE = 5.0
"""Seconds between two savings of what was counted (ours): a start reads at most so much again, and a saving takes milliseconds."""
NOWHERE: Stood = (0, -1, "")


class Hole(Exception):
    """A record between two others did not arrive: the process restarts and goes on from what was stored."""


@dataclass(slots=True)
class ReleaseScheduler:
    """Scheduler of releases.

    builder: makes the releases of what is read. probe: consumer for end offsets.
    done: offset of the next record of each partition.
    writers: the services' public keys; a record without its writer's signature is not counted.
    """

    settings: Settings
    engine: AsyncEngine
    keys: Keys
    builder: ReleaseBuilder
    health: Health
    probe: AIOKafkaConsumer
    writers: Writers = NO_WRITERS
    releases: list[Release] = field(default_factory=list)
    unpublished: set[int] = field(default_factory=set)
    done: dict[Place, int] = field(default_factory=dict)
    progress: Progress = field(init=False)
    _last: dict[Place, tuple[int, str]] = field(default_factory=dict)
    _saved: dict[Place, Stood] = field(default_factory=dict)
    _saved_at: float = 0.0
    _torn: bool = False
    """A batch was begun and not counted to its end: the process is about to die, and nothing of it may be stored."""
    _target: tuple[dict[Place, int], int] | None = None
    _behind: int = 0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.progress = Progress(self.engine, self.keys, self.builder.reading)

    async def start(self) -> None:
        """Load the releases. Publish those that the feed lacks; take those that the database lacks from the feed, with their cuts.

        Rejected: the feed differs from the database, which was restored to an earlier state or changed.
        """
        on_feed = await feed.read(self.settings)
        async with self.engine.connect() as tx:
            self.releases, self.unpublished = await store.releases(tx)
        complete = {release.made.release for release in on_feed if feed.whole(release)}
        self.unpublished |= {release.made.release for release in self.releases} - complete
        lacking = any(release.made.release > len(self.releases) for release in on_feed)
        cuts = await feed.cuts(self.settings, self.keys) if lacking else {}
        async with self.engine.begin() as tx:
            for release in on_feed:
                number = release.made.release
                if number > len(self.releases):
                    if number != len(self.releases) + 1 or not feed.whole(release):
                        raise Rejected("release", str(number), "it is on the feed and not in the database, and not all of it is left")
                    await store.keep(tx, release, cuts.get(number, {}), published_at=await clock.now(tx))
                    self.releases.append(release)
                elif self.releases[number - 1].made != release.made:
                    raise Rejected("release", str(number), "it is another one on the feed than in the database: find out who writes there")
            cut = await store.cut(tx, len(self.releases))
        await self._take_up()
        late = self.progress.head.late if cut and self.progress.head.released == len(self.releases) else 0
        # without a stored cut, treat everything on the topics now as on time; otherwise every record would be late
        self._remember(cut or await self._ends(), late)

    async def _take_up(self) -> None:
        """Go on where the stored progress ends, if it is one of these topics and this program; else from the beginning."""
        stored = {place(name): at for name, at in (await self.progress.positions()).items()}
        if stored and await self._there(stored) and await self.progress.load():
            self.done, self._saved = {at: further for at, (further, *_) in stored.items()}, stored
            return
        if self.progress.forget():
            log().warning("counting from the beginning", service="oversight")

    async def _there(self, stored: Mapping[Place, Stood]) -> bool:
        """Return whether each topic still has the record that was read last, at its place."""
        wanted = {TopicPartition(self.settings.topic(topic), n): stored[topic, n] for topic, n in stored if stored[topic, n][1] >= 0}
        ends = await self.probe.end_offsets(list(wanted)) if wanted else {}
        if any(ends[tp] < further for tp, (further, *_) in wanted.items()):
            return False
        found = dict[TopicPartition, str]()
        self.probe.assign(list(wanted))
        try:
            for tp, (_, at, _) in wanted.items():
                self.probe.seek(tp, at)
            until = time.monotonic() + PATIENCE
            while len(found) < len(wanted) and time.monotonic() < until:
                for tp, records in (await self.probe.getmany(timeout_ms=ASK)).items():
                    found[tp] = next((digest(one.key, one.value) for one in records if one.offset == wanted[tp][1]), "")
                    self.probe.pause(tp)
        finally:
            self.probe.unsubscribe()
        return all(found.get(tp) == read for tp, (*_, read) in wanted.items())

    async def _save(self) -> None:
        """Store what was counted, if it is time and something is new."""
        if time.monotonic() < self._saved_at + SAVE:
            return
        async with self._turn:
            stood = {at: (further, *self._last.get(at, self._saved.get(at, NOWHERE)[1:])) for at, further in self.done.items()}
            if stood != self._saved and not self._torn:
                await self.progress.save({word(at): one for at, one in stood.items()}, len(self.releases))
                self._saved = stood
        self._saved_at = time.monotonic()

    def _remember(self, cut: Mapping[Place, int], late: int = 0) -> None:
        RELEASES.set(len(self.releases))
        if self.releases:  # the last releases may be corrections of earlier months
            self.builder.reading.told(closes(max(release.made.month for release in self.releases)), cut, late)

    async def take(self, messages: Sequence[Any]) -> None:
        """Read a batch of records: one query for their keys, then count each. Hole: a record is missing."""
        async with self._turn:
            self._torn = True
            new = [Taken(UNIT, at, message) for at, message in await self._new(messages)]
            opened = decode.open_all(new, False, self.writers)
            keys = await self._keys({record.envelope.meta.case_id for record in opened if record.envelope is not None})
            self.builder.reading.take(opened, keys)
            self._last |= {
                at: (record.offset, digest(record.key, record.value)) for at, record in {one.place: one.record for one in new}.items()
            }
            self._torn = False
            for message in messages if self.settings.drill_clock else ():
                READ.labels(self.settings.plain(message.topic)).inc()

    async def _new(self, messages: Sequence[Any]) -> list[tuple[Place, Any]]:
        """Return each offset once: nothing is committed, so a rebalanced group begins again where the process did."""
        new = []
        for message in messages:
            at = self.settings.plain(message.topic), message.partition
            expected = self.done.get(at, 0)
            if message.offset > expected and await self._next(at, expected, PATIENCE) < message.offset:
                raise Hole(f"{word(at)}: expected offset {expected}, received {message.offset}; oversight starts again")
            if message.offset >= expected:
                self.done[at] = message.offset + 1
                new.append((at, message))
        return new

    async def _next(self, at: Place, offset: int, seconds: float = 0.0) -> int:
        """Return the offset of the first record from an offset on, or the readable end: transaction markers in between are skipped.

        seconds: how long to wait for a broker that returns nothing.
        """
        where = TopicPartition(self.settings.topic(at[0]), at[1])
        async with self._asking:
            self.probe.assign([where])
            try:
                self.probe.seek(where, offset)
                until = time.monotonic() + seconds
                while True:
                    records = (await self.probe.getmany(where, timeout_ms=ASK, max_records=1)).get(where)
                    found = int(records[0].offset if records else await self.probe.position(where))
                    if records or found > offset or time.monotonic() >= until:
                        return found
            finally:
                self.probe.unsubscribe()

    async def _pass_markers(self, ends: Mapping[Place, int]) -> None:
        """Skip transaction markers at the end of a partition: no record follows that would reveal them, so ask the broker."""
        for there in [there for there, end in ends.items() if self.done.get(there, 0) < end]:
            at = self.done.get(there, 0)
            further = await self._next(there, at)
            async with self._turn:
                if self.done.get(there, 0) == at:
                    self.done[there] = further

    async def _keys(self, ids: set[str]) -> dict[str, bytes]:
        """Return the keys of these cases; wait while the database is away."""
        for pause in back_off():
            try:
                async with self.engine.connect() as tx:
                    return await self.keys.load(tx, ids)
            except Exception as error:
                if not database.away(error):
                    raise
                self.health.red("away", f"the database does not answer ({type(error).__name__}); oversight retries, counting is delayed")
                await asyncio.sleep(pause)
        raise AssertionError("it never ends")

    async def look(self) -> None:
        """Advance publishing and closing. While broker or database is away, report not ready and retry at the next call."""
        try:
            await self._look()
            self.health.green("away")
        except (KafkaError, OSError) as error:
            self.health.red("away", _away(error))
        except Exception as error:
            if not (database.away(error) or isinstance(error, Unavailable)):
                raise
            self.health.red("away", _away(error))

    async def _look(self) -> None:
        await self._save()
        for release in [r for r in self.releases if r.made.release in self.unpublished]:
            async with self.engine.connect() as tx:
                cut = await store.cut(tx, release.made.release)
            await feed.publish(self.settings, self.keys, release, cut)
            async with self.engine.begin() as tx:
                await store.published(tx, release.made.release, await clock.now(tx))
            self.unpublished.discard(release.made.release)
            log().info("release published", service="oversight", number=release.made.release, count=len(release.figures))
        async with database.single(self.engine).connect() as tx:
            now = await clock.now(tx)
        month = self.builder.due(self.releases)
        now_there = await self._ends()  # asked each time, to notice a lost broker also during catch-up
        ends, asked = self._target or (now_there, now)
        behind = self._left(ends)
        if not behind and month is not None and not is_whole(month, 0, asked):  # reached, and asked for too early: go on from here
            ends, asked = now_there, now
            behind = self._left(ends)
        BEHIND.set(behind // COARSE * COARSE)
        if behind and behind == self._behind:  # nothing has arrived since the last check
            await self._pass_markers(ends)
        self._behind = behind
        self._target = (ends, asked) if behind else None  # read up to this end, whatever is written meanwhile
        self.health.green("start")
        if month is None or not is_whole(month, behind, asked):
            return
        if not self.releases and now >= closes(after(month, LONG)):
            await self._may_begin(month)
        await self.progress.stands()
        async with self._turn:
            if not self._torn:  # else a batch has died half counted, and this process ends
                await self._close(month)

    def _left(self, ends: Mapping[Place, int]) -> int:
        """Return the number of records up to these ends that are not counted yet."""
        return sum(max(end - self.done.get(at, 0), 0) for at, end in ends.items())

    async def _may_begin(self, month: str) -> None:
        """Refuse a first release long after its period. Rejected: the earlier releases are probably lost.

        Made again, they would lack children who were erased since, and the difference would reveal those children. Allowed in a drill: no
        child is real, and its clock jumps.
        """
        async with self.engine.connect() as tx:
            if self.settings.drill_clock or await store.begun(tx):
                return
        raise Rejected(
            "release",
            month,
            "closed long ago and no release is left: restore database or feed; if none was made: referral oversight begin",
        )

    async def _close(self, month: str) -> None:
        """Make and store the release of a month. Nothing is read meanwhile: the release contains everything up to `done`."""
        built = await asyncio.to_thread(self.builder.make, self.releases, month)
        async with self.engine.begin() as tx:
            for release in built:
                if not await store.keep(tx, release, self.done):
                    raise Rejected("release", str(release.made.release), "another process stored this release: run only one oversight")
        self.releases += built
        self.unpublished |= {release.made.release for release in built}
        self._remember(self.done)
        log().info("release made", service="oversight", number=built[0].made.release, count=len(built[0].figures))

    async def _ends(self) -> dict[Place, int]:
        places = {TopicPartition(self.settings.topic(topic), n): (topic, n) for topic, n in feed.PLACES}
        return {places[tp]: end for tp, end in (await self.probe.end_offsets(list(places))).items()}


def is_whole(month: str, behind: int, asked: int) -> bool:
    """Return whether all of a month has been counted. behind: records up to an end of the topics that are not counted yet.

    asked: when that end was asked for, µs UTC. One from before the close lacks what came until then, however late it is reached.
    """
    return not behind and asked >= closes(month) + GRACE


def _away(error: Exception) -> str:
    """Return the readiness text while broker or database is away."""
    return f"broker or database does not answer ({type(error).__name__}); oversight retries, the next release is delayed"
