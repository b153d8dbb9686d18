"""A door of intake on a real database, for its contract tests: the application as it is served, agencies with tokens, routing's words."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from msgspec import Struct
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from referral.ca.names import Name, Plane
from referral.domain import events as e
from referral.domain.inputs import Input, Source
from referral.runtime import peer
from referral.runtime.keys import case_keys
from referral.runtime.postgres import clock, database, queue
from referral.runtime.service import Batch, Outcome
from referral.runtime.settings import Settings
from referral.wire import codec
from services.intake.api import person_routes, routes
from services.intake.context import IntakeContext
from services.intake.handle import Intake
from services.intake.policy_view import Lists
from tests.harness.engines import by_hand
from tests.harness.erased import KEY

LISTS = Lists(
    number=1,
    codes={
        "concern": ("trafficking",),
        "age": ("child", "adult", "uncertain"),
        "age-band": ("unknown", "0-11", "12-14", "15-17"),
        "sex": ("female", "male", "other", "unknown"),
        "municipality": ("prizren", "gjakova"),
        "urgency": ("routine", "urgent", "emergency"),
        "origin": ("domestic", "foreign", "unknown"),
        "asylum": ("claimed", "not-claimed", "unknown"),
        "language": ("sq", "sr", "en"),
        "flag": ("unaccompanied",),
        "basis": ("duty-to-report", "consent"),
        "giver": ("person", "parent", "guardian"),
        "section": ("identity", "contact", "narrative", "medical", "reason", "child-view", "age-band"),
        "written": ("identity", "contact", "narrative", "medical"),
        "agency": ("school", "police", "csw", "shelter", "desk-prizren", "desk-gjakova", "oversight"),
        "reason": ("NO_CAPACITY", "OUT_OF_AREA", "CONFLICT_OF_INTEREST", "OTHER"),
        "relation": ("parent",),
        "need": ("reason", "child-view"),
        "step": ("police", "guardian"),
        "linking": ("sibling", "same-person"),
        "procedure": ("trafficking-child",),
        "target": ("svc-police", "LOW"),
        "instruction-reason": ("OTHER",),
        "withdrawal-reason": ("MISTAKE",),
        "erasure-basis": ("storage-ended", "person-asked"),
        "hold-basis": ("court-order",),
    },
    desks={"prizren": "desk-prizren", "gjakova": "desk-gjakova"},
    withdrawal={"trafficking-child": "continue"},
    oversight="oversight",
    country_desk="oversight",
)
BODY: dict[str, Any] = {
    "traits": {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "emergency", "age_band": "12-14"},
    "file": {"identity": {"name": "Marker-Ëmri-Ћирилица"}, "narrative": {"text": "Marker-Tregimi"}},
}
WHY = e.Why(rule="r", procedure="", directory="", engine=1, passed=())


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Stack:
    """What a test holds."""

    door: IntakeContext
    http: httpx.AsyncClient
    app: Starlette
    settings: Settings
    seq: int = 0

    def token(self, agency: str) -> dict[str, str]:
        return {"Authorization": f"Bearer token-of-{agency}"}

    async def post(self, agency: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = self.token(agency) | ({"Idempotency-Key": key} if key else {})
        return await self.http.post(path, json=body, headers=headers)

    async def get(self, agency: str, path: str) -> httpx.Response:
        return await self.http.get(path, headers=self.token(agency))

    async def submit(self, body: Any = BODY, agency: str = "school", key: str | None = None) -> dict[str, Any]:
        answer = await self.post(agency, "/v1/referrals", body, key or new_id())
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def decided(self, case_id: str, *bodies: Struct, ids: Sequence[str] = ()) -> Outcome:
        """routing said this: one batch through the service's own handle."""
        now = self.seq
        records = []
        for i, body in enumerate(bodies):
            self.seq += 1
            id = ids[i] if ids else new_id()
            source = Source(topic="referral-routing", partition=0, offset=self.seq)
            records.append(Input(id=id, case_id=case_id, body=body, source=source, seq=self.seq, at=1_000_000 + now + i))
        return await self.batch(records)

    async def decided_at(self, at: int, case_id: str, body: Struct) -> Outcome:
        """routing said this at an instant, µs UTC."""
        self.seq += 1
        source = Source(topic="referral-routing", partition=0, offset=self.seq)
        return await self.batch([Input(id=new_id(), case_id=case_id, body=body, source=source, seq=self.seq, at=at)])

    async def batch(self, records: Sequence[Input], private: Any = None) -> Outcome:
        async with self.door.begin() as tx:
            opened = await self.door.keys.load(tx, {r.case_id for r in records})
            batch = Batch(now=await clock.now(tx), inputs=tuple(records), keys=opened, owned=frozenset())
            return await Intake(self.door, private).handle(tx, batch)

    async def queued(self, case_id: str) -> list[str]:
        """Types of the events that wait in the queue."""
        async with self.door.begin() as tx:
            sql = text("SELECT type FROM queue WHERE case_id = :case ORDER BY n")
            return [row[0] for row in await tx.execute(sql, {"case": case_id})]

    async def queued_bodies(self, case_id: str) -> list[Struct]:
        """The events themselves."""
        async with self.door.begin() as tx:
            key = (await self.door.keys.load(tx, [case_id]))[case_id]
            sql = text("SELECT id, type, fingerprint, body FROM queue WHERE case_id = :case ORDER BY n")
            rows = await tx.execute(sql, {"case": case_id})
            return [codec.decode(row.type, row.fingerprint, queue.unseal(row.body, row.id, key)) for row in rows]

    async def scalar(self, sql: str, **values: Any) -> Any:
        async with self.door.begin() as tx:
            return (await tx.execute(text(sql), values)).scalar()

    async def by_hand(self, sql: str, **values: Any) -> Any:
        """What intake's role may not: the administrator's statement, and the first column of its first row."""
        async with by_hand(self.settings) as tx:
            return (await tx.execute(text(sql), values)).scalar()


