"""Destroying waits for the log and goes on from wherever it was killed; what comes back is destroyed again, also under a running intake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act
from referral.domain.events import CaseErased, EntryKind
from referral.errors import Rejected, Unavailable
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys, key_topic
from referral.runtime.loop.consumer import Loop
from referral.runtime.observe import Health
from referral.runtime.postgres import database, queue
from referral.runtime.service import Service
from referral.runtime.settings import Settings
from referral.tlog.note_keys import SignerKey
from referral.wire import intake_key
from referral.wire import leaf as wire
from services.intake.casefile import access
from services.intake.context import IntakeContext
from services.intake.erasure import store, worker
from services.intake.erasure.store import Erasure
from services.intake.erasure.worker import ErasureWorker
from services.intake.handle import Intake
from tests.harness import permits
from tests.harness.engines import by_hand
from tests.harness.erased import KEY
from tests.harness.line.intake_stack import LISTS, new_id
from tests.harness.made_log import WITNESSES
from tests.harness.made_log import Log as Made
from tests.harness.waiting import until
from tests.unit.proof.test_receipt import LEAF

pytestmark = pytest.mark.servers
ANA, BEN = new_id(), new_id()


@dataclass
class Audit:
    """What stands where audit would: it proves what it was told to, by event id and case. lies: it answers this to everything."""

    proven: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lies: bytes | None = None

    async def proof(self, request: Request) -> Response:
        event_id = request.path_params["event_id"]
        self.asked.append(event_id)
        if self.lies is not None:
            return Response(self.lies)
        if event_id not in self.proven:
            return PlainTextResponse("", 404)
        return Response(proof(event_id, self.proven[event_id]))


def proof(event_id: str, case_id: str, witnesses: Sequence[SignerKey] = WITNESSES) -> bytes:
    """That an erasure is in the log of `tests.harness.made_log`."""
    leaf = wire.encode(structs.replace(LEAF, kind=EntryKind.ERASURE, type=CaseErased.TYPE, event_id=event_id, case_id=case_id))
    return structs.replace(Made([b"a", leaf, b"b"]).proof(1, witnesses=witnesses), extra=leaf).encode()


@asynccontextmanager
async def served(audit: Audit) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/proofs/{event_id}", audit.proof)]), port=0, log_level="warning"))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@dataclass
class Line:
    """An intake without doors: its loop runs, and destroying is looked at by hand. engine: as its role."""

    door: IntakeContext
    settings: Settings
    audit: Audit

    async def case(self) -> str:
        """A case with a row and a key, here and on referral-keys."""
        case_id = new_id()
        async with self.door.begin() as tx, clients.producer(self.settings) as producer:
            await self.door.keys.create(tx, case_id)
            await tx.execute(text(FILE), {"case": case_id})
            await key_topic.publish(tx, producer, self.settings, [case_id])
        return case_id

    async def approved(self, case_id: str) -> Erasure:
        """Asked for and approved, as two persons would."""
        wanted = Erasure(id=new_id(), case_id=case_id, desk="desk-prizren", basis="storage-ended", requested_by=ANA, requested_at=1)
        said = CaseErased(requested_by=ANA, requested_at=1, approved_by=BEN, approved_at=2, basis="storage-ended", records=0)
        async with self.door.begin() as tx:
            await store.ask(tx, permits.desk(Act.ASK_ERASURE, case_id, ANA), wanted)
            key = (await self.door.keys.load(tx, [case_id]))[case_id]
            await queue.put(tx, case_id, intake_key.signed(self.door.key, case_id, said), wanted.id, key)
            await store.approve(tx, permits.desk(Act.APPROVE_ERASURE, case_id, BEN), wanted, 2)
        return wanted

    async def there(self, case_id: str) -> bool:
        async with self.door.begin() as tx:
            return bool(await store.again(tx, permits.WORKER, [case_id]))

    async def destroyed(self) -> set[str]:
        async with self.door.begin() as tx:
            return await store.destroyed(tx, permits.WORKER)

    async def said(self, case_id: str) -> bool:
        """Whether the loop has published it."""
        async with self.door.begin() as tx:
            found = await tx.execute(text("SELECT seq FROM seen WHERE case_id = :c AND topic = 'referral-intake'"), {"c": case_id})
            return found.scalar() == 1 and not (await tx.execute(text("SELECT count(*) FROM outbox"))).scalar()


FILE = "INSERT INTO intake.casefile (case_id, desk, drill, opened_at, closed_at, sealed) VALUES (:case, 'desk-prizren', true, 1, 2, '')"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Line]:
    audit = Audit()
    async with served(audit) as url:
        settings = structs.replace(settings, audit_url=url, instance="i1")
        engine, own = database.engine(settings, "intake"), database.engine(settings, "intake")
        door = IntakeContext(engine, case_keys.read(settings), lambda: LISTS, new_id, lambda: 0, KEY)
        service = Service(name="intake", reads=("referral-routing",), writes="referral-intake", handler=Intake(door, None))
        loop = Loop(service, settings, own, door.keys, Health())
        task = asyncio.create_task(loop.run())
        try:
            yield Line(door, settings, audit)
        finally:
            loop.end()
            await asyncio.wait_for(task, 20)
            await engine.dispose()
            await own.dispose()


async def test_nothing_is_destroyed_before_the_log_proves_it_and_a_kill_between_any_two_steps_goes_on(settings: Settings) -> None:
    async with running(settings) as line:
        case_id, stays = await line.case(), await line.case()
        wanted = await line.approved(case_id)
        await until(lambda: line.said(case_id))

        away = ErasureWorker(line.door, structs.replace(line.settings, audit_url="http://127.0.0.1:1"))
        await away.turn()
        assert not away.not_ready() and await line.there(case_id)
        await ErasureWorker(line.door, line.settings).turn()
        assert line.audit.asked == [wanted.event_id] and await line.there(case_id)
        assert set(await key_topic.read(line.settings)) == {case_id, stays}

        line.audit.proven[wanted.event_id] = case_id
        async with clients.producer(line.settings) as producer:  # as far as it came before it was killed
            await key_topic.publish_tombstones(producer, line.settings, [case_id])
        assert await line.there(case_id)
        await ErasureWorker(line.door, line.settings).turn()
        assert not await line.there(case_id) and await line.there(stays)
        assert set(await key_topic.read(line.settings)) == {stays}
        asked = len(line.audit.asked)
        await ErasureWorker(line.door, line.settings).turn()
        assert len(line.audit.asked) == asked


async def test_many_are_destroyed_in_parts_and_a_kill_between_two_goes_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop and the doors wait for one part, not for a flood that is thrown away."""
    destroy, parts = store.destroy, list[list[str]]()

    async def killed(tx: AsyncConnection, leave: Permit, cases: Iterable[str]) -> None:
        parts.append(list(cases))
        if len(parts) == 2:
            raise ConnectionResetError
        await destroy(tx, leave, cases)

    monkeypatch.setattr(worker, "PART", 2)
    monkeypatch.setattr(store, "destroy", killed)
    async with running(settings) as line:
        cases = [await line.case() for _ in range(5)]
        for case_id in cases:
            line.audit.proven[(await line.approved(case_id)).event_id] = case_id
            await until(lambda case_id=case_id: line.said(case_id))
        with pytest.raises(Unavailable):
            await ErasureWorker(line.door, line.settings).turn()
        assert await line.destroyed() == set(parts[0])
        await ErasureWorker(line.door, line.settings).turn()
        assert await line.destroyed() == set(cases)
        assert [len(part) for part in parts] == [2, 2, 2, 1] and not await key_topic.read(line.settings)


