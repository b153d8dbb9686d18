"""Run the consumer loop shared by all services: renew ownership, read inputs, run the handler, commit one transaction, publish the outbox.

Each process has one loop.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import asyncpg
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.errors import Fenced, Misfit, NewerVersion, Rejected, Unavailable
from referral.runtime import observe
from referral.runtime.kafka import clients
from referral.runtime.keys import erasure_tag
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import attempts, heartbeat, lease, outbox, tables, timers, writer_mark
from referral.runtime.loop.assignment import Owner, monotonic
from referral.runtime.loop.ledger import Ledger
from referral.runtime.loop.outbox_age import Waiting
from referral.runtime.loop.pending import Work
from referral.runtime.loop.quarantine import WINDOW, Ceiling, QuarantineAway
from referral.runtime.loop.reader import LIMIT, POLL, Reader
from referral.runtime.loop.transaction import Done, Transaction
from referral.runtime.loop.units import Place, Unit
from referral.runtime.postgres import clock, database
from referral.runtime.postgres.clock import FalseClock
from referral.runtime.service import Handle, Service
from referral.runtime.settings import Settings
from referral.wire import topics

BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0)  # seconds before each retry; the last value repeats
AWAY = 2.0
"""Longest back-off (ours, seconds) while a server is away: a failed connection costs little, and every case waits for the next retry."""
CLOCK = "somebody moved runtime.clock, and this is no drill: find out who; then UPDATE runtime.clock SET offset_us = 0"
QUIET = 5.0
"""Longest wait (ours, seconds) for the single record of a careful unit: behind an open transaction none arrives, and other units wait."""
STALL = 45.0
"""Longest turn (seconds) for which leases are renewed. Statements and publications end after 30 s, so a longer turn means that a handler
hangs: the heartbeat stops renewing the leases, so that another instance can take over."""


class Loop:
    """The loop of one service instance. health: receives the reasons why the instance is not ready."""

    def __init__(self, service: Service, settings: Settings, engine: AsyncEngine, keys: Keys, health: observe.Health) -> None:
        self.service, self.settings, self.engine, self.keys, self.health = service, settings, engine, keys, health
        self._intake = erasure_tag.intake_keys(settings)
        self.units: dict[str, Unit] = {}
        self._ending = asyncio.Event()
        self._ceiling = Ceiling()
        self._tries = 0
        self._quiet: dict[str, float] = {}
        self._moved, self._waiting = monotonic(), Waiting(engine)
        observe.OUTBOX_AGE.labels(service.name).set_function(self._waiting.seconds)

    def _moves(self) -> bool:
        return monotonic() - self._moved < STALL

    def end(self) -> None:
        """Make `run` return after the current batch, with the leases released."""
        self._ending.set()

    async def run(self) -> None:
        """Run until `end`. Raises the errors that must stop the service: NewerVersion of a case topic, QuarantineAway, Misfit."""
        watching = asyncio.create_task(self._waiting.follow())
        try:
            await self._tenures()
        finally:
            watching.cancel()

    async def _tenures(self) -> None:
        while not self._ending.is_set():
            try:
                await self._tenure()
            except (NewerVersion, QuarantineAway, Misfit):
                raise
            except Exception as error:
                pause = min(BACK_OFF[min(self._tries, len(BACK_OFF) - 1)], AWAY if away(error) else BACK_OFF[-1])
                self._tries += 1
                what = "fenced" if isinstance(error, Fenced) else "database or broker away" if away(error) else "a fault"
                observe.log().error("loop", service=self.service.name, reason=what, kind=type(error).__name__, where=observe.where(error))
                self.health.red("loop", f"{what}: {type(error).__name__}; trying again")
                if isinstance(error, FalseClock):
                    self.health.red("clock", CLOCK)
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._ending.wait(), seconds)
        except TimeoutError:
            return

    async def _tenure(self) -> None:
        """Run turns on one set of connections, until one of them fails. Nothing in memory outlives the tenure."""
        self.units.clear()
        self._quiet.clear()
        async with AsyncExitStack() as stack:
            self.tx = await stack.enter_async_context(self.engine.connect())
            await self._fits()
            consumer, probe, producer = clients.consumer(self.settings), clients.consumer(self.settings), clients.producer(self.settings)
            book = clients.consumer(self.settings, isolation_level="read_uncommitted")
            for reading in (consumer, probe, book):
                stack.push_async_callback(clients.halt, reading)
                await reading.start()
            stack.push_async_callback(clients.throw_away, producer)
            await producer.start()
            self.reader = Reader(consumer, probe, self.settings, self.service.name)
            stack.push_async_callback(self.reader.halt)
            wake = self.reader.wake.set
            beating = heartbeat.beating(self.engine, self.service.name, self.settings.instance, self.units, wake, self._moves)
            self._heart = await stack.enter_async_context(beating)
            counts = {name: card.partitions for name, card in clients.wanted(self.settings).items()}
            of = (self.service, self.settings)
            self.owner = Owner(*of, self.health, self.tx, self.reader, producer, book, self.keys, self.units, counts)
            self.batch = Transaction(*of, self.keys, self._intake, self.tx, producer, await writer_mark.secret(self.tx))
            await self.tx.commit()
            self.ledger = Ledger(book, self.settings, self.service.writes) if self.service.writes else None
            if self.ledger:
                stack.push_async_callback(self.ledger.halt)
            self.producer, self.gate, self._poll = producer, timers.Gate(), 0.0
            stack.push_async_callback(self._leave)
            while not self._ending.is_set():
                await self.step()
                self._well()

    def _well(self) -> None:
        """Clear the reasons for not being ready that a successful turn disproves, and reset the back-off."""
        against = self.health.against().keys()
        if self._tries or against & {"loop", "start"}:
            self._tries = 0
            for word in ("loop", "clock", "start"):
                self.health.green(word)
        if "quarantine" in against and not self._ceiling.reached(monotonic()):
            self.health.green("quarantine")

    async def _fits(self) -> None:
        """Check that database and process agree about the drill clock. Misfit: the database belongs to a drill, the process does not."""
        try:
            await clock.check(self.tx, self.settings)
        except Rejected as error:
            raise Misfit(str(error)) from None
        await self.tx.commit()

    async def _leave(self) -> None:
        """Release the leases if the database answers within 2 s; otherwise they expire."""
        try:
            async with asyncio.timeout(2):
                await self.tx.rollback()
                await lease.leave(self.tx, self.settings.instance, list(self.units.values()))
                await self.tx.commit()
        except Exception:
            return
        finally:
            self.units.clear()

    async def step(self) -> None:
        """Run one turn. Fenced: the heartbeat connection is lost."""
        self._moved = monotonic()
        if self._heart.done():
            raise Fenced("nobody renews our leases")
        await self.owner.look(monotonic())
        if self.ledger and (own := await self.ledger.look(self.owner.active().values(), monotonic())):
            await self.turn(Work(own=own))
        work = await self.read()
        if any(unit.wary is not None for unit in self.units.values()) and (work.rows or work.dues):
            await self._warily(work)
        elif work:
            await self.turn(work)

    async def read(self) -> Work:
        """Return the inputs that have arrived, at most LIMIT; empty after POLL seconds without any."""
        for name, unit in self.owner.active().items():
            if unit.careful:
                return await self._read_careful(name, unit)
        wait = max(0.0, self._poll - monotonic())
        records = await self.reader.take(wait)
        if not (self.reader.wake.is_set() or monotonic() >= self._poll):
            return Work(records)
        self.reader.wake.clear()
        self._poll = monotonic() + POLL
        parts = [u.partition for u in self.owner.active().values() if u.partition is not None]
        rows = await tables.rows(self.tx, parts, max(1, LIMIT - len(records)))
        now, dues = await timers.due(self.tx, parts, self.service.waits_for, LIMIT) if parts else (0, [])
        await self.tx.commit()
        self._less_wary(Work(rows=rows, dues=dues))
        fire = await self._fire(now, dues, frozenset(place for _, place, _ in records))
        if rows or fire:
            self._poll = 0.0  # there may be more
        return Work(records, rows, fire)

    async def _read_careful(self, name: str, unit: Unit) -> Work:
        """Return one record of a careful unit, its attempt counted before decoding.

        A record that does not arrive within QUIET seconds cannot have killed the previous owner, so the unit is no longer careful then.
        """
        at = {p: position[0] for p, position in unit.positions.items()} | await self.reader.reached()
        unit.careful = {p: end for p, end in unit.careful.items() if at.get(p, 0) < end}
        if unit.careful and monotonic() - self._quiet.setdefault(name, monotonic()) < QUIET:
            taken = await self.reader.one(unit.careful)
            if not taken:
                return Work()
            self._quiet.pop(name)
            return await self._counted(Work(taken))
        unit.careful = {}
        self._quiet.pop(name, None)
        await self.owner.assign()
        return Work()

    async def _warily(self, work: Work) -> None:
        """Handle queue rows and alarms one by one while a unit is wary; count an attempt for each one of a wary unit before decoding it."""
        if work.records:
            await self.turn(replace(work, rows=[], dues=[]))
        for item in replace(work, records=[]).singly():
            item = item.of(frozenset(self.owner.active()))
            if item and self.units[item.place()[0]].wary is not None:
                item = await self._counted(item)
            if item:
                await self.turn(item)

    def _less_wary(self, waiting: Work) -> None:
        """End the wariness of units whose rows and alarms from before the take-over are all handled: none of them kills the process."""
        for name, unit in self.owner.active().items():
            ours = waiting.of(frozenset({name}))
            if unit.wary is not None and min([*(r.at for r in ours.rows), *(d.at for d in ours.dues), unit.wary + 1]) > unit.wary:
                unit.wary = None

    async def _counted(self, work: Work) -> Work:
        number = await attempts.begin(self.tx, *work.place())
        return replace(work, attempt=number, unread=attempts.unread(number, bool(work.records), self.service.fallback is not None))

    def _handle(self, work: Work) -> Handle:
        return self.service.fallback if work.attempt == attempts.LAST and self.service.fallback else self.service.handle

    async def _fire(self, now: int, dues: list[timers.Due], busy: frozenset[Place]) -> list[timers.Due]:
        """Return the alarms that may fire; the others wait for their inputs.

        now: batch clock, µs. dues: the due alarms. busy: places whose records this turn has yet to handle.
        """
        observe.ALARMS_OVERDUE.labels(self.service.name).set(len(dues))
        unheld = self.gate.unheld(dues, monotonic())
        unasked = self.gate.unasked(unheld)
        if unasked:
            ends = await self.reader.ends([p for n in unasked for p in self.owner.places(f"p{n}")])
            for n in unasked:
                self.gate.barriers[n] = timers.Barrier(now, {p: end for p, end in ends.items() if p[1] == n})
        read = {p: position[0] for u in self.owner.active().values() for p, position in u.positions.items()}
        if dues:
            read |= {p: at for p, at in (await self.reader.reached()).items() if p not in busy and at > read.get(p, 0)}
        fire = self.gate.ready(unheld, read)
        if len(fire) < len(unheld):
            self._poll = 0.0
        return fire

    async def turn(self, work: Work) -> None:
        """Handle, commit, publish. When the handler raises, repeat with one input at a time, so that only the faulty input fails."""
        await self._try_first(work)
        try:
            done = await self._commit(work, self._handle(work))
        except Exception as error:
            if away(error):
                raise
            observe.log().warning("one at a time", service=self.service.name, kind=type(error).__name__, where=observe.where(error))
            await self._singly(work)
        else:
            await self.publish(done)

    async def _try_first(self, work: Work) -> None:
        fresh = [unit for name, unit in self.owner.active().items() if not unit.tried and name in work.units()]
        if fresh:
            await lease.try_first(self.tx, fresh)
            await self.tx.commit()
            for unit in fresh:
                unit.tried = True

    async def _singly(self, work: Work) -> None:
        for item in work.singly():
            item = item.of(frozenset(self.owner.active()))
            if not item:
                continue
            try:
                done = await self._commit(item, self._handle(item))
            except Exception as error:
                unit = item.records[0][0] if item.records else None
                if isinstance(error, NewerVersion) and unit and unit.name.startswith(topics.INGRESS):
                    self.owner.stop(unit.name, "newer-version")
                    continue
                if away(error) or isinstance(error, NewerVersion) or self.service.fallback is None:
                    raise
                observe.log().error("fallback", service=self.service.name, kind=type(error).__name__, where=observe.where(error))
                done = await self._commit(item, self.service.fallback)
            await self.publish(done)

    async def _commit(self, work: Work, handle: Handle) -> Done:
        started = self._moved = monotonic()
        done = await self.batch.run(work, self.owner.active(), handle)
        self.owner.drop(done.held)
        observe.BATCH_SECONDS.labels(self.service.name, "commit").observe(monotonic() - started)
        for item in done.refused:
            observe.QUARANTINED.labels(self.service.name, item.reason).inc()
            at = {"topic": item.place[0], "partition": item.place[1], "offset": item.offset}
            observe.log().error("quarantined", service=self.service.name, reason=item.reason, **at)
            if item.ours or item.unit.startswith(topics.INGRESS):
                self._ceiling.count(item.unit, monotonic())
        if done.refused:
            self._too_many()
        return done

    def _too_many(self) -> None:
        """React to many quarantined records: stop an agency's unit for WINDOW seconds, or report not ready because a deploy may be bad."""
        for unit in self._ceiling.reached(monotonic()):
            if unit.startswith(topics.INGRESS):
                self.owner.stop(unit, "quarantine", monotonic() + WINDOW)
            else:
                self.health.red("quarantine", "too many records cannot be understood: is this deploy older than the writers?")

    async def publish(self, done: Done) -> None:
        """Publish the outbox blobs of this batch and confirm them, before the next batch begins."""
        if not done.blobs or self.service.writes is None:
            return
        started = monotonic()
        spans = await outbox.publish(self.producer, self.settings.topic(self.service.writes), done.blobs)
        parts = {u.partition: u for u in self.units.values() if u.partition is not None}
        await outbox.confirm(self.tx, self.service.writes, parts, done.blobs, spans)
        observe.BATCH_SECONDS.labels(self.service.name, "publish").observe(monotonic() - started)
        observe.RECORDS_OUT.labels(self.service.name).inc(sum(len(b.records) for b in done.blobs))


def away(error: BaseException) -> bool:
    """Return whether an error means that the database or broker is away, or another instance owns the unit: no single input caused it."""
    return isinstance(
        error, KafkaError | Fenced | Unavailable | QuarantineAway | asyncpg.InterfaceError | asyncpg.PostgresConnectionError
    ) or database.away(error)
