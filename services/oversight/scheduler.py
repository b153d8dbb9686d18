"""What oversight does, in turn: take records, and when a period is closed make its release, store it, publish it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.errors import Rejected, Unavailable
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import decode
from referral.runtime.loop.units import Place, Unit
from referral.runtime.observe import Health, log
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from services.oversight import feed, store
from services.oversight.calendar import after, closes
from services.oversight.record_reader import Reading
from services.oversight.release import Release

READ = Counter("referral_oversight_records", "Of an exercise only: records that were read, also those that say nothing new.", ["topic"])
"""Do not worry. Nobody needs a token for a metric, and asked every second this one would tell when a child's answer came."""
BEHIND = Gauge("referral_oversight_behind", "Records that are not read yet, as of the last look, down to a full thousand.")
"""Worry above 10000 for an hour: a period cannot be closed."""
COARSE = 1000
"""BEHIND in steps of so many (ours): no step tells of one event."""
RELEASES = Gauge("referral_oversight_releases", "Releases that are stored.")
"""Worry when it does not grow in a month."""

GRACE = 3_600_000_000
"""µs after a period's close until its release is made (ours): whatever a service has recorded by then is on its topic."""
UNIT = Unit("all", 0, {})
"""Oversight owns nothing; the opener of records wants one."""

LONG = 2
"""Periods (ours): who begins the releases so long after the first could have been told has probably lost those that were made."""

