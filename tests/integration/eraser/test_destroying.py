"""Two steps, a day apart, after both approvals and the log's proof; killed anywhere it goes on, and what comes back is destroyed again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from msgspec import Struct, structs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from referral.domain.durations import DAY_US
from referral.domain.events import CaseErased, CaseKey, EntryKind
from referral.errors import Rejected
from referral.runtime.kafka import clients, scan
from referral.runtime.kafka.publish import send
from referral.runtime.keys import case_keys, key_topic
from referral.runtime.keys.service_keys import readers
from referral.runtime.loop.consumer import Loop
from referral.runtime.observe import Health
from referral.runtime.postgres import clock, database, queue
from referral.runtime.service import Service
from referral.runtime.settings import Settings
from referral.tlog.note_keys import SignerKey
from referral.wire import codec, seal
from referral.wire import leaf as wire
from referral.wire.signed import erasure_approval
from services.eraser import destroy, store
from services.eraser.destroy import Eraser
from services.intake.context import IntakeContext
from services.intake.handle import Intake
from tests.harness import believed
from tests.harness.engines import by_hand, connecting
from tests.harness.erased import FIRST, KEY, LINES, PLAIN, STRANGER, approved
from tests.harness.line.intake_stack import LISTS, new_id
from tests.harness.made_log import WITNESSES
from tests.harness.made_log import Log as Made
from tests.harness.waiting import until
from tests.unit.proof.test_receipt import LEAF

pytestmark = pytest.mark.servers
FILE = (
    "INSERT INTO intake.casefile (case_id, desk, drill, opened_at, closed_at, sealed) VALUES (:case, 'desk-prizren', true, 1, :closed, '')"
)
ASKED = (
    "INSERT INTO intake.erasure (id, case_id, desk, basis, requested_by, requested_at, approved_by, approved_at)"
    " VALUES (:id, :case, 'desk-prizren', 'storage-ended', 'a', 1, 'b', 2)"
)


@dataclass
class Audit:
    """What stands where audit would: it proves the erasures of these cases, as their records are. lies: it answers this to everything."""

    settings: Settings
    proven: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    lies: bytes | None = None

    async def proof(self, request: Request) -> Response:
        event_id = request.path_params["event_id"]
        self.asked.append(event_id)
        if self.lies is not None:
            return Response(self.lies)
        async for _, record in scan.whole(self.settings, [CaseErased.TOPIC]):
            meta = seal.open(record.value or b"").meta
            if meta.event_id == event_id and meta.case_id in self.proven:
                return Response(proof(event_id, meta.case_id, record.value or b""))
        return PlainTextResponse("", 404)


def proof(event_id: str, case_id: str, value: bytes, witnesses: Sequence[SignerKey] = WITNESSES) -> bytes:
    """That an erasure is in the log of `tests.harness.made_log`."""
    said = {"kind": EntryKind.ERASURE, "type": CaseErased.TYPE, "event_id": event_id, "case_id": case_id}
    leaf = wire.encode(structs.replace(LEAF, **said, sha256=hashlib.sha256(value).digest()))
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
    """An intake without doors, whose loop runs, and an eraser whose turns are made by hand."""

    door: IntakeContext
    settings: Settings
    audit: Audit
    engine: Any
    held: Eraser

    def fresh(self) -> Eraser:
        """Another process, after this one was killed."""
        return Eraser(self.engine, case_keys.read(self.settings), self.settings)

    async def case(self, closed: int | None = 2) -> str:
        """A case with a row and a key, here and on referral-new-keys."""
        case_id = new_id()
        async with self.door.begin() as tx, clients.producer(self.settings) as producer:
            await self.door.keys.create(tx, case_id)
            await tx.execute(text(FILE), {"case": case_id, "closed": closed})
            await key_topic.publish(tx, producer, self.settings, [case_id])
        return case_id

    async def erased(self, case_id: str, body: Struct | None = None) -> None:
        """Asked for and approved, as two persons would, and published by the loop. body: what is published instead."""
        async with self.door.begin() as tx:
            id = new_id()
            await tx.execute(text(ASKED), {"id": id, "case": case_id})
            key = (await self.door.keys.load(tx, [case_id]))[case_id]
            await queue.put(tx, case_id, approved(case_id) if body is None else body, id, key)
        await until(lambda: self.said(case_id))

    async def said(self, case_id: str) -> bool:
        async with self.door.begin() as tx:
            found = await tx.execute(text("SELECT seq FROM seen WHERE case_id = :c AND topic = 'referral-intake'"), {"c": case_id})
            return found.scalar() == 1 and not (await tx.execute(text("SELECT count(*) FROM outbox"))).scalar()

    async def where(self, case_id: str) -> tuple[str, bool]:
        """Where its keys are, in the order of the steps, and whether intake has rows of it."""
        async with by_hand(self.settings) as tx:
            counts = {
                place: (await tx.execute(text(f"SELECT count(*) FROM {table} WHERE case_id = :c"), {"c": case_id})).scalar()
                for place, table in (("key", "keys.case_key"), ("retired", "keys.retired"), ("rows", "intake.casefile"))
            }
        return next((place for place in ("key", "retired") if counts[place]), "gone"), bool(counts["rows"])

    async def destroyed(self) -> set[str]:
        async with by_hand(self.settings) as tx:
            return set((await tx.execute(text("SELECT case_id FROM intake.erasure WHERE destroyed_at IS NOT NULL"))).scalars())

    async def pass_time(self, us: int = DAY_US) -> None:
        async with by_hand(self.settings) as tx:
            await clock.advance(tx, self.settings, us)

    async def on_topic(self) -> set[str]:
        """Cases of which `referral-keys` has a key."""
        async with by_hand(self.settings) as tx:
            cases = set((await tx.execute(text("SELECT case_id FROM intake.casefile UNION SELECT case_id FROM intake.erasure"))).scalars())
        return await key_topic.copied(self.settings, cases)


@asynccontextmanager
async def running(settings: Settings, tmp_path: Path) -> AsyncIterator[Line]:
    trust = believed.also(settings, tmp_path / "trust.toml", LINES)
    audit = Audit(settings)
    async with served(audit) as url:
        settings = structs.replace(settings, audit_url=url, instance="i1", trust=trust)
        engine, own, erasing = (database.engine(settings, role) for role in ("intake", "intake", "eraser"))
        door = IntakeContext(engine, case_keys.read(settings), lambda: LISTS, new_id, lambda: 0, KEY)
        service = Service(name="intake", reads=("referral-routing",), writes="referral-intake", handler=Intake(door, None))
        loop = Loop(service, settings, own, door.keys, Health())
        task = asyncio.create_task(loop.run())
        try:
            yield Line(door, settings, audit, erasing, Eraser(erasing, door.keys, settings))
        finally:
            loop.end()
            await asyncio.wait_for(task, 20)
            for one in (engine, own, erasing):
                await one.dispose()


async def test_nothing_is_destroyed_before_the_log_proves_it_and_a_day_has_passed(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, tmp_path) as line:
        case_id, stays = await line.case(), await line.case()
        await line.held.turn()
        assert await line.on_topic() == {case_id, stays}, "new keys are copied"
        await line.erased(case_id)
        away = Eraser(line.engine, line.door.keys, structs.replace(line.settings, audit_url="http://127.0.0.1:1"))
        await away.turn()
        assert not away.not_ready() and await line.where(case_id) == ("key", True)
        await line.held.turn()
        assert len(line.audit.asked) == 1 and await line.where(case_id) == ("key", True)

        line.audit.proven.add(case_id)
        await line.held.turn()
        assert await line.where(case_id) == ("retired", True) and await line.where(stays) == ("key", True)
        assert await line.on_topic() == {case_id, stays} and await line.destroyed() == set()
        async with line.door.begin() as tx:
            assert not await line.door.keys.load(tx, [case_id]), "it opens for nobody at once"
        await line.pass_time(DAY_US - 60_000_000)
        await line.held.turn()
        assert await line.where(case_id) == ("retired", True)
        await line.pass_time(60_000_000)
        await line.held.turn()
        assert await line.where(case_id) == ("gone", False) and await line.where(stays) == ("key", True)
        assert await line.on_topic() == {stays} and await line.destroyed() == {case_id}
        asked = len(line.audit.asked)
        await line.fresh().turn()
        assert len(line.audit.asked) == asked and await line.where(stays) == ("key", True)


STEPS = ("found", "proven", "retire", "destroy", "publish_tombstones", "done")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_between_any_two_steps_nothing_is_lost_and_it_goes_on(
    settings: Settings, tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill before a step's transaction ends undoes it, and one after it leaves the next process to go on."""
    async with running(settings, tmp_path) as line:
        case_id, stays = await line.case(), await line.case()
        line.audit.proven.add(case_id)
        await line.held.turn()
        await line.erased(case_id)
        for step in STEPS:
            module: Any = key_topic if step == "publish_tombstones" else store
            true = getattr(module, step)

            async def killed(*words: Any, true: Any = true) -> None:
                if when == "after":
                    await true(*words)
                raise ConnectionResetError

            if step == "destroy":
                await line.fresh().turn()
                await line.pass_time()
            with monkeypatch.context() as patched:
                patched.setattr(module, step, killed)
                with pytest.raises(ConnectionResetError):
                    await line.fresh().turn()
            if step not in ("publish_tombstones", "done"):
                assert await line.where(case_id) == ("retired" if step == "destroy" else "key", True), step
            assert await line.destroyed() == set()
        await line.fresh().turn()
        assert await line.where(case_id) == ("gone", False) and await line.destroyed() == {case_id}
        assert await line.on_topic() == {stays} and await line.where(stays) == ("key", True)


