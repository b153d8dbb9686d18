"""One case of each procedure at a middle step, as the running `decide` brings it there, in an inbox: who has part in it, and the markers
that its pages would carry."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.analysis.reachability.classes import USUAL
from referral.analysis.reachability.tasks import every
from referral.analysis.reachability.walk import Walker, Way, inputs
from referral.analysis.reachability.world import SENDER, START, Given, Pace
from referral.analysis.reachability.world import World as Walked
from referral.domain import events as e
from referral.domain.authority.words import Act, Kind
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from referral.runtime.postgres import clock
from services.intake import store
from services.intake.casefile import access, sections
from services.intake.commands import accept_referrals
from services.intake.messages import submission
from services.intake.messages.timestamps import when
from tests.harness import permits
from tests.harness.web.world import MINUTE, WHY, World, opened

STEM = "Zqxmarkova"
"""Begins every text of a case file, and nothing else."""
PLACE, BAND, OFFICE, LOGIN = "Zqxplace", "Zqxband", "Zqxoffice", "zqxlogin"
"""Begin the names of municipalities, age bands and agencies, and the logins."""
NOTICE: Mapping[str, Any] = {
    "kind": e.OfferKind.NOTIFY,
    "role": "child-rights-coordinator",
    "words": ("ACKNOWLEDGE",),
    "shows": (),
    "seat": 0,
}
PLACES = ("prizren", "gjilan")
"""Where the children are, in turn."""


def marked(policy: Policy) -> Policy:
    """Return the policy with names that no other text of a page holds."""
    agencies = {id: dataclasses.replace(one, names={"en": f"{OFFICE}/{id}/"}) for id, one in policy.agencies.items()}
    places = {id: dataclasses.replace(one, names={"en": f"{PLACE}/{id}/"}) for id, one in policy.municipalities.items()}
    bands = {code: {"en": f"{BAND}/{code}/"} for code in policy.codes["age-band"]}
    return dataclasses.replace(policy, agencies=agencies, municipalities=places, labels={**policy.labels, "age-band": bands})


@dataclasses.dataclass(frozen=True)
class Case:
    """A case at a middle step.

    asked: the step that is probed. beside: a step of another agency, put on hold. away: a step of an agency that the case keeps away.
    over: a step that is over, of an agency that has no other; None where there is none yet. notice: of a coordinator. call: to an agency on
    the telephone. later: an agency that the rest of the procedure asks, and has not asked yet; empty where there is none.
    desk, former: desks; task, settled: a task of each.
    """

    number: int
    pathway: str
    place: str
    case_id: str
    sender: str
    asked: e.OfferOpened
    beside: e.OfferOpened
    away: e.OfferOpened
    over: e.OfferOpened | None
    notice: e.OfferOpened
    call: e.OfferOpened
    later: str
    desk: str
    former: str
    task: str
    settled: str
    agencies: frozenset[str]

    @property
    def things(self) -> Mapping[str, str]:
        """Return row of the matrix → path of the thing that it is about."""
        offers = {"offer": self.asked, "held": self.beside, "away": self.away, "notice": self.notice}
        found = {name: f"/offers/{one.offer_id}" for name, one in offers.items()}
        return found | {"call": f"/calls/{self.call.offer_id}", "task": f"/tasks/{self.task}", "settled": f"/tasks/{self.settled}"}

    def text(self, section: str) -> str:
        """Return what a section of this case says."""
        return f"{STEM}/{self.number}/{section}/"


@dataclasses.dataclass(frozen=True)
class _Middle:
    """A way as far as its middle. live, over: offers by id. later: agencies that only the rest asks."""

    events: tuple[Struct, ...]
    live: Mapping[str, e.OfferOpened]
    over: Mapping[str, e.OfferOpened]
    later: frozenset[str]

    def alone(self) -> e.OfferOpened | None:
        """Return an offer that is over, of an agency without another one."""
        return next((one for one in self.over.values() if one.agency not in {live.agency for live in self.live.values()}), None)


def walked(policy: Policy, pathway: Pathway, place: str) -> tuple[e.Traits, e.Consent | None, _Middle]:
    """Return a child of a procedure, and its way to the middle: where some agencies hold a step, some had one, and some come later."""
    task = next(task for task in every(pathway, policy, (place,)) if task.consent is None or task.consent.state is e.ConsentState.GIVEN)
    given = Given(START, Pace.LATE, task.traits, task.consent)
    way = Walker(pathway).go(Walked(policy, given), Way(given), branches=False)
    decisions = [done.events for done in inputs(way.last)]
    middles = [_middle(decisions, at) for at in range(1, len(decisions) + 1)]
    half = len(decisions) / 2
    found = max(middles, key=lambda one: (_worth(one), -abs(len(one.events) - half)))
    return task.traits, task.consent, found


def _worth(middle: _Middle) -> int:
    """Return how many kinds of agencies there are: with a step that reads, with another, whose part is over, who come later."""
    reading = {one.agency for one in middle.live.values() if one.shows and one.kind is not e.OfferKind.NOTIFY}
    return bool(reading) * 4 + (len(reading) > 1) * 2 + (middle.alone() is not None) + bool(middle.later)


def _middle(decisions: list[tuple[Any, ...]], at: int) -> _Middle:
    live: dict[str, e.OfferOpened] = {}
    over: dict[str, e.OfferOpened] = {}
    events = tuple(event for decision in decisions[:at] for event in decision)
    for event in events:
        if isinstance(event, e.OfferOpened):
            live[event.offer_id] = event
        elif isinstance(event, e.OfferClosed) and event.offer_id in live:
            over[event.offer_id] = live.pop(event.offer_id)
    had = {one.agency for one in (*live.values(), *over.values())}
    rest = (event.agency for decision in decisions[at:] for event in decision if isinstance(event, e.OfferOpened))
    return _Middle(events, live, over, frozenset(rest) - had)


def cases(world: World, pathways: tuple[str, ...]) -> Iterator[Case]:
    """Make a case of each of these procedures in the inbox."""
    for number, id in enumerate(pathways):
        pathway = next(one for one in world.policy.every if one.id == id)
        yield _case(world, pathway, number, PLACES[number % 2], PLACES[(number + 1) % 2])


def _case(world: World, pathway: Pathway, number: int, place: str, other: str) -> Case:
    traits, consent, middle = walked(world.policy, pathway, place)
    case_id = refer(world, SENDER, traits, consent, number)
    world.say(case_id, *(_anew(event, case_id) for event in middle.events))
    began = next(event for event in middle.events if isinstance(event, e.TrackChanged) and event.pathway == pathway.id)
    track: str = _anew(began, case_id).track_id
    live = {id: _anew(one, case_id) for id, one in middle.live.items()}
    reading = sorted((one for one in live.values() if one.shows and one.kind is not e.OfferKind.NOTIFY), key=lambda one: -len(one.shows))
    asked = reading[0]
    policy, had = world.policy, {one.agency for one in (*middle.live.values(), *middle.over.values())}
    strangers = iter(sorted(id for id, one in policy.agencies.items() if id not in had | middle.later and not one.desk and id != SENDER))
    due = world.now() + 60 * MINUTE

    def further(agency: str, step: str = asked.step, **more: Any) -> e.OfferOpened:
        made = opened(agency, step, due, **{"track_id": track, "shows": asked.shows, "seat": asked.seat, **more})
        world.say(case_id, made)
        return made

    others = (one for one in reading if one.agency != asked.agency and not one.needs)  # it is ended by its word alone
    beside = next(others, None) or further(next(strangers))
    world.say(case_id, e.OfferHeld(why=WHY, offer_id=beside.offer_id, by=None, reason="NO_CAPACITY", due=due))
    away, call = (
        further(next(strangers)),
        further(next(strangers), reach=e.Reach.PHONE, shows=tuple(dict.fromkeys((*asked.shows, "location")))),
    )
    world.say(case_id, e.OfferAccepted(why=WHY, offer_id=call.offer_id, late=False, due=due, due_what="present"))
    coordinator = policy.municipalities[place].coordinator
    notices = (one for one in live.values() if one.kind is e.OfferKind.NOTIFY and one.agency == coordinator)
    notice = next(notices, None) or further(coordinator, "coordinator", **NOTICE)
    desk, former = policy.municipalities[place].desk, policy.municipalities[other].desk
    task, settled = (world.task(case_id, at, "no-candidate", asked.step, track) for at in (desk, former))
    world.say(case_id, e.PersonNotNeeded(why=WHY, task_id=settled, how="settled"))
    world.run(lambda tx: access.exclude(tx, permits.ROUTING, {case_id: [f"agency:{away.agency}"]}))
    over = middle.alone()
    return Case(
        number=number,
        pathway=pathway.id,
        place=place,
        case_id=case_id,
        sender=SENDER,
        asked=asked,
        beside=beside,
        away=away,
        over=None if over is None else _anew(over, case_id),
        notice=notice,
        call=call,
        later=min(middle.later, default=""),
        desk=desk,
        former=former,
        task=task,
        settled=settled,
        agencies=frozenset(had | middle.later | {SENDER, beside.agency, away.agency, call.agency, notice.agency}),
    )


def refer(world: World, agency: str, traits: e.Traits, consent: e.Consent | None, number: int) -> str:
    """Take a child's referral in, with a marker in every section of the case file; the case's id."""
    written = world.lists.codes["written"]
    file = {section: {"text": f"{STEM}/{number}/{section}/"} for section in written}
    times = {one.code: when(one.at) for one in traits.times}
    body = {"traits": {**structs.asdict(traits), "times": times}, "file": file} | (
        {} if consent is None else {"consent": _consent(consent)}
    )
    found = submission.submission(msgspec.json.encode(body), world.lists)
    posting = accept_referrals.Posting(agency=agency, key=uuid.uuid4().bytes * 2, door=e.Door.HTTP, referral=found)
    [receipt] = world.run(lambda tx: accept_referrals.accept(tx, world.door, world.lists, [posting]))
    assert not isinstance(receipt, Exception), receipt
    return receipt.case_id


def _consent(consent: e.Consent) -> dict[str, Any]:
    return {"state": consent.state.value, "basis": consent.basis, "giver": consent.giver}


def _anew(event: Any, case_id: str) -> Any:
    """Return an event of the walked case as one of this case: other ids of its offers and tracks, and no cause of its own."""
    changes: dict[str, Any] = {
        name: str(uuid.uuid5(uuid.UUID(case_id), value))
        for name in ("offer_id", "track_id", "task_id")
        if isinstance(value := getattr(event, name, None), str)
    }
    return structs.replace(event, **changes, **({"head": None} if hasattr(event, "head") else {}))


def report(world: World, case: Case) -> tuple[str, Case]:
    """Make a referral that nobody vouches for, at the desk of a case; its task, and the same people about that child."""
    traits = structs.replace(USUAL, concern="trafficking", found_in=case.place, urgency="urgent", age_band="12-14")
    case_id, number = refer(world, "public", traits, None, case.number + 100), case.number + 100
    return world.task(case_id, case.desk, "confirm-referral", ""), dataclasses.replace(case, case_id=case_id, number=number)


def ended(world: World, case: Case, account: str) -> None:
    """Let a person end the probed step by an answer just now, upon which another agency is asked."""

    async def answer(tx: AsyncConnection) -> None:
        decided, at = str(uuid.uuid4()), await clock.now(tx)
        leave = permits.leave(Act.ANSWER, case.case_id, case.asked.agency, account, kind=Kind.STAFF)
        await store.answered(tx, leave, decided, offer_id=case.asked.offer_id, word="COMPLETE", at=at)
        await tx.execute(text("UPDATE intake.answer SET became = '' WHERE decided_id = :id"), {"id": decided})

    world.run(answer)
    world.say(case.case_id, opened(case.beside.agency, case.beside.step, world.now() + 60 * MINUTE, track_id=case.beside.track_id))


def recorded(world: World, case: Case, colleague: str, other: str) -> None:
    """Let a colleague at the probed step and a person at the other one answer and write, with every text that an answer can record."""

    async def record(tx: AsyncConnection) -> None:
        cipher, at = sections.box((await world.door.keys.load(tx, [case.case_id]))[case.case_id]), await clock.now(tx)
        for offer, account in ((case.asked, colleague), (case.beside, other)):
            decided = str(uuid.uuid4())
            texts = {need: case.text(need) for need in world.lists.codes["need"]}
            leave = permits.leave(Act.ANSWER, case.case_id, offer.agency, account, kind=Kind.STAFF)
            await sections.record(tx, leave, cipher, texts, response_id=decided, offer_id=offer.offer_id, at=at)
            await store.answered(tx, leave, decided, offer_id=offer.offer_id, word="ACCEPT", at=at)
            await tx.execute(text("UPDATE intake.answer SET became = '' WHERE decided_id = :id"), {"id": decided})
            for section in world.lists.codes["written"]:
                version, _, _ = await sections.numbers(tx, leave, section, store.NEVER)
                content = msgspec.json.encode({"text": case.text(section)})
                by: dict[str, Any] = {"version": version, "agency": offer.agency, "by": account, "at": at}
                await sections.write(tx, leave, sections.row(cipher, case.case_id, section, content, **by))

    world.run(record)