async def test_an_audit_that_lies_destroys_nothing_and_the_log_line_says_whom_to_look_for(settings: Settings) -> None:
    async with running(settings) as line:
        case_id = await line.case()
        wanted = await line.approved(case_id)
        await until(lambda: line.said(case_id))
        held = ErasureWorker(line.door, line.settings)
        good = proof(wanted.event_id, case_id)
        lies = {
            "an empty 200": b"",
            "of another event": proof(new_id(), case_id),
            "of another case": proof(wanted.event_id, new_id()),
            "too few witnesses": proof(wanted.event_id, case_id, WITNESSES[:1]),
            "a hash changed": good.replace(b"index 1", b"index 2"),
        }
        for name, lie in lies.items():
            line.audit.lies = lie
            with capture_logs() as said:
                await held.turn()
            assert await line.there(case_id) and set(await key_topic.read(line.settings)) == {case_id}, name
            [told] = [one for one in said if one["event"] == "the proof of an erasure does not hold"]
            assert told["case_id"] == case_id and "REFERRAL_AUDIT_URL" in told["hint"], name
        line.audit.lies = good
        await held.turn()
        assert not await line.there(case_id)


async def test_without_a_witness_policy_no_intake_starts_that_could_destroy(bare: Settings) -> None:
    with pytest.raises(Rejected, match="REFERRAL_WITNESS_POLICY"):
        ErasureWorker(None, structs.replace(bare, witness_policy=None))  # type: ignore[arg-type]


async def test_what_comes_back_is_destroyed_again_before_the_doors_open_and_under_a_running_intake(settings: Settings) -> None:
    async with running(settings) as line:
        case_id = await line.case()
        wanted = await line.approved(case_id)
        await until(lambda: line.said(case_id))
        line.audit.proven[wanted.event_id] = case_id
        held = ErasureWorker(line.door, line.settings)
        await held.turn()
        line.audit.proven.clear()

        async def back(*forgotten: str) -> None:
            """The rows of a copy from before, and what it does not know yet."""
            async with line.door.begin() as tx:
                await line.door.keys.create(tx, case_id)
                await tx.execute(text(FILE), {"case": case_id})
            async with by_hand(settings) as tx:
                for table in forgotten:
                    await tx.execute(text(f"DELETE FROM intake.{table}"))

        await back()  # put back by hand, one by one
        fresh = ErasureWorker(line.door, line.settings)
        shut = fresh.gate(Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("open"), methods=["GET", "POST"])]))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(shut), base_url="http://intake") as client:
            with pytest.raises(Unavailable):
                await client.get("/v1/cases/x")
            assert (await client.post("/v1/referrals")).text == "open"
            assert fresh.not_ready().keys() == {"erasures"}
            await fresh.turn()
            assert (await client.get("/v1/cases/x")).text == "open" and not fresh.not_ready()
        assert not await line.there(case_id)

        await back("erasure", "erasure_read")  # an older copy, in a process that starts
        await ErasureWorker(line.door, line.settings).turn()
        assert not await line.there(case_id)
        assert await line.destroyed() == {case_id}
        await back("erasure", "erasure_read")  # and in one that runs
        await held.turn()
        assert not await line.there(case_id)

        await back("erasure", "erasure_read")  # a copy from before the approval, of a case whose destruction had not begun
        async with line.door.begin() as tx, clients.producer(line.settings) as producer:
            await key_topic.publish(tx, producer, line.settings, [case_id])
        await held.turn()
        assert await line.there(case_id) and not held.not_ready()
        async with line.door.begin() as tx:
            with pytest.raises(Rejected):
                await access.hold(tx, line.door.keys, case_id)
        line.audit.proven[wanted.event_id] = case_id
        await held.turn()
        assert not await line.there(case_id) and await key_topic.read(line.settings) == {}