def offer(agency: str, offer_id: str, **more: Any) -> e.OfferOpened:
    """An offer as routing opens one."""
    plain: dict[str, Any] = {
        "why": WHY,
        "track_id": "11111111-1111-4111-8111-111111111111",
        "step": "police",
        "round": 0,
        "seat": 0,
        "offer_id": offer_id,
        "kind": e.OfferKind.REQUEST,
        "role": "police-thbs",
        "agency": agency,
        "service": "svc-police",
        "reach": e.Reach.WEB,
        "urgency": "emergency",
        "ladder": ("duty-officer", "back-up"),
        "rung": 0,
        "shows": ("identity", "narrative"),
        "words": ("ACKNOWLEDGE", "ACCEPT", "DECLINE", "COMPLETE"),
        "reasons": ("OUT_OF_AREA", "CONFLICT_OF_INTEREST"),
        "codes": (),
        "needs": (),
        "skip": (),
        "due": 5_000_000,
        "due_what": "acknowledge",
    }
    return e.OfferOpened(**(plain | more))


def track(case_track: str = "11111111-1111-4111-8111-111111111111", pathway: str = "trafficking-child") -> e.TrackChanged:
    return e.TrackChanged(why=WHY, track_id=case_track, pathway=pathway, digest="", state=e.TrackState.OPENED, paused_by="", outcome="")


def changed(*, consent: e.Consent | None = None, excluded: tuple[str, ...] = (), **traits: Any) -> e.CaseChanged:
    """What routing says holds from now on of a case that was opened with BODY."""
    plain = {**dict.fromkeys(("sex", "origin", "asylum"), "unknown"), **BODY["traits"], "home": "", "languages": (), "flags": ()}
    return e.CaseChanged(why=WHY, traits=e.Traits(**(plain | traits)), consent=consent, excluded=excluded, consent_by="", lifted=())


class Certified:
    """Doors to which whoever sends a token of an agency has shown that agency's certificate, as where TLS is ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = dict(scope.get("headers", ())).get(b"authorization", b"").decode("latin-1")
        agency = re.fullmatch(r"Bearer token-of-([a-z0-9-]+)", authorization)
        if agency:
            shown = peer.Peer(True, Name(Plane.AGENCIES, agency[1]))
            scope["state"] = {**scope.get("state", {}), peer.STATE: shown}
        await self._app(scope, receive, send)


@asynccontextmanager
async def stack(settings: Settings, lists: Lists = LISTS, size: int = 8, log: httpx.AsyncClient | None = None) -> AsyncIterator[Stack]:
    """The application on this database, with a token for every agency. log: audit's HTTP."""
    engine = database.engine(settings, "intake", size=size)
    door = IntakeContext(engine, case_keys.read(settings), lambda: lists, new_id, lambda: int(time.time()), KEY, log)
    app = Starlette(routes=[*routes.routes(door, None), *person_routes.routes(door)], exception_handlers=dict(routes.ERRORS))
    async with by_hand(settings) as tx:
        rows = [{"hash": hashlib.sha256(f"token-of-{a}".encode()).digest(), "agency": a} for a in lists.codes["agency"]]
        await tx.execute(text("INSERT INTO intake.agency_token VALUES (:hash, :agency, 'test', 0, NULL) ON CONFLICT DO NOTHING"), rows)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Certified(app)), base_url="http://intake", timeout=30) as client:
        yield Stack(door, client, app, settings)
    await engine.dispose()


async def opened(intake: Stack, **more: Any) -> tuple[str, str]:
    """A case with one offer to the police: (case, offer)."""
    case_id, offer_id = (await intake.submit())["case_id"], new_id()
    await intake.decided(case_id, track(), offer(more.pop("agency", "police"), offer_id, **more))
    return case_id, offer_id
