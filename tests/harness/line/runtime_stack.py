"""A tiny service on a real database, and on Kafka or a broker in memory: it says one event for each input, and remembers what came."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import ConsumerRecord
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.events import DeadlinePassed, Meta, ReferralWithdrawn, Why
from referral.domain.inputs import Input
from referral.runtime import observe
from referral.runtime.kafka import clients, scan
from referral.runtime.keys import case_keys as keys
from referral.runtime.loop.consumer import Loop
from referral.runtime.loop.tenure import Tenure
from referral.runtime.postgres import database
from referral.runtime.service import Batch, Handle, Outcome, Service
from referral.runtime.settings import Settings
from referral.wire import codec, seal, topics
from tests.harness.handlers import Functions
from tests.harness.waiting import PATIENCE_S

IN, OUT, QUARANTINE = "referral-intake", "referral-routing", "referral-quarantine"
WHY = Why(rule="test", procedure="0" * 64, directory="0" * 64, engine=1, passed=())


def said(what: str = "test") -> DeadlinePassed:
    """What the tiny service says."""
    return DeadlinePassed(why=WHY, what=what, was_due=1)


def came(reason: str = "test") -> ReferralWithdrawn:
    """What comes in."""
    return ReferralWithdrawn(referral_id=str(uuid.uuid4()), agency="ks-pris-police", reason=reason, received_at=1)


@dataclass
class Counter:
    """One instance of the tiny service."""

    loop: Loop
    engine: AsyncEngine
    inputs: list[Input]
    task: asyncio.Task[None] | None = None

    @property
    def tenure(self) -> Tenure:
        """AssertionError while it is not connected."""
        assert self.loop.tenure is not None
        return self.loop.tenure

    @property
    def units(self) -> set[str]:
        return set(self.loop.tenure.assignment.units) if self.loop.tenure else set()

    @property
    def not_ready(self) -> dict[str, str]:
        return self.loop.health.not_ready()

    def start(self) -> None:
        self.task = asyncio.create_task(self.loop.run())

    async def end(self) -> None:
        self.loop.end()
        if self.task:
            await asyncio.wait_for(self.task, PATIENCE_S)
        await self.engine.dispose()

    async def kill(self) -> None:
        """As by SIGKILL: nothing is let go."""
        if self.task:
            if self.loop.tenure:
                del self.loop.tenure.tx  # so that it cannot say goodbye
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.engine.dispose()


async def counting(tx: AsyncConnection, batch: Batch) -> Outcome:
    """Say one event for each input."""
    outcome = Outcome()
    for i in batch.inputs:
        outcome.emit(i, said())
    return outcome


@dataclass
class Stack:
    """Fresh database and topics, and the means to write and read them."""

    settings: Settings
    keys: keys.Keys
    admin: AsyncEngine
    producer: Any
    running: list[Counter] = field(default_factory=list)

    def counter(self, instance: str = "a", handle: Handle = counting, fallback: Handle | None = None, **more: Any) -> Counter:
        """A new instance, not started; it is ended with the test."""
        inputs: list[Input] = []

        async def watched(tx: AsyncConnection, batch: Batch) -> Outcome:
            outcome = await handle(tx, batch)
            inputs.extend(batch.inputs)
            return outcome

        own: dict[str, Any] = {"name": "routing", "reads": (IN,), "writes": OUT, "handler": Functions(watched, fallback)} | more
        settings = msgspec.structs.replace(self.settings, instance=instance)
        engine = database.engine(settings, own["name"])
        made = Counter(Loop(Service(**own), settings, engine, self.keys, observe.Health()), engine, inputs)
        self.running.append(made)
        return made

    async def case(self, partition: int | None = None) -> str:
        """A new case with a key."""
        case_id = str(uuid.uuid4())
        while partition is not None and topics.partition(case_id) != partition:
            case_id = str(uuid.uuid4())
        async with self.admin.begin() as tx:
            await self.keys.create(tx, case_id)
        return case_id

    async def value(self, case_id: str, seq: int, body: Struct | None = None, topic: str = IN, **changed: Any) -> bytes:
        """A sealed record."""
        body = came() if body is None else body
        async with self.admin.connect() as tx:
            key = (await self.keys.load(tx, [case_id])).get(case_id)
        type_ = body.TYPE  # type: ignore[attr-defined]
        meta = Meta(
            event_id=str(uuid.uuid4()),
            case_id=case_id,
            case_seq=seq,
            type=type_,
            fingerprint=codec.fingerprint(type_),
            cause_id=str(uuid.uuid4()),
            recorded_at=1_700_000_000_000_000,
            source="intake",
            drill=False,
        )
        return seal.seal(key, topic, msgspec.structs.replace(meta, **changed), codec.encode(body), os.urandom(12))

    async def write(self, case_id: str, *values: bytes, topic: str = IN) -> int:
        """Publish record values of a case; the last offset."""
        for value in values:
            done = await self.producer.send_and_wait(
                self.settings.topic(topic), value, key=case_id.encode(), partition=topics.partition(case_id)
            )
        return int(done.offset)

    async def records(self, topic: str = OUT) -> list[ConsumerRecord]:
        """Everything that a topic holds, repeats too."""
        return [record async for _, record in scan.whole(self.settings, [topic])]

    async def distinct(self, topic: str = OUT) -> list[ConsumerRecord]:
        """The topic as its readers take it: a crash may publish a record again with the same bytes, or quarantine a position again."""
        found: dict[tuple[bytes, ...], ConsumerRecord] = {}
        for record in await self.records(topic):
            found.setdefault((record.key,) if topic == QUARANTINE else (record.key, record.value), record)
        return list(found.values())

    async def has(self, count: int, topic: str = OUT) -> bool:
        """Return True when a topic holds so many distinct records."""
        return len(await self.distinct(topic)) >= count

    async def metas(self, topic: str = OUT) -> list[Meta]:
        """Those of the distinct records: two with one sequence and other bytes, a fork, both count."""
        return [seal.open(r.value).meta for r in await self.distinct(topic)]

    async def cleared(self) -> bool:
        """Return whether no input is suspected any more of having killed a process."""
        return not await self.sql("SELECT * FROM routing.suspect")

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.admin.begin() as tx:
            done = await tx.execute(text(statement), values)
            return list(done.all()) if done.returns_rows else []


@asynccontextmanager
async def stack(settings: Settings) -> AsyncIterator[Stack]:
    """Everything is ended with the block."""
    admin = database.admin(settings)
    producer = clients.producer(settings)
    await producer.start()
    made = Stack(settings, keys.read(settings), admin, producer)
    try:
        yield made
    finally:
        for counter in made.running:
            if counter.task and not counter.task.done():
                await counter.end()
            await counter.engine.dispose()
        await producer.stop()
        await admin.dispose()
