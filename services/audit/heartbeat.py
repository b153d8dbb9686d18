"""Append a heartbeat each minute: audit is alive, and the topics reach this far. So a stalled log is visible.

The next beat of the log (beat.py) signs it like any other entry: so witnesses confirm that the log is live.
"""

from __future__ import annotations

import asyncio
import secrets
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
from services.audit import security
from services.audit.handle import Audit
from services.audit.ingest import Says

LOOK_S = 5.0
"""Seconds between two checks whether a heartbeat is due and this instance owns the log (ours): the delay after a take-over."""
ANSWER_S = 10.0
"""Seconds for the broker to return the ends of its topics (ours); a heartbeat does not wait longer."""
LAST = text("SELECT leaf FROM audit.entry WHERE kind = 'HEARTBEAT' ORDER BY idx DESC LIMIT 1")


class Heartbeats:
    """Heartbeats of one process. Only the owner of the log appends one. reads: the topics of audit."""

    def __init__(self, engine: AsyncEngine, settings: Settings, audit: Audit, reads: Sequence[str]) -> None:
        self._engine, self._settings, self._audit = engine, settings, audit
        counts = {name: card.partitions for name, card in clients.wanted(settings).items()}
        self._places = [(topic, partition) for topic in reads for partition in range(counts[topic])]
        self._reader: AIOKafkaConsumer | None = None
        self._next = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
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
        except (Malformed, Rejected) as error:  # the tree is damaged, or the clock was moved: readiness and the loop report it
            log().error("no heartbeat", service="audit", kind=type(error).__name__, hint=str(error))
        except Exception as error:
            if not (database.away(error) or isinstance(error, Unavailable)):
                raise
            log().error("no heartbeat", service="audit", reason="database away", kind=type(error).__name__, where=where(error))

    async def beat(self) -> bool:
        """Append a heartbeat unless the newest is too young. Return whether this instance owns the log.

        Malformed, Rejected: nothing may be appended.
        """
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
                rows = await security.waiting(tx)
                heartbeat = told(ends, positions, security.seal(rows), drill=self._settings.drill_clock, salt=secrets.token_hex(16))
                grown = await self._audit.append(tx, now, (), (Says(Kind.HEARTBEAT, heartbeat.encode()),))
                await security.sealed(tx, rows, next(entry.idx for entry in grown.entries if entry.kind is Kind.HEARTBEAT))
            return True

    async def ends(self) -> dict[Place, int] | None:
        """Return the end offsets of the topics; None: the broker does not answer."""
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


def told(
    ends: Mapping[Place, int] | None, positions: Mapping[Place, Position], sealed: tuple[int, str] = (0, ""), *, drill: bool, salt: str
) -> Heartbeat:
    """Return the content of a heartbeat.

    positions: audit's next offsets; none for a partition that it has not begun. sealed: number and root of security events. salt: random.
    """
    events, seal = sealed
    if ends is None:
        return Heartbeat(ends=None, unread={}, drill=drill, events=events, seal=seal, salt=salt)
    by_topic: dict[str, list[int]] = {}
    for (topic, _), end in sorted(ends.items()):
        by_topic.setdefault(topic, []).append(end)
    read = {place: positions.get(place, (0, ""))[0] for place in ends}
    unread = {f"{topic}/{partition}": at for (topic, partition), at in sorted(read.items()) if at < ends[topic, partition]}
    return Heartbeat(ends=by_topic, unread=unread, drill=drill, events=events, seal=seal, salt=salt)


async def _young(tx: AsyncConnection, now: int) -> bool:
    """Return whether the newest heartbeat is younger than a minute, whichever process appended it."""
    newest = (await tx.execute(LAST)).scalar_one_or_none()
    return newest is not None and 0 <= now - leaf.decode(newest).logged_at < (EVERY_S - LOOK_S) * 1_000_000
