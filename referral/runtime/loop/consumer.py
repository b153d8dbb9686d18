"""Run the consumer loop shared by all services: connect, take turns until one fails, back off, connect again; and report readiness.

Each process has one loop. `tenure` has the turns.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.errors import Fenced, Misconfigured, NewerVersion, Rejected
from referral.runtime import observe, record_signing
from referral.runtime.background import BACK_OFF_S, back_off, pause
from referral.runtime.kafka import clients
from referral.runtime.keys import erasure_tag
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import clock_ahead, heartbeat, writer_mark
from referral.runtime.loop.assignment import Assignment, monotonic
from referral.runtime.loop.ledger import Ledger
from referral.runtime.loop.outbox_age import OutboxAge
from referral.runtime.loop.publication import Publication
from referral.runtime.loop.quarantine import Ceiling
from referral.runtime.loop.reader import Reader
from referral.runtime.loop.tenure import Tenure, away
from referral.runtime.loop.transaction import Transaction
from referral.runtime.postgres import clock, rights, schema
from referral.runtime.postgres.clock import FalseClock
from referral.runtime.postgres.rights import WithoutRights
from referral.runtime.postgres.schema import OlderSchema
from referral.runtime.service import Service
from referral.runtime.settings import Settings

AWAY = 1.0
"""Longest back-off (ours, seconds) while a server is away: a failed connection costs little, and every case waits for the next retry."""
QUIET_MS = 1000
"""Milliseconds (ours) for which a fetch of a quiet line waits at the broker, which answers at once when a record comes. A take-over may
wait so long for the fetch that was sent before it."""
CLOCK = "somebody moved runtime.clock, and this is no drill: find out who; then UPDATE runtime.clock SET offset_us = 0"


class Loop:
    """The loop of one service instance.

    health: receives the reasons why the instance is not ready.
    tenure: the current one; None: not connected.
    """

    def __init__(self, service: Service, settings: Settings, engine: AsyncEngine, keys: Keys, health: observe.Health) -> None:
        self.service, self.settings, self.engine, self.keys, self.health = service, settings, engine, keys, health
        self.tenure: Tenure | None = None
        self._intake = erasure_tag.erasers(settings)
        self._writers = record_signing.writers(settings)
        self._sign = record_signing.signer(settings, service.name)
        self._ending = asyncio.Event()
        self._ceiling = Ceiling()
        self._waits = back_off()
        self._outbox_age = OutboxAge(engine, service.name, service.writes)
        observe.OUTBOX_AGE.labels(service.name).set_function(self._outbox_age.seconds)

    def end(self) -> None:
        """Make `run` return after the current batch, with the leases released."""
        self._ending.set()

    async def run(self) -> None:
        """Run until `end`. Raises the errors that must stop the service: NewerVersion of a case topic, Misconfigured."""
        follow = (self._outbox_age.follow(), clock_ahead.follow(self.engine, self.service.name))
        watching = [asyncio.create_task(one) for one in follow]
        try:
            await self._tenures()
        finally:
            for task in watching:
                task.cancel()

    async def _tenures(self) -> None:
        """Run tenures until `end`, with a back-off after each failure."""
        while not self._ending.is_set():
            self.health.turned()
            try:
                await self._run_tenure()
            except (NewerVersion, Misconfigured):
                raise
            except Exception as error:
                seconds = min(next(self._waits), AWAY if away(error) else BACK_OFF_S[-1])
                what = "fenced" if isinstance(error, Fenced) else "database or broker away" if away(error) else "a fault"
                observe.log().error("loop", service=self.service.name, reason=what, kind=type(error).__name__, where=observe.where(error))
                self.health.red("loop", f"{what}: {type(error).__name__}; trying again")
                if isinstance(error, FalseClock):
                    self.health.red("clock", CLOCK)
                if isinstance(error, OlderSchema):
                    self.health.red("schema", str(error))
                if isinstance(error, WithoutRights):
                    self.health.red("rights", str(error))
                await pause(self._ending, seconds)

    async def _run_tenure(self) -> None:
        """Take turns on one set of connections, until `end` or until a turn fails. Fenced: the heartbeat connection is lost."""
        async with AsyncExitStack() as stack:
            self.tenure = await self._connect(stack)
            stack.callback(self._disconnected)
            beating = heartbeat.beating(
                self.engine,
                self.service,
                self.settings.instance,
                self.tenure.assignment.units,
                self.tenure.reader.wake.set,
                self.tenure.divide,
                self.tenure.makes_progress,
            )
            renewing = await stack.enter_async_context(beating)
            stack.push_async_callback(self.tenure.leave)
            while not self._ending.is_set():
                if renewing.done():
                    raise Fenced("the heartbeat connection is lost, so the leases are no longer renewed")
                await self.tenure.step()
                self.health.turned()
                self._recovered()
            await self.tenure.settle()

    async def _connect(self, stack: AsyncExitStack) -> Tenure:
        """Connect to database and broker, and return the tenure on these connections. stack: closes them."""
        tx = await stack.enter_async_context(self.engine.connect())
        await self._check_drill(tx)
        consumer = clients.consumer(self.settings, fetch_max_wait_ms=QUIET_MS)
        probe, producer = clients.consumer(self.settings), clients.producer(self.settings)
        book = clients.consumer(self.settings, isolation_level="read_uncommitted")
        for reading in (consumer, probe, book):
            stack.push_async_callback(clients.halt, reading)
            await reading.start()
        await clients.find(self._topics(), consumer, probe, book)
        stack.push_async_callback(clients.throw_away, producer)
        if self.service.writes:  # the broker gives a writer's number only to who may write somewhere
            async with asyncio.timeout(clients.REQUEST / 1000):  # it asks for its number without an end
                await producer.start()
        reader = Reader(consumer, probe, self.settings, self.service.name)
        stack.push_async_callback(reader.halt)
        counts = {name: card.partitions for name, card in clients.wanted(self.settings).items()}
        secret = await writer_mark.secret(tx)
        await tx.commit()
        of = (self.service, self.settings)
        ledger, publication = None, None
        if writes := self.service.writes:
            ledger = Ledger(book, self.settings, writes)
            stack.push_async_callback(ledger.halt)
            publication = Publication(self.service.name, writes, self.settings.topic(writes), tx, producer, self._sign(writes))
        return Tenure(
            *of,
            health=self.health,
            ceiling=self._ceiling,
            tx=tx,
            reader=reader,
            publication=publication,
            ledger=ledger,
            assignment=Assignment(*of, self.health, tx, reader, producer, book, self.keys, counts, self._sign),
            transaction=Transaction(*of, self.keys, self._intake, self._writers, self._sign, tx, producer, secret, self._ceiling),
        )

    def _topics(self) -> list[str]:
        """Return the topics of the line that this service reads and writes, as the broker names them."""
        return [self.settings.topic(name) for name in (*self.service.reads, self.service.writes) if name]

    def _disconnected(self) -> None:
        self.tenure = None

    async def _check_drill(self, tx: AsyncConnection) -> None:
        """Check that database and process agree about the drill clock, the tables and the service's rights.

        Misconfigured: the database alone belongs to a drill, or the role owns its tables.
        """
        try:
            await clock.check(tx, self.settings)
        except Rejected as error:
            raise Misconfigured(str(error)) from None
        await schema.check(tx, self.service.name)
        await rights.check(tx, self.service.name)
        await tx.commit()

    def _recovered(self) -> None:
        """Clear the reasons for not being ready that a successful turn disproves, and reset the back-off."""
        not_ready = self.health.not_ready().keys()
        if not_ready & {"loop", "start"}:
            self._waits = back_off()
            for word in ("loop", "clock", "schema", "rights", "start"):
                self.health.green(word)
        if "quarantine" in not_ready and not self._ceiling.reached(monotonic()):
            self.health.green("quarantine")
