"""A staff inbox with something in it, for browser tests: the real database, the real doors, and offers as routing's events make them.

What a person does goes through the pages; what routing says comes through the service's own handler.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette

from referral.domain.events import (
    CauseKind,
    Door,
    Facts,
    Head,
    How,
    NeedsPerson,
    OfferAccepted,
    OfferAcknowledged,
    OfferClosed,
    OfferKind,
    OfferOpened,
    Reach,
    ReferralSubmitted,
    TrackChanged,
    TrackState,
    Why,
)
from referral.domain.inputs import Input, Source
from referral.domain.policy import Policy
from referral.runtime import http_server
from referral.runtime.http_listener import Allowances
from referral.runtime.keys import case_keys
from referral.runtime.observe import Health
from referral.runtime.postgres import clock, database
from referral.runtime.service import Batch
from referral.runtime.settings import Settings
from referral.wire import codec
from services.intake import policy_view
from services.intake.accounts import store
from services.intake.api import routes
from services.intake.commands import accept_referrals
from services.intake.context import IntakeContext
from services.intake.handle import Intake
from services.intake.messages import submission
from services.intake.pages import routes as pages
from services.intake.public import routes as public_door
from tests.harness.engines import by_hand
from tests.harness.erased import KEY
from tests.harness.line.intake_stack import Certified
from tests.harness.waiting import PATIENCE_S
from tests.harness.web import forms, reports

T = TypeVar("T")
PASSWORD = "correct horse battery"
MINUTE = 60_000_000
HELP = "+383 38 000 111"
"""Made-up number of the operator, on the sign-in page."""
POLICE, DESK, COORDINATOR = "police-prizren", "desk-prizren", "coordinator-prizren"
WHY = Why(rule="test", procedure="", directory="", engine=1, passed=())
NOTICE: dict[str, Any] = {"kind": OfferKind.NOTIFY, "role": "child-rights-coordinator", "words": ("ACKNOWLEDGE",), "shows": ()}
"""What an offer is that only tells a coordinator that there is a case."""
NAMED = ("Zorica", "Зорица", "Lirië")
"""Marker strings of the case file, in three scripts."""
IDENTITY = {
    "given_name": NAMED[0],
    "called_at_home": NAMED[1],
    "mother": {"given_name": NAMED[2]},
    "speaks": ["sq", "rom"],
    "has_papers": False,
}


class Unhurried(Allowances):
    """Allow tests everything: they read faster than anybody."""

    def take(self, key: str, a_second: float, at: float) -> float:
        return 0.0


class World:
    """One inbox on one database, served in a thread of its own. Times: µs UTC. notifier: address that it asks who was told; empty: none.
    proxy: address whose X-Forwarded-For is believed; empty: none. drills: its pages are those of a stack for drills alone."""

    def __init__(
        self, database_url: str, master: Path, policy: Policy, notifier: str = "", proxy: str = "", *, drills: bool = False
    ) -> None:
        settings = Settings(kafka="", database=database_url, master_key_file=master, instance="web", drill_clock=True)
        self.settings = settings
        self.policy, self.lists, self.url = policy, policy_view.of(policy, 1), ""
        self._loop = asyncio.new_event_loop()
        self._seq = 0
        self._engine = self._here(lambda: database.engine(settings, "intake"))
        asks = httpx.AsyncClient(base_url=notifier) if notifier else None
        keys = case_keys.read(settings)
        self.door = IntakeContext(self._engine, keys, lambda: self.lists, lambda: str(uuid.uuid4()), lambda: 0, KEY, notifier=asks)
        self._server = http_server.server(Health(), Certified(self._app(by_day=not drills)), proxy=proxy)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _here(self, make: Callable[[], T]) -> T:
        async def made() -> T:
            return make()

        return self._loop.run_until_complete(made())

    def _app(self, *, by_day: bool) -> Starlette:
        inbox = self._inbox = pages.made(self.door, lambda: self.policy, secure=False, patience_s=0, by_day=by_day, help_number=HELP)
        return self._here(lambda: pages.application([*routes.routes(self.door, None), *public_door.routes(inbox)], inbox))

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(http_server.serve(self._server, self.listener))

    def __enter__(self) -> World:
        self.listener = http_server.listen("127.0.0.1", 0)
        self.listener.listen()
        self.listener.asked = Unhurried()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        if self.door.notifier is not None:
            self._loop.run_until_complete(self.door.notifier.aclose())
        self._loop.run_until_complete(self._engine.dispose())
        self._loop.close()

    def client(self, **more: Any) -> httpx.Client:
        """A browser's requests without the browser; a password takes a slow machine its time."""
        return forms.Browser(base_url=self.url, timeout=PATIENCE_S, **more)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request to the same application without a socket, for tests that send thousands, and the page that a form made; no cookie
        is kept."""
        answer = self.send(method, path, **more)
        to = forms.made(answer)
        return self.send("GET", to, headers=more.get("headers")) if to else answer

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One such request and its own answer."""

        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._server.config.loaded_app), base_url=self.url) as client:
                return await client.request(method, path, **more)

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(PATIENCE_S)

    @contextmanager
    def held_by_strangers(self) -> Iterator[None]:
        """Hold every slot and every connection that strangers may have, as long as the block lasts."""
        slots = [self._inbox.hashing, self._inbox.hashing, self.door.lanes, self.door.lanes]

        async def taken() -> None:
            for slot in slots:
                await slot.acquire()

        async def left() -> None:
            for slot in slots:
                slot.release()

        asyncio.run_coroutine_threadsafe(taken(), self._loop).result(PATIENCE_S)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(left(), self._loop).result(PATIENCE_S)

    # ---- SQL, in the server's loop
    def run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """One transaction."""

        async def begun() -> T:
            async with self.door.begin() as tx:
                return await work(tx)

        return self._there(begun())

    def by_hand(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """One transaction of the administrator: what intake's role may not do."""

        async def begun() -> T:
            async with by_hand(self.settings) as tx:
                return await work(tx)

        return self._there(begun())

    def _there(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def now(self) -> int:
        return self.run(clock.now)

    def account(self, login: str, agency: str, language: str = "en", *, desk: bool = False) -> str:
        """A member of staff with PASSWORD; the account's id."""
        id = str(uuid.uuid4())
        at = self.now()
        self.run(lambda tx: store.add(tx, id=id, login=login, password=PASSWORD, agency=agency, language=language, desk=desk, now=at))
        return id

    def case(self, found_in: str, *, drill: bool = False) -> str:
        """A made-up child's referral, taken in; the case's id."""
        body = {
            "traits": {"concern": "trafficking", "age": "child", "found_in": found_in, "urgency": "emergency", "age_band": "12-14"},
            "file": {"identity": IDENTITY},
            "drill": drill,
        }
        found = submission.submission(msgspec.json.encode(body), self.lists)
        posting = accept_referrals.Posting(agency=self.lists.codes["agency"][0], key=uuid.uuid4().bytes * 2, door=Door.HTTP, referral=found)
        [receipt] = self.run(lambda tx: accept_referrals.accept(tx, self.door, self.lists, [posting]))
        assert not isinstance(receipt, Exception), receipt
        return receipt.case_id

    def decide(self, case_id: str, *events: msgspec.Struct) -> None:
        """Routing's decision about the newest answer that nothing was decided about."""

        async def newest(tx: AsyncConnection) -> str:
            return str(
                (await tx.execute(text("SELECT decided_id FROM intake.answer WHERE became IS NULL ORDER BY at DESC"))).scalars().first()
            )

        first, *others = events
        facts = Facts(now=self.now(), engine=1, free={})
        head = Head(kind=CauseKind.RECORD, topic=ReferralSubmitted.TOPIC, partition=0, offset=self._seq, facts=facts)
        self.say(case_id, msgspec.structs.replace(first, head=head), *others, id=self.run(newest))

    def say(self, case_id: str, *events: msgspec.Struct, at: int | None = None, id: str = "") -> None:
        """Routing says this about a case. id: of the first event."""
        then = at or self.now()
        intake = Intake(self.door, None)

        async def said(tx: AsyncConnection) -> None:
            found = await self.door.keys.load(tx, [case_id])
            inputs = tuple(self._record(case_id, event, then, "" if n else id) for n, event in enumerate(events))
            await intake.handle(tx, Batch(now=then, inputs=inputs, keys=found, owned=frozenset()))

        self.run(said)

    def _record(self, case_id: str, event: msgspec.Struct, at: int, id: str) -> Input:
        self._seq += 1
        source = Source(topic="referral-routing", partition=0, offset=self._seq)
        return Input(id=id or str(uuid.uuid4()), case_id=case_id, body=event, source=source, seq=self._seq, at=at)

    def track(self, case_id: str, pathway: str = "trafficking-child") -> str:
        """A procedure that runs for a case; the track's id."""
        run = str(uuid.uuid4())
        state: dict[str, Any] = {"digest": "", "state": TrackState.OPENED, "paused_by": "", "outcome": ""}
        self.say(case_id, TrackChanged(why=WHY, track_id=run, pathway=pathway, **state))
        return run

    def offer(self, case_id: str, agency: str, step: str, **more: Any) -> str:
        """An offer put to an agency; its id."""
        offer = opened(agency, step, self.now() + more.pop("minutes", 12) * MINUTE, **more)
        self.say(case_id, offer)
        return offer.offer_id

    def task(self, case_id: str, desk: str, about: str, step: str, track_id: str | None = None) -> str:
        """Something that no rule could place; its id."""
        task_id = str(uuid.uuid4())
        due = self.now() + 15 * MINUTE
        place: dict[str, Any] = {"track_id": track_id, "step": step, "seat": 0, "rung": 0, "due": due}
        self.say(case_id, NeedsPerson(why=WHY, task_id=task_id, desk=desk, about=about, **place))
        return task_id

    def reports(self, count: int, desk: str, texts: int) -> None:
        """So many reports of the public page wait at this desk, with so many different texts."""
        self.run(lambda tx: reports.wait(tx, self.door, count, desk, texts))

    def queued(self) -> list[msgspec.Struct]:
        """Every event that waits for the loop, in order."""

        async def read(tx: AsyncConnection) -> list[msgspec.Struct]:
            found = (await tx.execute(text("SELECT id, case_id, type, fingerprint, body FROM queue ORDER BY n"))).all()
            from referral.runtime.postgres import queue

            opened = await self.door.keys.load(tx, {row[1] for row in found})
            return [codec.decode(type_, print_, queue.unseal(bytes(body), id, opened[case])) for id, case, type_, print_, body in found]

        return self.run(read)

    def everything(self) -> str:
        """A digest of every row of every table of intake and the case keys, but pages that wait to be shown."""

        async def read(tx: AsyncConnection) -> str:
            names = (
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'intake' AND table_type = 'BASE TABLE' "
                "AND table_name <> 'page' ORDER BY 1"
            )
            digest = hashlib.sha256()
            for (name,) in (await tx.execute(text(names))).all():
                rows = (await tx.execute(text(f"SELECT t::text FROM intake.{name} t ORDER BY 1"))).scalars()
                digest.update(f"{name} {list(rows)}".encode())
            return digest.hexdigest()

        return self.by_hand(read)

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """The connections to the database meanwhile, and the SQL that reaches it."""
        seen: list[str] = []
        engine = self.door.engine.sync_engine

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            seen.append(statement)

        def connected(*_: Any) -> None:
            seen.append("CONNECTION")

        event.listen(engine, "before_cursor_execute", note)
        event.listen(engine, "engine_connect", connected)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)
            event.remove(engine, "engine_connect", connected)


@contextmanager
def signed_in(world: World, login: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A person without a browser."""
    with world.client() as person:
        forms.sign_in(person, login, password)
        yield person


def opened(agency: str, step: str, due: int, **more: Any) -> OfferOpened:
    """An offer as routing opens it; `more` replaces any of it."""
    values: dict[str, Any] = {
        "why": WHY,
        "track_id": str(uuid.uuid4()),
        "step": step,
        "round": 0,
        "seat": 0,
        "offer_id": str(uuid.uuid4()),
        "kind": OfferKind.REQUEST,
        "role": "police-thbs",
        "agency": agency,
        "service": "service",
        "reach": Reach.WEB,
        "urgency": "emergency",
        "ladder": ("duty-officer", "back-up", "head-of-section"),
        "rung": 0,
        "shows": ("identity",),
        "words": ("ACKNOWLEDGE", "ACCEPT", "COMPLETE", "DECLINE", "RETURN", "HOLD"),
        "reasons": ("OUT_OF_AREA", "CONFLICT_OF_INTEREST"),
        "codes": (),
        "needs": (),
        "skip": (),
        "due": due,
        "due_what": "acknowledge",
    }
    return OfferOpened(**(values | more))


def acknowledged(offer_id: str, due: int) -> OfferAcknowledged:
    return OfferAcknowledged(why=WHY, offer_id=offer_id, by=None, due=due, due_what="accept")


def accepted(offer_id: str, due: int) -> OfferAccepted:
    return OfferAccepted(why=WHY, offer_id=offer_id, by=None, late=False, due=due, due_what="complete")


def closed(offer_id: str, how: How) -> OfferClosed:
    return OfferClosed(why=WHY, offer_id=offer_id, how=how, reason="")
