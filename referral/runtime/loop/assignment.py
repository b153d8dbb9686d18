"""Assign units to this instance: claim expired leases up to a fair share, release the excess, run the take-over checks before reading."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import observe
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import lease, outbox, rollback_check
from referral.runtime.loop.reader import LIMIT, Reader
from referral.runtime.loop.units import ALL, Place, Unit
from referral.runtime.postgres import bells, database, queue
from referral.runtime.record_signing import SignerOf
from referral.runtime.service import Service
from referral.runtime.settings import Settings
from referral.wire import topics

EVERY, ALONE = 1.0, 2.0
"""Seconds (ours) between two surveys of live instances and free units, for what no bell tells: an instance that died, a database that was
set back. ALONE: where this instance owns every unit, so that none can become free."""
DISCOVER = 10.0  # seconds between two listings of topics
TIDY = 3600.0  # seconds between two clean-ups of old queue rows and key-topic segments
FOREVER = float("inf")
GONE = 3600.0
"""Seconds (ours) for which an agency's unit outlives its topic: time to notice a topic that was deleted by mistake and recreate it."""
AT_ONCE = 3.0
"""Seconds (ours) for all units of the case topics to begin together. When they cannot, each begins alone, which finds the faulty one."""
BEGIN = 10.0
"""Seconds (ours) for one unit to begin: a working broker has answered by then, and the other units wait meanwhile."""
CAUSES = ("rewound-sql", "rewound-kafka", "newer-version", "many", "topic-gone", "no-topic", "unreadable")
UNREADABLE = CAUSES[-1]
TOGETHER = 20.0
"""Seconds (ours) for all units of one take-over, because the heartbeat renews no lease after a turn of 45 s. The rest waits for the next
turn."""
AGAIN = 30.0
"""Seconds (ours) before the retry of a unit that could not begin: longer than TOGETHER, so that every other unit has its turn."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The reason why a unit is not read. cause: one of CAUSES. until: monotonic second of the retry."""

    cause: str
    until: float


