"""Prepare one intake for the probes: a case in each state, an agency and people in every relation to it. From then on nothing is kept."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette

from referral.domain import events as e
from referral.domain.authority.words import Act, Kind, Relation, State
from referral.runtime import passwords
from referral.runtime.postgres import clock
from services.intake.accounts import rules, store
from services.intake.api import person_routes, routes
from services.intake.casefile import access
from services.intake.casefile.disclose import ALOUD
from services.intake.erasure import store as erasures
from services.intake.erasure.store import Erasure, Hold
from services.intake.pages import routes as pages
from services.intake.public import routes as public_door
from tests.harness import destroyed, permits
from tests.harness.web.world import MINUTE, PASSWORD, WHY, World, closed, opened

DESKS: Mapping[Relation, str] = {Relation.DESK_NOW: "desk-prizren", Relation.DESK_TASK: "desk-gjilan", Relation.DESK_BEFORE: "desk-peje"}
OFFERED = (Relation.HOLDER, Relation.TELEPHONED, Relation.DECLINED, Relation.HELD, Relation.EXCLUDED, Relation.EXCLUDED_PERSON)
TASKED = (*DESKS, Relation.EXCLUDED, Relation.EXCLUDED_UNASKED, Relation.EXCLUDED_PERSON)
SENT = (Relation.SENDER, Relation.WITHDRAWN, Relation.EXCLUDED, Relation.EXCLUDED_UNASKED, Relation.EXCLUDED_SENDER)
TELLS = {"identity": {"given_name": "Zqxname"}, "narrative": {"text": "Zqxnarrative"}}
UNCONFIRMED, OPEN_TASK = "confirm-referral", "no-candidate"
_ACCOUNT = text(
    "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at) "
    "VALUES (:id, :login, :password, :agency, 'en', :desk, false, false, 0)"
)

_REFERRAL = text(
    "INSERT INTO intake.referral (referral_id, case_id, agency, event_id, received_at, withdrawn_at) "
    "VALUES (:id, :case, :agency, :id, 1, :at)"
)


class Rehearsal:
    """An engine whose transactions are undone once `on`: a probe that is allowed changes nothing for the next."""

    def __init__(self, engine: Any) -> None:
        self._engine, self.on = engine, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        if not self.on:
            async with self._engine.begin() as tx:
                yield tx
            return
        async with self._engine.connect() as tx:
            undone = await tx.begin()
            try:
                yield tx
            finally:
                await undone.rollback()


class Intake(World):
    """The whole public application of intake: API, person routes, pages and the public door. Its transactions can be rehearsals."""

    def _app(self, *, by_day: bool) -> Starlette:
        self.rehearsal = Rehearsal(self._engine)
        object.__setattr__(self.door, "engine", self.rehearsal)
        inbox = pages.made(self.door, lambda: self.policy, secure=False, patience_s=0, by_day=by_day)

        def made() -> Starlette:
            api = [*routes.routes(self.door, None), *person_routes.routes(self.door)]
            return pages.application([*api, *public_door.routes(inbox)], inbox)

        return self._here(made)


@dataclass(frozen=True, slots=True)
class Person:
    """An account with a session. desk: it works the desk of its agency."""

    id: str
    login: str
    cookie: str
    form: str


@dataclass
class Case:
    """A case in one state. offers, tasks, referrals: relation → id of its agency's own; a relation without one has none.

    plain: its tasks are those of an ordinary case, not of a referral that nobody vouches for.
    """

    case_id: str
    state: State
    plain: bool
    offers: dict[Relation, str] = field(default_factory=dict)
    tasks: dict[Relation, str] = field(default_factory=dict)
    referrals: dict[Relation, str] = field(default_factory=dict)


@dataclass
class Scene:
    """The line, its cases by state, and who stands how to all of them."""

    world: Intake
    cases: dict[tuple[State, bool], Case]
    agencies: dict[Relation, str]
    people: dict[tuple[Relation, Kind], Person]
    other: str
    """Account of another person, who asks, approves and holds."""


def scene(world: Intake) -> Scene:
    """Prepare everything, and let nothing change from then on."""
    free = iter(sorted(id for id, one in world.policy.agencies.items() if not one.desk and not one.unverified and id != _sender(world)))
    agencies = {one: DESKS.get(one) or next(free) for one in Relation}
    agencies[Relation.SENDER] = _sender(world)
    made = Scene(world, {}, agencies, {}, str(uuid.uuid4()))
    world.by_hand(lambda tx: _people(tx, made))
    for state in State:
        for plain in (True, False):
            made.cases[state, plain] = _case(made, state, plain)
    world.rehearsal.on = True
    return made


def _sender(world: World) -> str:
    return world.lists.codes["agency"][0]


async def _people(tx: AsyncConnection, made: Scene) -> None:
    """Give every agency a token, a person and a person of its desk."""
    now, secret = await clock.now(tx), passwords.hashed(PASSWORD)
    for relation, agency in made.agencies.items():
        token = {"hash": hashlib.sha256(f"token-of-{agency}".encode()).digest(), "agency": agency}
        await tx.execute(text("INSERT INTO intake.agency_token VALUES (:hash, :agency, 'test', 0, NULL)"), token)
        for kind in (Kind.STAFF, Kind.DESK):
            id, login = str(uuid.uuid4()), f"{relation}.{kind}"
            values = {"id": id, "login": login, "password": secret, "agency": agency, "desk": kind is Kind.DESK}
            await tx.execute(_ACCOUNT, values)
            session, seal = await store.start_session(tx, id, now)
            made.people[relation, kind] = Person(id, login, f"session={session}.{rules.seen_mark(seal, now)}", rules.form_token(session))
    values = {"id": made.other, "login": "other", "password": secret, "agency": DESKS[Relation.DESK_NOW], "desk": True}
    await tx.execute(_ACCOUNT, values)


def _case(made: Scene, state: State, plain: bool) -> Case:
    world, agencies = made.world, made.agencies
    case = Case(world.case("prizren"), state, plain)
    track, due = world.track(case.case_id), world.now() + 60 * MINUTE
    for relation in OFFERED:
        reach = e.Reach.PHONE if relation is Relation.TELEPHONED else e.Reach.WEB
        shows = (*TELLS, ALOUD) if reach is e.Reach.PHONE else tuple(TELLS)
        offer = opened(agencies[relation], "police", due, track_id=track, reach=reach, shows=shows, role="police-thbs")
        world.say(case.case_id, offer, e.OfferAccepted(why=WHY, offer_id=offer.offer_id, by=None, late=False, due=due, due_what="complete"))
        case.offers[relation] = offer.offer_id
    world.say(case.case_id, closed(case.offers[Relation.HELD], e.How.COMPLETED))
    about, step, run = (OPEN_TASK, "police", track) if plain else (UNCONFIRMED, "", None)
    for relation in TASKED:
        case.tasks[relation] = world.task(case.case_id, agencies[relation], about, step, run)
    world.say(case.case_id, e.PersonNotNeeded(why=WHY, task_id=case.tasks[Relation.DESK_BEFORE], how="done"))
    world.run(lambda tx: _relations(tx, made, case))
    if state is not State.OPEN:
        world.say(case.case_id, e.CaseClosed(why=WHY, outcome="done", sealed=state is State.SEALED))
    if state in (State.ASKED, State.ERASING, State.ERASED):
        world.run(lambda tx: _erasure(tx, made, case))
        if case.state is State.ERASED:
            world.by_hand(lambda tx: destroyed.at_once(tx, [case.case_id]))
    return case


async def _relations(tx: AsyncConnection, made: Scene, case: Case) -> None:
    """Store what routing's events do not bring: referrals, a decline that waits, exclusions, a hold."""
    await tx.execute(text("UPDATE intake.offer SET declined_by = 'x' WHERE offer_id = :id"), {"id": case.offers[Relation.DECLINED]})
    sql = "SELECT referral_id FROM intake.referral WHERE case_id = :case"
    case.referrals[Relation.SENDER] = (await tx.execute(text(sql), {"case": case.case_id})).scalar_one()
    for relation in SENT[1:]:
        id = case.referrals[relation] = str(uuid.uuid4())
        at = 1 if relation is Relation.WITHDRAWN else None
        await tx.execute(_REFERRAL, {"id": id, "case": case.case_id, "agency": made.agencies[relation], "at": at})
    people = (f"staff:{made.people[Relation.EXCLUDED_PERSON, kind].id}" for kind in (Kind.STAFF, Kind.DESK))
    away = (f"agency:{made.agencies[one]}" for one in (Relation.EXCLUDED, Relation.EXCLUDED_UNASKED, Relation.EXCLUDED_SENDER))
    await access.exclude(tx, permits.ROUTING, {case.case_id: [*people, *away]})
    await erasures.place(
        tx,
        permits.desk(Act.HOLD, case.case_id, made.other),
        Hold(id=str(uuid.uuid4()), case_id=case.case_id, basis="court-order", placed_by=made.other, placed_at=1),
    )


async def _erasure(tx: AsyncConnection, made: Scene, case: Case) -> None:
    desk = made.agencies[Relation.DESK_NOW]
    asked = Erasure(id=str(uuid.uuid4()), case_id=case.case_id, desk=desk, basis="storage-ended", requested_by=made.other, requested_at=1)
    await erasures.ask(tx, permits.desk(Act.ASK_ERASURE, case.case_id, made.other), asked)
    if case.state is not State.ASKED:
        await erasures.approve(tx, permits.desk(Act.APPROVE_ERASURE, case.case_id, str(uuid.uuid4())), asked, 2)


def body(case: Case, world: World) -> dict[str, Any]:
    """Return a further referral of a case."""
    traits = {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "emergency", "age_band": "12-14"}
    return dict(msgspec.json.decode(msgspec.json.encode({"traits": traits, "case_id": case.case_id})))
