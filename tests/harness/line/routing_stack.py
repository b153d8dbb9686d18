"""A line for the tests of routing and audit: real loops on real servers; the door is intake's queue, filled as its handlers fill it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection
from referral.cli.policy import activate as policy
from referral.domain.events import CaseClosed, Door, Instruction, ReferralSubmitted, ResponseSubmitted, Via, Word
from referral.proof.entry import ROUTING
from referral.proof.history.case import Read, unseal
from referral.runtime import observe, policy_feed, trust_file
from referral.runtime.kafka import clients, scan
from referral.runtime.keys import case_keys as keys
from referral.runtime.keys import key_topic
from referral.runtime.loop.consumer import Loop
from referral.runtime.postgres import clock, database, queue
from referral.runtime.service import Batch, Outcome, Service
from referral.runtime.settings import Settings
from referral.wire import codec, policy_digest, seal, topics
from services.audit import self_entries
from services.audit.__main__ import service as audit_service
from services.audit.handle import Audit
from services.routing.__main__ import service as routing_service
from services.routing.current_policy import CurrentPolicy
from services.routing.engine_failure import Breaker
from services.routing.policy_publisher import publish
from tests.harness import destroyed
from tests.harness.engines import by_hand
from tests.harness.erased import PLAIN, erased
from tests.harness.handlers import Functions
from tests.harness.made_child import CHILD, ordered
from tests.harness.waiting import PATIENCE_S, until


async def emit_queue(tx: AsyncConnection, batch: Batch) -> Outcome:
    """What intake does with its queue."""
    outcome = Outcome()
    for record in batch.inputs:
        outcome.emit(record, record.body)
    return outcome


INTAKE = Service(name="intake", reads=(), writes="referral-intake", handler=Functions(emit_queue))


def new_id() -> str:
    return str(uuid.uuid4())


def referral(**traits: Any) -> ReferralSubmitted:
    """A made-up child's first referral."""
    return ReferralSubmitted(
        referral_id=new_id(),
        agency="school-drita",
        door=Door.HTTP,
        opens=True,
        traits=structs.replace(CHILD, **traits),
        sections=("identity",),
        received_at=1,
    )


def answer(offer: Any, word: Word, **fields: Any) -> ResponseSubmitted:
    """What the asked agency says."""
    fields = {"reason": "", "code": "", "recorded": (), **fields}
    return ResponseSubmitted(
        response_id=new_id(), offer_id=offer.offer_id, agency=offer.agency, word=word, via=Via.SYSTEM, received_at=1, **fields
    )


