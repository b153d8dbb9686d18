"""Take the turns of one tenure, the life of one set of connections: own units, read, handle, commit one transaction, publish the outbox.

What a turn committed is published while the next one is taken, as long as inputs wait; else before anything more is read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Fenced, NewerVersion, Unavailable
from referral.runtime import observe
from referral.runtime.loop import assignment, attempts, lease, tables, timers
from referral.runtime.loop.assignment import Assignment, monotonic
from referral.runtime.loop.ledger import Ledger
from referral.runtime.loop.pending import Pending
from referral.runtime.loop.publication import Publication
from referral.runtime.loop.quarantine import Ceiling, QuarantineAway
from referral.runtime.loop.reader import LIMIT, POLL, Reader
from referral.runtime.loop.transaction import Done, Transaction
from referral.runtime.loop.units import Place, Unit
from referral.runtime.postgres import bells, database
from referral.runtime.service import Handle, Service
from referral.runtime.settings import Settings
from referral.wire import topics

GROWTH = 4
"""Records of one careful turn for one in the turn before (ours). A second death leads to single records whatever it is."""
QUIET = 5.0
"""Longest wait (ours, seconds) for a record that is handled alone: behind an open transaction none arrives, and other units wait."""
STALL = 45.0
"""Longest turn (seconds) for which leases are renewed. Statements and publications end after 30 s, so a longer turn means that a handler
hangs: the heartbeat stops renewing the leases, so that another instance can take over."""


@dataclass
class Tenure:
    """The turns on one set of connections. Nothing here outlives it but the ceiling.

    health: receives the reasons why the instance is not ready.
    ceiling: counts refused records, over all tenures.
    publication, ledger: None for a service that writes no topic.
    gate: holds back alarms.
    """

    service: Service
    settings: Settings
    health: observe.Health
    ceiling: Ceiling
    tx: AsyncConnection
    reader: Reader
    publication: Publication | None
    ledger: Ledger | None
    assignment: Assignment
    transaction: Transaction
    gate: timers.Gate = field(default_factory=timers.Gate)
    _next_poll: float = 0.0
    _waiting_since: dict[str, float] = field(default_factory=dict)
    _progress_at: float = field(default_factory=monotonic)

    def makes_progress(self) -> bool:
        """Return whether the current turn is shorter than STALL, so that leases may be renewed."""
        return monotonic() - self._progress_at < STALL

    def divide(self) -> None:
        """Let the next turn, which begins at once, look at who owns which units."""
        self.assignment.look()
        self.reader.wake.set()

    async def leave(self) -> None:
        """Confirm what was published and release the leases, if broker and database answer within 2 s each; otherwise the leases expire.

        While records may still arrive at the broker nobody else should publish them: then no lease is released. A connection that was lost
        confirms nothing: the next one may lead to an older copy of the database.
        """
        try:
            async with asyncio.timeout(2) as limit:
                lost = self.tx.invalidated
                await self.tx.rollback()
                if not lost:
                    await self.settle()
        except Exception as error:
            observe.log().info("left unconfirmed", service=self.service.name, kind=type(error).__name__)
            if limit.expired():
                self.assignment.units.clear()
                return
        finally:
            await self._halt()
        try:
            async with asyncio.timeout(2):
                await self.tx.rollback()
                await lease.leave(self.tx, self.settings.instance, list(self.assignment.units.values()))
                await self.tx.commit()
                await bells.ring_on(self.tx, bells.of(self.service.name, bells.SHARE))
        except Exception:
            return
        finally:
            self.assignment.units.clear()

    async def step(self) -> None:
        """Run one turn: own, read, then handle, commit and publish."""
        mono = monotonic()
        if self._needs_calm(mono):
            await self.settle()
        self._progress_at = monotonic()
        if await self.assignment.update(mono):
            self._next_poll = 0.0  # what waits in new units
        if self.ledger and not self._is_publishing and (own := await self.ledger.check(self.assignment.active().values(), mono)):
            await self.turn(Pending(own=own))
        pending = await self.read()
        if any(unit.rows_alone_until is not None for unit in self.assignment.units.values()) and (pending.rows or pending.dues):
            await self._handle_alone(pending)
        elif pending:
            await self.turn(pending)
        else:
            await self.settle()

    def _needs_calm(self, mono: float) -> bool:
        """Return True when nothing may be under way to the broker: units are divided, the own topic is accounted for, or one may kill."""
        active = self.assignment.active().values()
        due = self.assignment.is_due(mono) or (self.ledger is not None and self.ledger.is_due(active, mono))
        return due or any(unit.records_alone_until or unit.rows_alone_until is not None for unit in active)

    @property
    def _is_publishing(self) -> bool:
        return self.publication is not None and self.publication.is_open

    async def settle(self) -> None:
        """Confirm what is being published. TimeoutError, KafkaError, Fenced: as from `Publication.settle`."""
        if self.publication is not None:
            self._progress_at = monotonic()
            await self.publication.settle(self.assignment.units)

    async def _halt(self) -> None:
        if self.publication is not None:
            await self.publication.halt()

    async def read(self) -> Pending:
        """Return the inputs that have arrived, at most LIMIT; empty when the time of the next poll has come without any."""
        for name, unit in self.assignment.active().items():
            if unit.records_alone_until:
                return await self._read_alone(name, unit)
        wait = min(assignment.EVERY, max(0.0, self._next_poll - monotonic()))  # a dead instance's units wait for the next survey
        if self._is_publishing:
            wait = 0.0
        records = await self.reader.take(wait)
        if not (self.reader.wake.is_set() or monotonic() >= self._next_poll):
            return Pending(records)
        self.reader.wake.clear()
        parts = [u.partition for u in self.assignment.active().values() if u.partition is not None]
        async with database.singly(self.tx):
            rows = await tables.rows(self.tx, parts, max(1, LIMIT - len(records)))
            now, after, dues = await timers.due(self.tx, parts, self.service.waits_for, LIMIT) if parts else (0, None, [])
        await self.tx.commit()
        self._next_poll = monotonic() + (POLL if dues else timers.rest(now, after))
        await self._end_alone(Pending(rows=rows, dues=dues))
        fire = await self._fire(now, dues, frozenset(place for _, place, _ in records))
        if rows or fire:
            self._next_poll = 0.0  # there may be more
        return Pending(records, rows, fire)

    async def _read_alone(self, name: str, unit: Unit) -> Pending:
        """Return a few records of a unit whose previous owner died, the attempt counted before decoding.

        One, then GROWTH times as many each time: mostly none of them killed that owner, and then all are read in six turns. If this process
        dies of a few, the next one finds the attempt, and takes them one by one.
        A record that does not arrive within QUIET seconds cannot have killed that owner, so the unit is read normally from then on.
        """
        at = {p: position[0] for p, position in unit.positions.items()} | await self.reader.reached()
        unit.records_alone_until = {p: end for p, end in unit.records_alone_until.items() if at.get(p, 0) < end}
        if unit.records_alone_until and monotonic() - self._waiting_since.setdefault(name, monotonic()) < QUIET:
            taken = await self.reader.take_few(unit.records_alone_until, unit.few)
            if not taken:
                return Pending()
            self._waiting_since.pop(name)
            unit.few = 1 if unit.singly else min(GROWTH * unit.few, LIMIT)
            return await self._count_attempt(Pending(taken))
        unit.records_alone_until = {}
        self._waiting_since.pop(name, None)
        await self.assignment.assign()
        return Pending()

    async def _handle_alone(self, pending: Pending) -> None:
        """Handle queue rows and alarms one by one, because one may kill the process.

        Count an attempt, before decoding, for each one of a unit whose previous owner died.
        """
        if pending.records:
            await self.turn(replace(pending, rows=[], dues=[]))
        for item in replace(pending, records=[]).singly():
            item = item.of(frozenset(self.assignment.active()))
            if item and self.assignment.units[item.key().unit].rows_alone_until is not None:
                item = await self._count_attempt(item)
            if item:
                await self.turn(item)

    async def _end_alone(self, waiting: Pending) -> None:
        """Handle rows and alarms of a unit normally again, once all from before the take-over are handled and none killed the process."""
        for name, unit in self.assignment.active().items():
            ours = waiting.of(frozenset({name}))
            if (
                unit.rows_alone_until is not None
                and min([*(r.at for r in ours.rows), *(d.at for d in ours.dues), unit.rows_alone_until + 1]) > unit.rows_alone_until
            ):
                unit.rows_alone_until = None
                await attempts.clear(self.tx, name)  # of an alarm that is no longer due, say
                await self.tx.commit()

    async def _count_attempt(self, pending: Pending) -> Pending:
        """Count an attempt of the first input, and mark it to be skipped when it is alone and its attempts are exhausted."""
        alone = len(pending.records) <= 1
        number = await attempts.begin(self.tx, *pending.key(), alone=alone)
        if not alone:
            return replace(pending, attempt=1)
        fallback = self.service.handler.fallback is not None
        return replace(pending, attempt=number, skip=attempts.exhausted(number, bool(pending.records), fallback))

    def _handle(self, pending: Pending) -> Handle:
        """Return the service's fallback for an input at its last attempt, else its normal handler."""
        handler = self.service.handler
        return handler.fallback if pending.attempt == attempts.LAST and handler.fallback else handler.handle

    async def _fire(self, now: int, dues: list[timers.Due], busy: frozenset[Place]) -> list[timers.Due]:
        """Return the alarms that may fire; the others wait for their inputs.

        now: batch clock, µs. dues: the due alarms. busy: places whose records this turn has yet to handle.
        """
        observe.ALARMS_OVERDUE.labels(self.service.name).set(len(dues))
        unheld = self.gate.unheld(dues, monotonic())
        unasked = self.gate.unasked(unheld)
        if unasked:
            ends = await self.reader.ends([p for n in unasked for p in self.assignment.places(f"p{n}")])
            for n in unasked:
                asked = self.gate.vouches(n, dues, now)
                self.gate.barriers[n] = timers.Barrier(asked, {p: end for p, end in ends.items() if p[1] == n})
        read = {p: position[0] for u in self.assignment.active().values() for p, position in u.positions.items()}
        if dues:
            read |= {p: at for p, at in (await self.reader.reached()).items() if p not in busy and at > read.get(p, 0)}
        fire = self.gate.ready(unheld, read)
        if len(fire) < len(unheld):
            self._next_poll = 0.0
        return fire

    async def turn(self, pending: Pending) -> None:
        """Handle, commit, publish. When the handler raises, repeat with one input at a time, so that only the faulty input fails."""
        self._next_poll = min(self._next_poll, monotonic() + POLL)  # the turn may set an alarm
        await self._mark_first_batch(pending)
        try:
            done = await self._commit(pending, self._handle(pending))
        except Exception as error:
            if away(error):
                raise
            observe.log().warning("one at a time", service=self.service.name, kind=type(error).__name__, where=observe.where(error))
            await self._singly(pending)
        else:
            await self.publish(done)

    async def _mark_first_batch(self, pending: Pending) -> None:
        """Mark the units that have their first batch of this tenure, before it begins."""
        fresh = [unit for name, unit in self.assignment.active().items() if not unit.first_batch_started and name in pending.units()]
        if fresh:
            await lease.mark_first_batch(self.tx, fresh)
            await self.tx.commit()
            for unit in fresh:
                unit.first_batch_started = True

    async def _singly(self, pending: Pending) -> None:
        """Handle the inputs one at a time. An input that raises again goes to the fallback."""
        for item in pending.singly():
            item = item.of(frozenset(self.assignment.active()))
            if not item:
                continue
            try:
                done = await self._commit(item, self._handle(item))
            except Exception as error:
                unit = item.records[0].unit if item.records else None
                if isinstance(error, NewerVersion) and unit and unit.name.startswith(topics.INGRESS):
                    self.assignment.stop(unit.name, "newer-version")
                    continue
                if away(error) or isinstance(error, NewerVersion) or self.service.handler.fallback is None:
                    raise
                observe.log().error("fallback", service=self.service.name, kind=type(error).__name__, where=observe.where(error))
                done = await self._commit(item, self.service.handler.fallback)
            await self.publish(done)

    async def _commit(self, pending: Pending, handle: Handle) -> Done:
        """Run the transaction, drop units that another instance took over, and report refused inputs."""
        started = self._progress_at = monotonic()
        done = await self.transaction.run(pending, self.assignment.active(), handle)
        self.assignment.drop(done.held)
        observe.BATCH_SECONDS.labels(self.service.name, "commit").observe(monotonic() - started)
        for item in done.refused:
            observe.QUARANTINED.labels(self.service.name, item.reason).inc(item.number)
            at = {"topic": item.place[0], "partition": item.place[1], "offset": item.offset}
            observe.log().error("quarantined", service=self.service.name, reason=item.reason, count=item.number, **at)
            if item.ours or item.unit.startswith(topics.INGRESS):
                self.ceiling.count(item.unit, monotonic())
        for unit, seconds in done.rests.items():
            self.assignment.stop(unit, "many", monotonic() + seconds)
        if self.ceiling.reached(monotonic()):
            self.health.red("quarantine", "too many records cannot be understood: is this deploy older than the writers?")
        return done

    async def publish(self, done: Done) -> None:
        """Confirm the batch before this one, and begin to publish the outbox blobs of this one."""
        await self.settle()
        if done.blobs and self.publication is not None:
            self.publication.begin(done.blobs, self.assignment.units)


def away(error: BaseException) -> bool:
    """Return whether an error means that the database or broker is away, or another instance owns the unit: no single input caused it."""
    return isinstance(error, KafkaError | Fenced | Unavailable | QuarantineAway) or database.away(error)
