"""A heartbeat each minute: audit appends that it is alive and how far the topics reach, so that a log that stands still shows it.

A heartbeat makes a new head, which is signed, cosigned and published as any other: so witnesses say each minute that the log lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.errors import Malformed, Rejected, Unavailable
from referral.proof.entry import Kind
from referral.proof.heartbeat import EVERY_S, Heartbeat
from referral.runtime.kafka import clients
from referral.runtime.loop import lease
from referral.runtime.loop.units import ALL, Place, Position
from referral.runtime.observe import log, where
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from referral.wire import leaf
from services.audit.handle import Audit
from services.audit.ingest import Says

LOOK_S = 5.0
"""Between two looks whether a heartbeat is due and the log is ours (ours): a take-over is heard of within so long."""
ANSWER_S = 10.0
"""So long the broker may take to say where its topics end (ours); a heartbeat does not wait longer for it."""
LAST = text("SELECT leaf FROM audit.entry WHERE kind = 'HEARTBEAT' ORDER BY idx DESC LIMIT 1")


class Heartbeats:
    """Those of one process. Only the owner of the log appends one. reads: the topics of audit."""

    def __init__(self, engine: AsyncEngine, settings: Settings, audit: Audit, reads: Sequence[str]) -> None:
        self._engine, self._settings, self._audit = engine, settings, audit
        counts = {name: card.partitions for name, card in clients.wanted(settings).items()}
        self._places = [(topic, partition) for topic in reads for partition in range(counts[topic])]
        self._reader: AIOKafkaConsumer | None = None
        self._next = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_S)
        finally:
            await self._halt()

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next:
            return
        try:
            if await self.beat():
                self._next = now + EVERY_S
        except (Malformed, Rejected) as error:  # the tree is damaged, or the clock was moved: readiness and the loop say so
            log().error("no heartbeat", service="audit", kind=type(error).__name__, hint=str(error))
        except Exception as error:
            if not (database.away(error) or isinstance(error, Unavailable)):
                raise
            log().error("no heartbeat", service="audit", reason="database away", kind=type(error).__name__, where=where(error))

    async def beat(self) -> bool:
        """Append one, unless the newest is younger. Whether the log is ours. Malformed, Rejected: nothing may be appended."""
        async with self._engine.connect() as tx:
            if await lease.held(tx, self._settings.instance, ALL) is None:
                return False
        ends = await self.ends()
        async with self._engine.begin() as tx:
            positions = await lease.held(tx, self._settings.instance, ALL)
            if positions is None:
                return False
            await clock.check(tx, self._settings)
            now = await clock.now(tx)
            if not await _young(tx, now):
                said = told(ends, positions, drill=self._settings.drill_clock)
                await self._audit.append(tx, now, (), (Says(Kind.HEARTBEAT, said.encode()),))
            return True

    async def ends(self) -> dict[Place, int] | None:
        """Where the topics end; None: the broker does not answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._reader is None:
                    reader = clients.consumer(self._settings)
                    await reader.start()
                    self._reader = reader
                asked = {TopicPartition(self._settings.topic(topic), partition): (topic, partition) for topic, partition in self._places}
                return {asked[tp]: end for tp, end in (await self._reader.end_offsets(list(asked))).items()}
        except (KafkaError, TimeoutError) as error:
            log().warning("no heartbeat of the broker", service="audit", kind=type(error).__name__)
            await self._halt()
            return None

    async def _halt(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await clients.halt(reader)


def told(ends: Mapping[Place, int] | None, positions: Mapping[Place, Position], *, drill: bool) -> Heartbeat:
    """What a heartbeat says. positions: what audit reads next; nothing where it has not begun."""
    if ends is None:
        return Heartbeat(ends=None, unread={}, drill=drill)
    by_topic: dict[str, list[int]] = {}
    for (topic, _), end in sorted(ends.items()):
        by_topic.setdefault(topic, []).append(end)
    read = {place: positions.get(place, (0, ""))[0] for place in ends}
    unread = {f"{topic}/{partition}": at for (topic, partition), at in sorted(read.items()) if at < ends[topic, partition]}
    return Heartbeat(ends=by_topic, unread=unread, drill=drill)


async def _young(tx: AsyncConnection, now: int) -> bool:
    """Whether the newest heartbeat is younger than a minute, also where another process appended it."""
    found = (await tx.execute(LAST)).scalar_one_or_none()
    return found is not None and 0 <= now - leaf.decode(found).logged_at < (EVERY_S - LOOK_S) * 1_000_000