@dataclass
class Line:
    """A running line. tasks: name → its loop."""

    settings: Settings
    loops: dict[str, tuple[Loop, asyncio.Task[None]]] = field(default_factory=dict)
    work: list[asyncio.Task[None]] = field(default_factory=list)
    engines: list[Any] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, service: Service, instance: str) -> Loop:
        """Start one instance of a service."""
        settings = structs.replace(self.settings, instance=instance)
        engine = database.engine(settings, service.name)
        loop = Loop(service, settings, engine, keys.read(settings), observe.Health(service.not_ready))
        self.loops[instance] = (loop, asyncio.create_task(loop.run()))
        self.engines.append(engine)
        return loop

    async def stop(self, instance: str) -> None:
        """End one in order."""
        loop, task = self.loops.pop(instance)
        loop.end()
        await asyncio.wait_for(task, PATIENCE_S)

    async def start(self, *, breaker: Breaker | None = None, instance: str = "r1") -> None:
        """Intake's queue, routing and audit, without a policy."""
        await self.run(INTAKE, "i1")
        current = CurrentPolicy(policy_feed.trusted(self.settings))
        await self.run(routing_service(current, breaker or Breaker(), self.news, self.settings.drill_clock), instance)
        assert self.settings.trust is not None
        await self.run(audit_service(Audit(lambda _: None, [self_entries.keys(trust_file.read(self.settings).logged())])), "a1")

    def publisher(self, instance: str = "r1") -> None:
        """Routing's work beside the loop."""
        settings = structs.replace(self.settings, instance=instance)
        engine = database.engine(settings, "routing", size=2)
        self.engines.append(engine)
        self.work.append(asyncio.create_task(publish(settings, engine, self.news)))

    async def activate(self, files: dict[str, bytes] | None = None) -> int:
        """Put a policy into force and wait until it is."""
        done = await policy.activate(self.settings, files or policy_digest.read(self.settings.policy))
        await until(lambda: self.scalar("SELECT number FROM routing.policy WHERE number = :n AND confirmed IS NOT NULL", n=done.number))
        return done.number

    async def post(self, case_id: str, *bodies: Struct, ids: Iterable[str] = (), drill: bool = False) -> None:
        """Queue events of a case, as one door's transaction would; a case's first one makes its key."""
        engine = database.engine(self.settings, "intake", size=1)
        try:
            async with engine.begin() as tx:
                chest = keys.read(self.settings)
                key = (await chest.load(tx, [case_id])).get(case_id) or await chest.create(tx, case_id)
                names = iter(ids)
                for body in bodies:
                    await queue.put(tx, case_id, body, next(names, None) or new_id(), key, drill=drill)
        finally:
            await engine.dispose()

    async def close_case(self, case_id: str) -> None:
        """Its desk closes it."""
        await self.post(case_id, ordered(Instruction.CLOSE, new_id()))
        await self.wait_for(case_id, CaseClosed)

    async def erase(self, case_id: str, records: int = 1) -> None:
        """As intake erases a closed case after so many records: the event first, then, when routing has passed it, the key and its copy."""
        engine = database.engine(self.settings, "intake", size=1)
        try:
            async with engine.begin() as tx:
                chest = keys.read(self.settings)
                key = (await chest.load(tx, [case_id]))[case_id]
                said = erased(case_id, records, approved_at=await clock.now(tx))
                await queue.put(tx, case_id, said, new_id(), key)
            await until(lambda: self.scalar("SELECT count(*) = 0 FROM routing.case_state WHERE case_id = :c", c=case_id))
            async with by_hand(self.settings) as tx:
                await tx.execute(destroyed.KEYS, {"ids": [case_id]})
            async with clients.producer(self.settings) as producer:
                await key_topic.publish_tombstones(producer, self.settings, [case_id])
        finally:
            await engine.dispose()

    async def forge(self, case_id: str) -> None:
        """Somebody who can write the topic, and has the master key too, says that a case is erased: no signature of intake is on it."""
        last = (await self.reads(case_id, PLAIN.TOPIC))[-1].meta
        own = {"type": PLAIN.TYPE, "fingerprint": codec.fingerprint(PLAIN.TYPE), "case_seq": last.case_seq + 1, "event_id": new_id()}
        value = seal.seal(None, PLAIN.TOPIC, structs.replace(last, **own), codec.encode(PLAIN), b"")
        async with clients.producer(self.settings) as producer:
            where = self.settings.topic(PLAIN.TOPIC)
            await producer.send_and_wait(where, value, key=case_id.encode(), partition=topics.partition(case_id))

    async def said(self, case_id: str, topic: str = ROUTING) -> list[Any]:
        """The bodies of a topic for one case, in order."""
        return [read.body for read in await self.reads(case_id, topic)]

    async def reads(self, case_id: str, topic: str = ROUTING) -> list[Read]:
        """Its records, each once: a writer that was stopped may have published the same bytes again."""
        key = (await self.keys([case_id])).get(case_id)
        found, seen = [], set[bytes]()
        async for _, record in scan.whole(self.settings, [topic]):
            if record.key == case_id.encode() and record.value not in seen:
                seen.add(record.value)
                envelope = seal.open(record.value)
                data = seal.unseal(key, topic, envelope)
                found.append(Read(entry=None, meta=envelope.meta, body_bytes=data))  # type: ignore[arg-type]
        return found

    async def wait_for(self, case_id: str, kind: type, number: int = 1, **fields: Any) -> list[Any]:
        """The case's events of a kind with these fields, once there are that many."""

        async def look() -> list[Any]:
            found = [e for e in await self.said(case_id) if isinstance(e, kind) and all(getattr(e, k) == v for k, v in fields.items())]
            return found if len(found) >= number else []

        return list(await until(look))

    async def logged(self) -> None:
        """Wait until audit has read every topic to its end."""

        async def done() -> bool:
            topics = audit_service().reads
            ends = {f"{t}/{p}": end for (t, p), end in (await scan.ends(self.settings, topics)).items() if end}
            stored = await self.scalar("SELECT positions FROM audit.lease WHERE unit = 'all'") or {}
            return all(stored.get(place, [0])[0] >= end for place, end in ends.items())

        await until(done)

    async def keys(self, ids: Iterable[str]) -> dict[str, bytes]:
        async with self.admin() as tx:
            return await connection.case_keys(tx, self.settings, ids)

    async def scalar(self, statement: str, **values: Any) -> Any:
        async with self.admin() as tx:
            return (await tx.execute(text(statement), values)).scalar()

    async def sql(self, statement: str, **values: Any) -> None:
        async with self.admin() as tx:
            await tx.execute(text(statement), values)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AsyncConnection]:
        engine = database.admin(self.settings)
        try:
            async with engine.begin() as tx:
                yield tx
        finally:
            await engine.dispose()

    async def close(self) -> None:
        for task in self.work:
            task.cancel()
        for loop, _ in self.loops.values():
            loop.end()
        await asyncio.gather(*self.work, *(task for _, task in self.loops.values()), return_exceptions=True)
        for engine in self.engines:
            await engine.dispose()


@asynccontextmanager
async def running(settings: Settings, instance: str = "r1") -> AsyncIterator[Line]:
    """A line with routing's work beside its loop, for the length of a block; no policy is in force. instance: of routing."""
    made = Line(settings)
    try:
        await made.start(instance=instance)
        made.publisher(instance)
        yield made
    finally:
        await made.close()


__all__ = ["Line", "answer", "new_id", "referral", "running", "unseal"]