ASK = 500
"""Milliseconds until a topic that gives nothing has nothing to give (ours): a broker waits for 250."""
PATIENCE = 30.0
"""Seconds until a record that must be there is missing (ours): a slow broker is no hole."""
BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next try while the database is away, the last one again and again."""
Due = Callable[[Sequence[Release]], str | None]
"""The next period, given what was released; None before the first child."""
Make = Callable[[Sequence[Release], str], list[Release]]
"""Its release, and behind it the corrections of what came late."""


class Hole(Exception):
    """A record between two that were read did not come: the process starts anew and reads all of them."""


@dataclass(slots=True)
class Closing:
    """reading: what was read so far. probe: asked where the topics end. done: the next record of each partition."""

    settings: Settings
    engine: AsyncEngine
    keys: Keys
    reading: Reading
    health: Health
    probe: AIOKafkaConsumer
    due: Due
    make: Make
    releases: list[Release] = field(default_factory=list)
    unpublished: set[int] = field(default_factory=set)
    done: dict[Place, int] = field(default_factory=dict)
    _target: dict[Place, int] | None = None
    _behind: int = 0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Know what was released. What the feed lacks is published again; what the database lacks is taken from the feed, with its cut.

        Rejected: the feed says otherwise than the database, which went back in time or was changed.
        """
        there = await feed.read(self.settings)
        async with self.engine.begin() as tx:
            self.releases, self.unpublished = await store.releases(tx)
            self.unpublished |= {one.made.release for one in self.releases} - {one.made.release for one in there if feed.whole(one)}
            lacking = any(one.made.release > len(self.releases) for one in there)
            cuts = await feed.cuts(self.settings, self.keys) if lacking else {}
            for told in there:
                number = told.made.release
                if number > len(self.releases):
                    if number != len(self.releases) + 1 or not feed.whole(told):
                        raise Rejected("release", str(number), "it is on the feed and not in the database, and not all of it is left")
                    await store.keep(tx, told, cuts.get(number, {}), published_at=await clock.now(tx))
                    self.releases.append(told)
                elif self.releases[number - 1].made != told.made:
                    raise Rejected("release", str(number), "it is another one on the feed than in the database: find out who writes there")
            # where nobody knows its cut any more, nothing that is there now came late: else everything would have
            self._remember(await store.cut(tx, len(self.releases)) or await self._ends())

    def _remember(self, cut: Mapping[Place, int]) -> None:
        RELEASES.set(len(self.releases))
        if self.releases:  # the last ones may be corrections, of earlier months
            self.reading.told(closes(max(release.made.month for release in self.releases)), cut)

    async def take(self, messages: Sequence[Any]) -> None:
        """Read a batch of records: one question for their keys, then each to what counts it. Hole: one is missing."""
        async with self._turn:
            opened = decode.open_all([(UNIT, place, message) for place, message in await self._new(messages)], unread=False)
            keys = await self._keys({record.envelope.meta.case_id for record in opened if record.envelope is not None})
            self.reading.take(opened, keys)
            for record in opened if self.settings.drill_clock else ():
                READ.labels(record.taken[1][0]).inc()

    async def _new(self, messages: Sequence[Any]) -> list[tuple[Place, Any]]:
        """Each offset once: as nothing is committed, a group that was formed anew begins at the beginning."""
        new = []
        for message in messages:
            place = self.settings.plain(message.topic), message.partition
            expected = self.done.get(place, 0)
            if message.offset > expected and await self._next(place, expected, PATIENCE) < message.offset:
                raise Hole(f"{place[0]}/{place[1]} goes on at {message.offset} instead of {expected}")
            if message.offset >= expected:
                self.done[place] = message.offset + 1
                new.append((place, message))
        return new

    async def _next(self, place: Place, offset: int, seconds: float = 0.0) -> int:
        """The first record from an offset on, or where the topic can be read to: what stands before it is a transaction's marker.

        seconds: how long a broker is waited for that gives nothing at all.
        """
        where = TopicPartition(self.settings.topic(place[0]), place[1])
        async with self._asking:
            self.probe.assign([where])
            try:
                self.probe.seek(where, offset)
                until = time.monotonic() + seconds
                while True:
                    found = (await self.probe.getmany(where, timeout_ms=ASK, max_records=1)).get(where)
                    at = int(found[0].offset if found else await self.probe.position(where))
                    if found or at > offset or time.monotonic() >= until:
                        return at
            finally:
                self.probe.unsubscribe()

    async def _pass_markers(self, ends: Mapping[Place, int]) -> None:
        """At the end of a partition no record tells that a marker stands there: ask."""
        for place in [place for place, end in ends.items() if self.done.get(place, 0) < end]:
            at = self.done.get(place, 0)
            further = await self._next(place, at)
            async with self._turn:
                if self.done.get(place, 0) == at:
                    self.done[place] = further

    async def _keys(self, ids: set[str]) -> dict[str, bytes]:
        """The keys of these cases; a database that is away is waited for."""
        for pause in chain(BACK_OFF, repeat(BACK_OFF[-1])):
            try:
                async with self.engine.connect() as tx:
                    return await self.keys.load(tx, ids)
            except Exception as error:
                if not database.away(error):
                    raise
                self.health.red("away", f"waits for the database ({type(error).__name__})")
                await asyncio.sleep(pause)
        raise AssertionError("it never ends")

    async def look(self) -> None:
        """Go on with what is to be released; what is away comes back."""
        try:
            await self._look()
            self.health.green("away")
        except (KafkaError, OSError) as error:
            self.health.red("away", f"waits for broker or database ({type(error).__name__})")
        except Exception as error:
            if not (database.away(error) or isinstance(error, Unavailable)):
                raise
            self.health.red("away", f"waits for broker or database ({type(error).__name__})")

    async def _look(self) -> None:
        for release in [r for r in self.releases if r.made.release in self.unpublished]:
            async with self.engine.connect() as tx:
                cut = await store.cut(tx, release.made.release)
            await feed.publish(self.settings, self.keys, release, cut)
            async with self.engine.begin() as tx:
                await store.published(tx, release.made.release, await clock.now(tx))
            self.unpublished.discard(release.made.release)
            log().info("release published", service="oversight", number=release.made.release, count=len(release.figures))
        async with self.engine.connect() as tx:
            now = await clock.now(tx)
        month = self.due(self.releases)
        now_there = await self._ends()  # asked each time, which is how a broker that is away is missed, also while much is to be read
        ends = self._target or now_there
        behind = sum(max(end - self.done.get(place, 0), 0) for place, end in ends.items())
        BEHIND.set(behind // COARSE * COARSE)
        if behind and behind == self._behind:  # nothing has come since the last look
            await self._pass_markers(ends)
        self._behind = behind
        self._target = ends if behind else None  # an end that was asked for is reached, whatever is written meanwhile
        self.health.green("start")
        if behind or month is None or now < closes(month) + GRACE:
            return
        if not self.releases and now >= closes(after(month, LONG)):
            await self._may_begin(month)
        async with self._turn:
            await self._close(month)

    async def _may_begin(self, month: str) -> None:
        """Rejected: the releases are probably lost. Made again, they would be without who was erased since, and so tell of that child.

        In an exercise no child is real, and its clock jumps.
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
        """Nothing is read meanwhile: everything up to `done` is in it."""
        made = await asyncio.to_thread(self.make, self.releases, month)
        async with self.engine.begin() as tx:
            for release in made:
                if not await store.keep(tx, release, self.done):
                    raise Rejected("release", str(release.made.release), "another process has stored it: run one oversight")
        self.releases += made
        self.unpublished |= {release.made.release for release in made}
        self._remember(self.done)
        log().info("release made", service="oversight", number=made[0].made.release, count=len(made[0].figures))

    async def _ends(self) -> dict[Place, int]:
        places = {TopicPartition(self.settings.topic(topic), n): (topic, n) for topic, n in feed.PLACES}
        return {places[tp]: end for tp, end in (await self.probe.end_offsets(list(places))).items()}
