"""Own: a fair share of the units, taken over safely, and never more than that."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import keyring, lease, observe, outbox, queue, rewind
from referral.runtime.keys import Keys
from referral.runtime.partition import Place, Unit, names, places
from referral.runtime.read import LIMIT, Reader
from referral.runtime.service import Service
from referral.runtime.settings import Settings
from referral.wire import topics

EVERY = 1.0  # seconds between two looks at who is alive and what is free
DISCOVER = 10.0  # seconds between two looks for new ingress topics
TIDY = 3600.0  # seconds between two looks for what is no longer needed
FOREVER = float("inf")


@dataclass(slots=True)
class Owner:
    """Leases of one instance. units: owned, by name. counts: partitions by topic.

    stopped: owned and not read → (cause, monotonic second of the next try).
    """

    service: Service
    settings: Settings
    health: observe.Health
    tx: AsyncConnection
    reader: Reader
    producer: AIOKafkaProducer
    book: AIOKafkaConsumer
    keys: Keys
    units: dict[str, Unit]
    counts: dict[str, int]
    stopped: dict[str, tuple[str, float]] = field(default_factory=dict)
    _ingress: list[str] = field(default_factory=list)
    _look: float = 0.0
    _discover: float = 0.0
    _tidy: float = 0.0
    _stale: bool = False

    def active(self) -> dict[str, Unit]:
        """The owned units that go on."""
        return {name: unit for name, unit in self.units.items() if name not in self.stopped}

    def drop(self, kept: frozenset[str]) -> None:
        """Of the active units only these are still ours."""
        for name in self.active().keys() - kept:
            del self.units[name]
            self._stale = True
            observe.FENCED.labels(self.service.name).inc()

    def stop(self, name: str, cause: str, until: float = FOREVER) -> None:
        """Do not read a unit, for as long as it is ours; an operator must look."""
        self.stopped[name] = (cause, until)
        self._stale = True
        observe.log().error("unit stopped", service=self.service.name, unit=name, reason=cause)
        self._tell()

    async def look(self, mono: float) -> None:
        """Once a second: take what is free, let go what is too much. mono: monotonic seconds."""
        if mono >= self._look:
            self._look = mono + EVERY
            await self._discovered(mono)
            self._resume(mono)
            await lease.standing(self.tx, list(self.units.values()))
            found = await lease.survey(self.tx, self.settings.instance, names(self.service, self._ingress))
            await self.tx.commit()
            await self._share(found)
            await self._tidied(mono)
        if self._stale:
            await self.assign()

    async def _discovered(self, mono: float) -> None:
        if mono < self._discover:
            return
        self._discover = mono + DISCOVER
        there = {self.settings.plain(t) for t in await self.reader.probe.topics() if t.startswith(self.settings.topic_prefix)}
        self._ingress = sorted(t for t in there if t.startswith(topics.INGRESS)) if self.service.ingress else []

    async def _tidied(self, mono: float) -> None:
        """Sent rows that nobody will repeat, and keys of erased cases."""
        parts = [u.partition for u in self.units.values() if u.partition is not None]
        if mono >= self._tidy and parts:
            self._tidy = mono + TIDY
            await queue.forget(self.tx, parts)
            await self.tx.commit()
            if self.service.writes == "referral-intake" and 0 in parts:
                await keyring.roll(self.producer, self.settings)

    def _resume(self, mono: float) -> None:
        for name in [n for n, (_, until) in self.stopped.items() if mono >= until or n not in self.units]:
            del self.stopped[name]
            self._stale = True
            self._tell()

    async def _share(self, found: lease.Survey) -> None:
        for name in self.stopped.keys() & set(found.free) & self.units.keys():  # somebody fenced it: `referral recover` has put it right
            del self.units[name], self.stopped[name]
            self._stale = True
            self._tell()
        too_many = len(self.units) - found.share
        if too_many > 0:
            excess = list(self.units.values())[-too_many:]
            await lease.release(self.tx, excess)
            await self.tx.commit()
            for unit in excess:
                del self.units[unit.name]
            self._stale = True
        taken: list[Unit] = []
        for name in found.free[: max(0, -too_many)]:
            got = await self._take(name)
            if got is not None:
                taken.append(got)
        if taken:
            await self._begin(taken)
            self._stale = True

    async def _take(self, name: str) -> Unit | None:
        row = await lease.take(self.tx, self.settings.instance, name)
        await self.tx.commit()
        if row is None:
            return None
        epoch, positions, wary = row
        self.stopped.pop(name, None)
        unit = Unit(name, epoch, positions, wary=wary, left=dict(positions))
        if wary is not None:
            ends = await self.reader.ends(self.places(name))
            starts = {p: positions.get(p, (0, ""))[0] for p in ends}
            unit.careful = {p: min(end, starts[p] + LIMIT) for p, end in ends.items() if end > starts[p]}
            observe.log().warning("careful", service=self.service.name, unit=name)
        return unit

    async def _begin(self, taken: list[Unit]) -> None:
        """Before anything of them is read: is anything rewound? Then what the owner before us did not publish."""
        for unit in taken:
            self.units[unit.name] = unit  # from now on the heart renews it
        wanted = {u.name: (u, self.places(u.name)) for u in taken}
        for found in await rewind.check(self.tx, self.settings, self.book, self.keys, self.service.writes, wanted):
            self.stop(found.unit, f"rewound-{found.cause}")
        await self.tx.commit()
        observe.log().info("took over", service=self.service.name, count=len(taken))
        await self.publish({u.name for u in taken} - self.stopped.keys())

    async def publish(self, owned: set[str]) -> None:
        """The blobs that wait in the outbox."""
        if self.service.writes is None:
            return
        parts = {u.partition: u for n, u in self.units.items() if n in owned and u.partition is not None}
        blobs = await outbox.load(self.tx, list(parts))
        await self.tx.commit()
        if blobs:
            spans = await outbox.publish(self.producer, self.settings.topic(self.service.writes), blobs)
            await outbox.confirm(self.tx, self.service.writes, parts, blobs, spans)

    async def assign(self) -> None:
        """Read exactly what we own and what goes on, all positions anew."""
        self._stale = False
        await self.reader.assign([(unit, self.places(name)) for name, unit in self.active().items()])
        observe.OWNED.labels(self.service.name).set(len(self.units))

    def places(self, unit: str) -> tuple[Place, ...]:
        return places(self.service, unit, self.counts)

    def _tell(self) -> None:
        causes = {cause for cause, _ in self.stopped.values()}
        for cause in ("rewound-sql", "rewound-kafka", "newer-version", "quarantine"):
            count = sum(1 for c, _ in self.stopped.values() if c == cause)
            observe.REWOUND.labels(self.service.name, cause).set(count)
        if causes:
            self.health.red("stopped", f"{', '.join(sorted(causes))}: {' '.join(sorted(self.stopped))}; docs/operators.md says what to do")
        else:
            self.health.green("stopped")


def monotonic() -> float:
    """Seconds of true time for intervals; no event depends on it."""
    return time.monotonic()