@dataclass(slots=True)
class Assignment:
    """The leases of one instance.

    book: a consumer that also reads uncommitted records.
    counts: number of partitions by topic.
    sign: returns, for a topic, what signs the records that are published there.
    units: owned units by name; shared with the heartbeat.
    stopped: units that are owned and not read.
    resting: units that are not owned because they could not begin.
    gone: units of agencies without a topic, or not in the directory → monotonic second at which their lease rows are deleted.
    """

    service: Service
    settings: Settings
    health: observe.Health
    tx: AsyncConnection
    reader: Reader
    producer: AIOKafkaProducer
    book: AIOKafkaConsumer
    keys: Keys
    counts: dict[str, int]
    sign: SignerOf
    units: dict[str, Unit] = field(default_factory=dict)
    stopped: dict[str, Stop] = field(default_factory=dict)
    resting: dict[str, Stop] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    _ingress: list[str] = field(default_factory=list)
    _next_survey: float = 0.0
    _told: bool = False
    _said: str = ""
    _next_discovery: float = 0.0
    _next_tidy: float = 0.0
    _stale: bool = False
    _known: bool = False
    _existing: frozenset[str] = frozenset()
    _hidden: set[str] = field(default_factory=set)

    def active(self) -> dict[str, Unit]:
        """Return the owned units that are not stopped."""
        return {name: unit for name, unit in self.units.items() if name not in self.stopped}

    def drop(self, kept: frozenset[str]) -> None:
        """Forget the active units that another instance has taken over. kept: the ones that are still ours."""
        for name in self.active().keys() - kept:
            del self.units[name]
            self._stale = True
            observe.FENCED.labels(self.service.name).inc()

    def stop(self, name: str, cause: str, until: float = FOREVER) -> None:
        """Stop reading a unit until the monotonic second `until`; an operator should look. cause: one of CAUSES."""
        self.stopped[name] = Stop(cause, until)
        self._stale = True
        observe.log().error("unit stopped", service=self.service.name, unit=name, reason=cause)
        self._report()

    def is_due(self, mono: float) -> bool:
        """Return True when `update` would do something."""
        return self._stale or self._told or mono >= self._next_survey

    def look(self) -> None:
        """Make a survey due: another instance has come or has given units back."""
        self._told = True

    async def update(self, mono: float) -> bool:
        """Claim free units and release the excess, once a second and when told. Return whether the reader reads others now.

        mono: monotonic seconds.
        """
        if self._told or mono >= self._next_survey:
            self._told = False
            self._next_survey = mono + EVERY
            await self._discover(mono)
            async with database.singly(self.tx):
                held = list(self.units.values())
                survey = await lease.survey(self.tx, self.settings.instance, held, names(self.service, self._ingress))
            await self.tx.commit()
            if survey.arrived:
                await self._ring()
            if len(self.units) == len(survey.units):
                self._next_survey = mono + ALONE
            await self._release_orphans(survey, mono)
            self._retry(mono)
            await self._balance(survey, mono)
            self._report()  # not between the two: what is tried again still stands, and an alert about it must not begin anew
            await self._tell(survey)
            await self._tidy(mono)
        if not self._stale:
            return False
        await self.assign()
        return True

    async def _discover(self, mono: float) -> None:
        """List the topics, every DISCOVER seconds, or every EVERY seconds until the service knows its agencies."""
        if mono < self._next_discovery:
            return
        there = {self.settings.plain(t) for t in await self.reader.probe.topics() if t.startswith(self.settings.topic_prefix)}
        self._existing = frozenset(t for t in there if t.startswith(topics.INGRESS)) if self.service.ingress else frozenset()
        listed = self.service.agencies() if self.service.agencies else {t.removeprefix(topics.INGRESS) for t in self._existing}
        self._known = listed is not None
        self._next_discovery = mono + (DISCOVER if self._known else EVERY)
        self._ingress = sorted(t for t in self._existing if t.removeprefix(topics.INGRESS) in (listed or ()))
        hidden, self._hidden = self._hidden, self._needed() - there
        if hidden & self._hidden:
            await self._rest(mono)

    def _needed(self) -> set[str]:
        """Return the topics of the line without which no case unit of this service works."""
        return {topic for topic in (*self.service.reads, self.service.writes) if topic}

    async def _rest(self, mono: float) -> None:
        """Release the case units: one of their topics was missing twice in a row. Its reader would wait for records without a word."""
        units = [unit for name, unit in self.active().items() if not name.startswith(topics.INGRESS)]
        for unit in units:
            observe.log().error("unit without a topic", service=self.service.name, unit=unit.name, topic=",".join(sorted(self._hidden)))
            self.resting[unit.name] = Stop("no-topic", mono + AGAIN)
        await self._release(units)

    async def _release_orphans(self, survey: lease.Survey, mono: float) -> None:
        """Release units whose ingress topic is gone or whose agency is not in the directory; delete their rows once that is certain."""
        if not self._known:
            return
        lost = {unit for unit in survey.units if unit.startswith(topics.INGRESS)} - set(self._ingress)
        for unit in lost - self.gone.keys():
            self.gone[unit] = mono if unit in self._existing else mono + GONE  # a topic without an agency in the directory: delete at once
            observe.log().error("unit without a topic", service=self.service.name, unit=unit)
        self.gone = {unit: until for unit, until in self.gone.items() if unit in lost}
        await self._release([self.units[unit] for unit in self.units.keys() & lost])
        over = [unit for unit, until in self.gone.items() if mono >= until]
        if over:
            await lease.forget(self.tx, over)
            await self.tx.commit()
        self._report()

    async def _tidy(self, mono: float) -> None:
        """Once an hour, delete old queue rows."""
        parts = [u.partition for u in self.units.values() if u.partition is not None]
        if mono >= self._next_tidy and parts:
            self._next_tidy = mono + TIDY
            await queue.forget(self.tx, parts)
            await self.tx.commit()

    def _retry(self, mono: float) -> None:
        """End the rest of units that may be claimed again, and the stop of units whose time is over or that are no longer ours."""
        self.resting = {name: rest for name, rest in self.resting.items() if mono < rest.until}
        for name in [n for n, stop in self.stopped.items() if mono >= stop.until or n not in self.units]:
            del self.stopped[name]
            self._stale = True

    async def _balance(self, survey: lease.Survey, mono: float) -> None:
        """Release units beyond the fair share, or claim free ones up to it."""
        for name in self.stopped.keys() & set(survey.free) & self.units.keys():  # free again: `referral recover` fenced and repaired it
            del self.units[name], self.stopped[name]
            self._stale = True
            self._report()
        too_many = len(self.units) - survey.share
        if too_many > 0:
            await self._release(list(self.units.values())[-too_many:])
        taken: list[Unit] = []
        free = [name for name in survey.free if name not in self.resting and name not in self.gone]
        for name in free[: max(0, -too_many)]:
            unit = await self._claim(name)
            if unit is not None:
                taken.append(unit)
        if taken:
            await self._begin(taken, mono)
            self._stale = True

    async def _release(self, units: list[Unit]) -> None:
        """Release units, so that another instance need not wait until their leases expire."""
        if not units:
            return
        await lease.release(self.tx, units)
        await self.tx.commit()
        await self._ring()
        for unit in units:
            self.units.pop(unit.name, None)
            self.stopped.pop(unit.name, None)
        self._stale = True

    async def _ring(self) -> None:
        """Tell the other instances to look at once, and not at their next survey."""
        await bells.ring_on(self.tx, bells.of(self.service.name, bells.SHARE))

    async def _claim(self, name: str) -> Unit | None:
        """Take over one unit; None: another instance was quicker."""
        claim = await lease.take(self.tx, self.settings.instance, name)
        await self.tx.commit()
        if claim is None:
            return None
        self.stopped.pop(name, None)
        unit = Unit(name, claim.epoch, claim.positions, rows_alone_until=claim.suspect_until, committed=dict(claim.positions))
        unit.singly = claim.counted
        return unit

    async def _begin(self, taken: list[Unit], mono: float) -> None:
        """Run the take-over checks before reading, then publish what the previous owner committed and did not publish."""
        for unit in taken:
            self.units[unit.name] = unit  # the heartbeat renews it from now on
        started, failed, late = monotonic(), list[Unit](), list[Unit]()
        cases = [unit for unit in taken if unit.partition is not None]  # apart from ingress units: a broken agency topic delays no case
        together = await self._try_begin(cases, AT_ONCE) if len(cases) > 1 else UNREADABLE
        causes = {unit.name: together for unit in cases if together != UNREADABLE}  # one topic for all of them: none begins alone either
        for unit in taken:
            if unit.name not in causes and monotonic() - started >= TOGETHER:
                late.append(unit)
            elif cause := causes[unit.name] if unit.name in causes else await self._try_begin([unit], BEGIN):
                observe.log().error("unit cannot begin", service=self.service.name, unit=unit.name, reason=cause)
                self.resting[unit.name] = Stop(cause, mono + AGAIN)
                failed.append(unit)
        await self._release([*failed, *late])
        self._report()
        observe.log().info("took over", service=self.service.name, count=len(taken) - len(failed) - len(late))
        await self.publish({u.name for u in taken} - self.stopped.keys())

    async def _try_begin(self, units: list[Unit], seconds: float) -> str:
        """Run the take-over checks. Return why a unit cannot begin although the broker answers, so that others may; empty: all have begun.

        KafkaError: the broker is away.
        """
        wanted = {unit.name: (unit, self.places(unit.name)) for unit in units}
        try:
            async with asyncio.timeout(seconds):
                rewound = await rollback_check.check(self.tx, self.settings, self.book, self.keys, self.service.writes, wanted)
                for unit in units:
                    await self._set_records_alone(unit)
        except (KafkaError, TimeoutError) as error:
            await self.tx.rollback()
            shown = await self.reader.probe.topics()  # raises when the broker is away
            asked = {*self._needed(), *(place[0] for _, found in wanted.values() for place in found)}
            hidden = sorted(topic for topic in asked if self.settings.topic(topic) not in shown)
            where = ",".join(hidden)
            kind = type(error).__name__
            observe.log().warning("cannot begin", service=self.service.name, count=len(units), kind=kind, topic=where)
            return "no-topic" if hidden or isinstance(error, TopicAuthorizationFailedError) else UNREADABLE
        await self.tx.commit()
        for rollback in rewound:
            unit, _ = wanted[rollback.unit]
            if unit.partition is None and unit.name.startswith(topics.INGRESS):  # a recreated topic: read it from its first record
                observe.log().warning("topic made anew", service=self.service.name, unit=unit.name)
                await self._release([unit])
                await lease.reset(self.tx, unit.name)
                await self.tx.commit()
            else:
                self.stop(rollback.unit, f"rewound-{rollback.cause}")
        return ""

    async def _set_records_alone(self, unit: Unit) -> None:
        """Set the offsets up to which few records are read at a time, when one of them may have killed the previous owner."""
        if unit.rows_alone_until is None:
            return
        ends = await self.reader.ends(self.places(unit.name))
        starts = {p: unit.positions.get(p, (0, ""))[0] for p in ends}
        unit.records_alone_until = {p: min(end, starts[p] + LIMIT) for p, end in ends.items() if end > starts[p]}
        observe.log().warning("careful", service=self.service.name, unit=unit.name)

    async def publish(self, owned: set[str]) -> None:
        """Publish and confirm the blobs that wait in the outbox of these units."""
        if self.service.writes is None:
            return
        parts = {u.partition: u for n, u in self.units.items() if n in owned and u.partition is not None}
        blobs = await outbox.load(self.tx, list(parts))
        await self.tx.commit()
        topic, sign = self.service.writes, self.sign(self.service.writes)
        for turn in outbox.rounds(blobs):
            spans = await outbox.publish(self.producer, self.settings.topic(topic), turn, sign)
            await outbox.confirm(self.tx, topic, parts, turn, spans)

    async def assign(self) -> None:
        """Make the reader read exactly the active units, from their committed positions."""
        self._stale = False
        await self.reader.assign([(unit, self.places(name)) for name, unit in self.active().items()])
        observe.OWNED.labels(self.service.name).set(len(self.units))

    def places(self, unit: str) -> tuple[Place, ...]:
        """Return the partitions that a unit of this service reads."""
        return places(self.service, unit, self.counts)

    def _report(self) -> None:
        """Report stopped units: all in the metric, and those of case topics in readiness.

        A broken topic of one agency must not make the service not ready for all others (docs/decisions/0019).
        """
        idle = self._idle()
        for cause in CAUSES:
            observe.REWOUND.labels(self.service.name, cause).set(sum(c == cause for c in idle.values()))
        if stopped := _shown(idle):
            self.health.red("stopped", f"{stopped}; docs/operators.md says what to do")
        else:
            self.health.green("stopped")

    async def _tell(self, survey: lease.Survey) -> None:
        """Say the same in the instance's row, for `referral doctor`, which asks no process. A row that has just arrived says nothing."""
        stopped = _shown(self._idle())
        if stopped != ("" if survey.arrived else self._said):
            await lease.tell(self.tx, self.settings.instance, stopped)
            await self.tx.commit()
        self._said = stopped

    def _idle(self) -> dict[str, str]:
        """Return the units that do not go on, each with its cause."""
        return {name: stop.cause for name, stop in (self.resting | self.stopped).items()} | dict.fromkeys(self.gone, "topic-gone")


def _shown(idle: dict[str, str]) -> str:
    """Return causes and units of case topics; empty: all of them go on."""
    ours = {name: cause for name, cause in idle.items() if not name.startswith(topics.INGRESS)}
    return f"{', '.join(sorted(set(ours.values())))}: {' '.join(sorted(ours))}" if ours else ""


def monotonic() -> float:
    """Return monotonic seconds, for intervals; no event depends on them."""
    return time.monotonic()


def names(service: Service, ingress: list[str]) -> list[str]:
    """Return the names of a service's units. ingress: the ingress topics that exist."""
    if service.one_unit:
        return [ALL]
    return [f"p{n}" for n in range(topics.PARTITIONS)] + (ingress if service.ingress else [])


def places(service: Service, unit: str, counts: dict[str, int]) -> tuple[Place, ...]:
    """Return the partitions that a unit reads. counts: number of partitions by topic."""
    if unit == ALL:
        return tuple((topic, n) for topic in service.reads for n in range(counts[topic]))
    if unit.startswith(topics.INGRESS):
        return ((unit, 0),)
    return tuple((topic, int(unit[1:])) for topic in service.reads)