async def test_many_are_destroyed_in_parts(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true, parts = store.destroy, list[int]()

    async def counted(tx: Any, cases: Sequence[str]) -> None:
        parts.append(len(cases))
        await true(tx, cases)

    monkeypatch.setattr(destroy, "PART", 2)
    monkeypatch.setattr(store, "destroy", counted)
    async with running(settings, tmp_path) as line:
        cases = [await line.case() for _ in range(5)]
        line.audit.proven |= {*cases}
        for case_id in cases:
            await line.erased(case_id)
        await line.held.turn()
        await line.pass_time()
        await line.held.turn()
        assert parts == [2, 2, 1] and await line.destroyed() == set(cases)


async def test_an_audit_that_lies_destroys_nothing_and_the_log_line_says_whom_to_look_for(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, tmp_path) as line:
        case_id = await line.case()
        await line.erased(case_id)
        await line.held.turn()
        [event_id] = line.audit.asked
        [value] = [r.value or b"" async for _, r in scan.whole(line.settings, [CaseErased.TOPIC])]
        good = proof(event_id, case_id, value)
        lies = {
            "an empty 200": b"",
            "of another event": proof(new_id(), case_id, value),
            "of another case": proof(event_id, new_id(), value),
            "of another record": proof(event_id, case_id, value + b"."),
            "too few witnesses": proof(event_id, case_id, value, WITNESSES[:1]),
            "a hash changed": good.replace(b"index 1", b"index 2"),
        }
        for name, lie in lies.items():
            line.audit.lies = lie
            with capture_logs() as said:
                await line.held.turn()
            assert await line.where(case_id) == ("key", True), name
            [told] = [one for one in said if one["event"] == "the proof of an erasure does not hold"]
            assert told["case_id"] == case_id and "REFERRAL_AUDIT_URL" in told["hint"], name
        line.audit.lies = good
        await line.held.turn()
        assert await line.where(case_id) == ("retired", True)


async def test_a_forged_approval_one_person_twice_and_an_open_case_are_refused(settings: Settings, tmp_path: Path) -> None:
    """The log proves each: whoever has all of intake's secrets can have anything logged."""
    async with running(settings, tmp_path) as line:
        forged = {
            "nobody": lambda case: erasure_approval.signed(KEY, case, structs.replace(PLAIN, records=0)),
            "a stranger": lambda case: approved(case, approves=STRANGER, records=0),
            "one person twice": lambda case: approved(case, approves=FIRST, records=0),
            "of another case": lambda case: erasure_approval.signed(KEY, case, approved(new_id())),
        }
        cases = {name: await line.case() for name in forged}
        left_open = await line.case(closed=None)
        line.audit.proven |= {*cases.values(), left_open}
        for name, case_id in cases.items():
            await line.erased(case_id, forged[name](case_id))
        await line.erased(left_open)
        with capture_logs() as said:
            for _ in range(2):
                await line.held.turn()
        await line.pass_time()
        await line.held.turn()
        for name, case_id in {**cases, "open": left_open}.items():
            assert await line.where(case_id) == ("key", True), name
        assert "the erasure of an open case waits" in {one["event"] for one in said}
        assert len(set(line.audit.asked)) == 1, "no proof is asked for what nobody approved"


async def test_where_no_approver_is_named_nothing_is_destroyed(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, tmp_path) as line:
        case_id = await line.case()
        await line.erased(case_id)
        line.audit.proven.add(case_id)
        alone = Eraser(line.engine, line.door.keys, structs.replace(line.settings, trust=settings.trust))
        await alone.turn()
        assert alone.not_ready().keys() == {"approvers"} and await line.where(case_id) == ("key", True)
    with pytest.raises(Rejected, match="REFERRAL_TRUST"):
        Eraser(None, None, structs.replace(settings, trust=None))  # type: ignore[arg-type]


async def test_what_comes_back_is_retired_again_and_destroyed_after_another_day(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, tmp_path) as line:
        case_id = await line.case()
        line.audit.proven.add(case_id)
        await line.erased(case_id)
        await line.held.turn()
        await line.pass_time()
        await line.held.turn()
        assert await line.where(case_id) == ("gone", False)

        async def back(*forgotten: str) -> None:
            """The rows of a copy from before, and what it does not know yet."""
            async with line.door.begin() as tx:
                await line.door.keys.create(tx, case_id)
                await tx.execute(text(FILE), {"case": case_id, "closed": 2})
            async with by_hand(settings) as tx:
                for table in forgotten:
                    await tx.execute(text(f"DELETE FROM {table}"))

        await back()  # put back by hand, one by one
        await line.fresh().turn()
        assert await line.where(case_id) == ("retired", True)
        await line.pass_time()
        await line.held.turn()
        assert await line.where(case_id) == ("gone", False)

        older = ("eraser.erasure", "eraser.read", "keys.retirement")
        for process in (line.fresh(), line.held):  # an older copy, under a process that starts and under one that runs
            await back(*older)
            async with by_hand(settings) as tx:
                await tx.execute(text("UPDATE intake.erasure SET destroyed_at = NULL"))
            await process.turn()
            assert await line.where(case_id) == ("retired", True)
            await line.pass_time()
            await process.turn()
            assert await line.where(case_id) == ("gone", False) and await line.destroyed() == {case_id}


async def refused(settings: Settings, role: str, *statements: str) -> list[str]:
    """Run statements as a role, each in a transaction of its own; return the first line of each refusal."""
    found = []
    async with connecting(database.engine(settings, role)) as tx:
        for statement in statements:
            try:
                await tx.execute(text(statement))
                found.append("")
            except DBAPIError as error:
                found.append(str(error.orig).rpartition(">: ")[2].partition("\n")[0])
            await tx.rollback()
    return found


async def test_intake_can_neither_retire_nor_destroy_a_key_nor_delete_a_file(bare: Settings) -> None:
    everything = (
        "SELECT keys.erase(ARRAY['case-0'])",
        "SELECT keys.retire(ARRAY['case-0'])",
        "SELECT keys.bring_back(ARRAY['case-0'])",
        "SELECT keys.uncopied(1)",
        "SELECT keys.copied(ARRAY['case-0'])",
        "SELECT * FROM keys.retired",
        "DELETE FROM keys.case_key",
        "UPDATE keys.case_key SET wrapped = ''",
        "INSERT INTO keys.case_key (case_id, reader, wrapped, copied) VALUES ('c', 'r', '', true)",
        *(f"DELETE FROM intake.{table}" for table in ("section", "recorded", "happening", "casefile")),
    )
    for role in ("intake", "routing", "notifier", "audit", "oversight", "watchman"):
        denied = await refused(bare, role, *everything)
        assert all("permission denied" in one for one in denied), (role, dict(zip(everything, denied, strict=True)))
    opens = (
        *(f"SELECT keys.{function}(ARRAY['c'])" for function in ("wrapped", "forms", "bring_back")),
        "SELECT * FROM keys.retired",
        "SELECT sealed FROM intake.section",
    )
    assert all("permission denied" in one for one in await refused(bare, "eraser", *opens))


async def test_the_database_refuses_the_second_step_before_a_day_has_passed_whatever_the_clock_says(bare: Settings) -> None:
    key = "INSERT INTO keys.case_key (case_id, reader, wrapped) VALUES ('c', 'intake', '')"
    async with by_hand(bare) as tx:
        await tx.execute(text(key))
    second = "SELECT keys.erase(ARRAY['c'])"
    early = "a key is destroyed a day after it was retired, at the earliest"
    assert await refused(bare, "eraser", second) == [early], "no first step"
    async with database.engine(bare, "eraser").begin() as tx:
        assert await store.retire(tx, ["c"]) == ["c"]
    assert await refused(bare, "eraser", second) == [early]
    async with by_hand(bare) as tx:
        await tx.execute(text("UPDATE runtime.clock SET offset_us = 86400000000"))
    assert await refused(bare, "eraser", second) == [""], "a drill's clock may be moved"
    async with by_hand(bare) as tx:
        await tx.execute(text("UPDATE runtime.settings SET value = '0' WHERE name = 'drill'"))
    assert await refused(bare, "eraser", second) == [early], "that of a real line may not"


async def test_a_key_on_the_new_topic_takes_no_place_and_takes_none_away(settings: Settings, tmp_path: Path) -> None:
    """With intake's certificate: nulls and other keys of an old case on referral-new-keys, which has forgotten it."""
    async with running(settings, tmp_path) as line:
        case_id = await line.case()
        await line.held.turn()
        true = await key_topic.read(line.settings)
        other = codec.encode(CaseKey(wrapped=b"another"))
        async with clients.producer(line.settings) as producer:
            forged = [(key_topic.name(case_id, reader), value, []) for reader in readers() for value in (None, other)]
            await send(producer, line.settings.topic(key_topic.NEW), 0, forged)
        assert await key_topic.read(line.settings) == true and set(true) == {case_id}
        await line.fresh().turn()
        assert await key_topic.read(line.settings) == true


async def test_the_broker_begins_a_new_segment_of_the_keys_at_the_start_and_every_hour(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(settings, tmp_path) as line:

        async def rolled() -> int:
            return len([1 async for _, record in scan.whole(line.settings, [CaseKey.TOPIC]) if record.key == key_topic.ROLL])

        for _ in range(2):
            await line.held.turn()
        assert await rolled() == 1
        monkeypatch.setattr(destroy, "ROLL_S", 0.0)
        await line.held.turn()
        assert await rolled() == 2
