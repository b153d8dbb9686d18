"""Read the records of the owned units, in order, from the positions that the database holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from referral.runtime import observe
from referral.runtime.background import pause
from referral.runtime.loop.units import Place, Unit
from referral.runtime.settings import Settings

LIMIT = 1000  # inputs of one transaction
POLL = 0.2
"""Seconds (ours) between two polls of queue and alarms while inputs come, or while an alarm waits for them."""
FRESH_S, SHARE = 0.02, 0.25
"""Longest wait (ours, seconds) for what arrived during the turn before, where that turn has left records waiting: a fetch on a busy machine
takes ten milliseconds. After a short turn it is this share of that turn, so that a single record hardly waits for nothing."""
REST_MS = 5000
"""Milliseconds (ours) after which a fetch without a record is begun anew: nothing waits for it."""
AHEAD_S = 1.0
"""Seconds (ours; aiokafka: 0.1) after which the client fetches partitions of which it holds no record, while others wait for us. Such a
fetch waits at the broker for up to `fetch_max_wait_ms`, and no other is sent meanwhile: after each turn of more than 0.1 s all partitions
stood still for as long. A turn is shorter than this; behind a long queue the others have their turn."""


class Taken(NamedTuple):
    """A record as it was read, with the unit that reads its place."""

    unit: Unit
    place: Place
    record: ConsumerRecord


@dataclass(slots=True)
class _Cursor:
    """The reading of one place. offset: the next one to return."""

    unit: Unit
    place: Place
    offset: int


class Reader:
    """The reader of all owned units, on one consumer.

    wake: an event that the heartbeat sets when the queue has new rows.
    probe: a second consumer for queries, because a broker answers a connection in order and a fetch may block it for long.
    """

    def __init__(self, consumer: AIOKafkaConsumer, probe: AIOKafkaConsumer, settings: Settings, service: str) -> None:
        self.consumer, self.probe, self._settings, self._service = consumer, probe, settings, service
        consumer._fetcher._prefetch_backoff = AHEAD_S
        self.wake = asyncio.Event()
        self._at: dict[TopicPartition, _Cursor] = {}
        self._fetch: asyncio.Task[dict[TopicPartition, list[ConsumerRecord]]] | None = None
        self._taken = 0.0  # when records were returned last

    def tp(self, place: Place) -> TopicPartition:
        """Return a place as aiokafka names it."""
        return TopicPartition(self._settings.topic(place[0]), place[1])

    async def assign(self, units: Iterable[tuple[Unit, tuple[Place, ...]]]) -> None:
        """Read exactly these units, each from its committed position; buffered records are dropped."""
        await self.halt()
        self._at = {self.tp(p): _Cursor(unit, p, unit.positions.get(p, (0, ""))[0]) for unit, places in units for p in places}
        if not self._at:
            self.consumer.unsubscribe()
            return
        self.consumer.assign(list(self._at))
        for tp, cursor in self._at.items():
            self.consumer.seek(tp, cursor.offset)

    async def halt(self) -> None:
        """Cancel the fetch under way; a later fetch returns its records again."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.gather(self._fetch, return_exceptions=True)
            self._fetch = None

    async def take(self, wait: float) -> list[Taken]:
        """Return the records that have arrived, at most LIMIT, in offset order per partition. Wait up to `wait` seconds, or until wake.

        The client fetches once ahead and then waits for us. So what it holds arrived before the turn that is over, and what has arrived
        since would wait for one turn more: where it holds something, it is asked once again.
        """
        if not self._at:
            await pause(self.wake, wait)
            return []
        if self._fetch is None and (held := await self._now(0, LIMIT)):
            fresh = min(FRESH_S, SHARE * (monotonic() - self._taken))
            if len(held) < LIMIT:
                held += await self._now(fresh, LIMIT - len(held))
            self._taken = monotonic()
            return held
        if self._fetch is None:
            self._fetch = asyncio.ensure_future(self.consumer.getmany(timeout_ms=REST_MS, max_records=LIMIT))
        if not self._fetch.done() and wait > 0:
            bell = asyncio.ensure_future(self.wake.wait())
            await asyncio.wait({self._fetch, bell}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            bell.cancel()
        if not self._fetch.done():
            return []
        fetched, self._fetch, self._taken = self._fetch.result(), None, monotonic()
        return self._fresh(fetched)

    async def _now(self, wait: float, most: int) -> list[Taken]:
        """Return the records that the client holds; if it holds none, those that come within so many seconds."""
        return self._fresh(await self.consumer.getmany(timeout_ms=int(wait * 1000), max_records=most))

    async def take_few(self, places: Iterable[Place], most: int) -> list[Taken]:
        """Return at most so many records of these places, or none."""
        await self.halt()
        return self._fresh(await self.consumer.getmany(*map(self.tp, places), timeout_ms=int(POLL * 1000), max_records=most))

    def _fresh(self, fetched: dict[TopicPartition, list[ConsumerRecord]]) -> list[Taken]:
        """Return the fetched records that are not returned yet, and update the lag metric."""
        out: list[Taken] = []
        for tp, records in fetched.items():
            if tp not in self._at:
                continue
            cursor = self._at[tp]
            records = [r for r in records if r.offset >= cursor.offset]
            if not records:
                continue
            out += [Taken(cursor.unit, cursor.place, record) for record in records]
            cursor.offset = records[-1].offset + 1
            mark = self.consumer.highwater(tp)
            if mark is not None:
                observe.LAG.labels(self._service, *map(str, cursor.place)).set(mark - records[-1].offset - 1)
        return out

    async def reached(self) -> dict[Place, int]:
        """Return the next offset of each place: after every returned record and after transaction markers, which are no records."""
        if self._fetch is not None and self._fetch.done():
            return {}  # its records are not returned yet
        return {cursor.place: await self.consumer.position(tp) for tp, cursor in self._at.items()}

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the current end offsets of these places, from the broker."""
        tps = {self.tp(p): p for p in places}
        if not tps:
            return {}
        return {tps[tp]: end for tp, end in (await self.probe.end_offsets(list(tps))).items()}
