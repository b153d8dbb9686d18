"""Take one case through the running `decide`, with the agencies of `agents`: a state that can be copied, so that ways can fork.

A step is an answer or an alarm, whichever comes first. An answer with the same time as its limit comes before the limit, as in production.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, structs

from referral.domain import events as e
from referral.domain.case import Case, holds, next_due, open_offers
from referral.domain.decide import decided, facts_for
from referral.domain.durations import MINUTE_US
from referral.domain.events import OfferKind, OfferOpened, Reach, Word
from referral.domain.evolve import evolve
from referral.domain.inputs import Due, Input, Source
from referral.domain.policy import ENGINE, Policy
from referral.domain.rules.context import COMPLAINTS
from referral.domain.rules.persons import REASON

REPEATS = 2
"""Rounds of a decision that are decided by the same code; after them the next code is taken, so that reviews come to an end (ours)."""
PERSONAL = ("PERSON_DECLINED", "PERSON_NOT_REACHABLE")
"""Reasons of the person, not of the agency: the procedure sends them to a desk by design."""
ANSWERS = {
    "acknowledge": Word.ACKNOWLEDGE,
    "accept": Word.ACCEPT,
    "decide": Word.DECIDE,
    "present": Word.ARRIVE,
    "arrive": Word.ARRIVE,
    "complete": Word.COMPLETE,
}
"""The answer word that meets each limit."""


class Pace(StrEnum):
    """Times at which agencies that do not fail answer: a minute after the offer, or a minute before the limit passes (the worst that is
    allowed). Prompt agencies also press Done too soon: they take each Done back that they may take back, once, and repeat it."""

    PROMPT = "prompt"
    LATE = "late"


class Fault(StrEnum):
    """Ways in which an agency fails, from one step on. The value is the text in reports."""

    SILENT = "never answers"
    STALLS = "acknowledges at the last moment and then never answers"
    DECLINES = "declines"
    FULL = "has no place left"
    UNSTAFFED = "has nobody on duty"
    ABSENT = "accepts and then never comes"


class Act(Struct, frozen=True):
    """A planned act of an agency at a time (µs UTC).

    word UNKNOWN: nobody can be reached on this rung. takes_back: the agency takes this word back.
    """

    at: int
    word: Word
    reason: str = ""
    takes_back: bool = False


def react(opened: OfferOpened, event: Any, state: str, now: int, pace: Pace, fault: Fault | None) -> Act | None:
    """Return the act of the agency after the newest event about its offer in this state; None: it does nothing more.

    event: OfferOpened, OfferEscalated, OfferAcknowledged, OfferAccepted or OfferArrived.
    """
    due, what = event.due, event.due_what
    waiting = state in ("OFFERED", "ACKNOWLEDGED")
    if fault is not None and (waiting or fault is Fault.ABSENT):
        return _fails(opened, event, state, now, pace, fault)
    if opened.kind is OfferKind.NOTIFY and opened.reach is Reach.PHONE:
        return Act(now + MINUTE_US, Word.ACKNOWLEDGE) if state == "OFFERED" else None
    if opened.kind is OfferKind.NOTIFY or due is None or what not in ANSWERS:
        return None
    return Act(_when(due, now, pace), ANSWERS[what])


def _when(due: int, now: int, pace: Pace) -> int:
    """Return the time of an answer: a minute after now, or a minute before the limit."""
    return now + MINUTE_US if pace is Pace.PROMPT else max(now, due - MINUTE_US)


def _fails(opened: OfferOpened, event: Any, state: str, now: int, pace: Pace, fault: Fault) -> Act | None:
    """Return the act of an agency with this fault."""
    due, what = event.due, event.due_what
    if fault is Fault.UNSTAFFED:
        return Act(now, Word.UNKNOWN) if state == "OFFERED" else None
    if fault is Fault.SILENT or due is None:
        return None
    if fault is Fault.STALLS:
        last = what == "acknowledge" and event.rung == len(opened.ladder) - 1
        return Act(_when(due, now, pace), Word.ACKNOWLEDGE) if last else None
    if fault is Fault.ABSENT:
        return Act(_when(due, now, pace), ANSWERS[what]) if state in ("OFFERED", "ACKNOWLEDGED") and what in ANSWERS else None
    if what == "acknowledge":
        return Act(_when(due, now, pace), Word.ACKNOWLEDGE)
    return Act(_when(due, now, pace), Word.DECLINE, reason(opened, fault))


def reason(opened: OfferOpened, fault: Fault) -> str:
    """Return the reason that an agency gives for this fault; empty where the step allows none."""
    if fault is Fault.FULL:
        return "NO_CAPACITY" if "NO_CAPACITY" in opened.reasons else ""
    own = [word for word in opened.reasons if word not in (*PERSONAL, "NO_CAPACITY")]
    return (own or ["NO_CAPACITY"])[0] if set(opened.reasons) - set(PERSONAL) else ""


def can_fail(opened: OfferOpened, fault: Fault, *, by_phone: bool) -> bool:
    """Return False when this offer cannot fail so: no rung is knocked where a desk telephones, so that none can be unstaffed, and a notice
    that is knocked needs no answer."""
    if fault is Fault.UNSTAFFED:
        return not by_phone
    return by_phone or fault is not Fault.SILENT or opened.kind is not OfferKind.NOTIFY


def faults(opened: OfferOpened, climbs: bool, *, anyhow: bool = False) -> tuple[Fault, ...]:
    """Return the ways in which this offer can fail that the procedure can tell apart.

    climbs: the step has a limit to acknowledge. anyhow: as if the agency was reached by telephone, and as if it was not.
    """
    by_phone = opened.reach is Reach.PHONE
    found = [fault for fault in (Fault.SILENT, Fault.UNSTAFFED) if anyhow or can_fail(opened, fault, by_phone=by_phone)]
    if opened.kind is OfferKind.NOTIFY:
        return tuple(found)
    if climbs:
        found.append(Fault.STALLS)
    if "DECLINE" in opened.words and reason(opened, Fault.DECLINES):
        found.append(Fault.DECLINES)
    if opened.kind is OfferKind.PLACE:
        found.append(Fault.FULL)
    if "ARRIVE" in opened.words or "COMPLETE" in opened.words:
        found.append(Fault.ABSENT)
    return tuple(found)


CASE = "00000000-0000-0000-0000-00000000000c"
SOURCE = Source(topic="referral-intake", partition=0, offset=0)
PEOPLE = tuple(f"00000000-0000-0000-0000-00000000000{number}" for number in range(1, 6))
"""Accounts of the people of a decision that several make, one for each seat."""
ALARM = Source(topic="alarm")
SENDER = "school-drita"
"""The agency that refers, as in the stories; no step asks it."""
TOLD = e.Why(rule="told", procedure="", directory="", engine=ENGINE, passed=())
START = 1_790_755_200_000_000
"""Time of the referral: a Wednesday, 30 September 2026, 10:00 in Prishtinë, as in the stories; µs UTC."""
AGAIN = 3
"""Repetitions of a desk task after which the world stops waiting for it (ours): it would only be repeated for ever."""
STATES = {
    e.OfferOpened: "OFFERED",
    e.OfferEscalated: "OFFERED",
    e.OfferAcknowledged: "ACKNOWLEDGED",
    e.OfferAccepted: "ACCEPTED",
    e.OfferArrived: "ARRIVED",
    e.OfferReopened: "ACCEPTED",
}


class Given(Struct, frozen=True):
    """Assumptions of a way. codes: by step, the code that is decided (else its first). faults: by agency, the way in which it fails.

    excluded: actors, as a referral names them. unverified: nobody vouches for its sender, and no desk answers.
    """

    start: int
    pace: Pace
    traits: e.Traits
    consent: e.Consent | None = None
    excluded: tuple[str, ...] = ()
    codes: Mapping[str, str] = {}
    faults: Mapping[str, Fault] = {}
    unverified: bool = False


class Decided(Struct, frozen=True, eq=False):
    """One decision of a way: its time, its input, its events and the case after it. earlier: the decision before it."""

    now: int
    body: Struct
    case: Case
    events: tuple[Any, ...]
    earlier: Decided | None


class World:
    """One case under way. asked: every open or ended offer by id. acts: planned acts of agencies. slips: offers whose Done was taken back.
    last: the newest decision."""

    __slots__ = ("acts", "asked", "case", "given", "last", "now", "policy", "repeats", "slips", "steps")

    def __init__(self, policy: Policy, given: Given) -> None:
        self.policy, self.given = policy, given
        self.case: Case | None = None
        self.now, self.steps, self.repeats = given.start, 0, 0
        self.asked: dict[str, tuple[e.OfferOpened, Fault | None]] = {}
        self.acts: dict[str, Act] = {}
        self.slips: frozenset[str] = frozenset()
        self.last: Decided | None = None

    def fork(self, given: Given) -> World:
        """Return a copy of this world that goes on under other assumptions."""
        other = World.__new__(World)
        other.policy, other.given, other.case, other.now = self.policy, given, self.case, self.now
        other.steps, other.repeats, other.last = self.steps, self.repeats, self.last
        other.asked, other.acts, other.slips = dict(self.asked), dict(self.acts), self.slips
        return other

    def fails(self, offer_id: str, event: Any, fault: Fault) -> None:
        """Let the agency of an offer that has just been opened fail from this offer on."""
        opened, _ = self.asked[offer_id]
        self.asked[offer_id] = (opened, fault)
        self._plan(offer_id, event, "OFFERED")

    def begin(self) -> Decided:
        """Decide the referral."""
        given = self.given
        body = e.ReferralSubmitted(
            referral_id="00000000-0000-0000-0000-0000000000a0",
            agency=self._sender(),
            door=e.Door.HTTP,
            opens=True,
            traits=given.traits,
            consent=given.consent,
            sections=("identity",),
            excludes=given.excluded,
            received_at=given.start,
        )
        return self.decide(body)

    def _sender(self) -> str:
        """Return who refers: where nobody is to vouch for it, the first agency of the directory that is such a sender."""
        unvouched = sorted(id for id, agency in self.policy.agencies.items() if agency.unverified) if self.given.unverified else []
        return unvouched[0] if unvouched else SENDER

    def next(self) -> Struct | None:
        """Return the next input and advance the clock to its time; None: no further input will ever come."""
        assert self.case is not None
        due = next_due(self.case)
        if due is not None and self.case.tasks:
            due = self._without_tasks(due)
        first = min(self.acts.items(), key=lambda item: item[1].at, default=None)
        if first is not None and (due is None or first[1].at <= due):
            offer_id, act = first
            del self.acts[offer_id]
            self.now = max(self.now, act.at)
            return self._answer(offer_id, act)
        if due is None:
            return None
        self.now = max(self.now, due)
        return Due(at=due)

    def decide(self, body: Struct) -> Decided:
        """Decide one input, and let every agency concerned plan its next act."""
        self.steps += 1
        if isinstance(body, Due):
            cause = Input(id=f"{self.steps:08x}-0000-0000-0000-0000000000d0", case_id=CASE, body=body, source=ALARM, at=body.at)
        else:
            id = f"{self.steps:08x}-0000-0000-0000-000000000001"
            cause = Input(id=id, case_id=CASE, body=body, source=SOURCE, seq=self.steps, at=self.now)
        facts = facts_for(self.case, cause, self.policy, self.now, self._free)
        decision = decided(self.case, cause, facts, self.policy)
        events, case = decision.events, _told(decision.case, decision.events)
        self.case = case
        for event in events:
            kind = type(event)
            if kind in STATES:
                if isinstance(event, e.OfferOpened):
                    self.asked[event.offer_id] = (event, self._fault(event.agency))
                self._plan(event.offer_id, event, STATES[kind])  # type: ignore[attr-defined]
            elif isinstance(event, e.OfferClosed):
                self.acts.pop(event.offer_id, None)
            elif isinstance(event, e.UndoAllowed):
                self._slip(event.offer_id)
        self.last = Decided(self.now, body, case, events, self.last)
        return self.last

    def _fault(self, agency: str) -> Fault | None:
        """Return the fault of an agency. An agency that is full does everything else well."""
        fault = self.given.faults.get(agency)
        return None if fault is Fault.FULL else fault

    def _plan(self, offer_id: str, event: Any, state: str) -> None:
        """Plan the agency's next act about an offer, or drop the plan where it does nothing."""
        opened, fault = self.asked[offer_id]
        act = react(opened, event, state, self.now, self.given.pace, fault)
        if act is None:
            self.acts.pop(offer_id, None)
        else:
            self.acts[offer_id] = act

    def _slip(self, offer_id: str) -> None:
        """Let a prompt agency take its Done back at once, once."""
        if self.given.pace is Pace.PROMPT and offer_id not in self.slips:
            self.slips |= {offer_id}
            self.acts[offer_id] = Act(self.now, e.Word.COMPLETE, takes_back=True)

    def _without_tasks(self, due: int) -> int | None:
        """Return the due time without desk tasks that were repeated often enough: waiting for them would never end."""
        assert self.case is not None
        others = next_due(structs.replace(self.case, tasks=()))
        if others is not None and others <= due:
            return others
        if self.repeats >= AGAIN:
            return others
        if not any(act.at <= due for act in self.acts.values()):
            self.repeats += 1
        return due

    def _free(self, wanted: tuple[str, ...]) -> dict[str, int]:
        """Return the free places of services; a full agency has none."""
        held = holds(self.case) if self.case is not None else {}
        faults, services = self.given.faults, self.policy.services
        full = Fault.FULL
        return {
            id: 0 if faults and faults.get(services[id].agency) is full else (services[id].places or 0) - held.get(id, 0) for id in wanted
        }

    def _answer(self, offer_id: str, act: Act) -> Struct:
        """Return the input that an act becomes."""
        opened, _ = self.asked[offer_id]
        if act.word is e.Word.UNKNOWN:
            return e.RungFailed(offer_id=offer_id, rung=self._rung(offer_id), reason="nobody-on-duty", at=self.now)
        if act.takes_back:
            return e.AnswerWithdrawn(offer_id=offer_id, agency=opened.agency, by=None, recorded_by=None, received_at=self.now)
        return e.ResponseSubmitted(
            response_id=offer_id,
            offer_id=offer_id,
            agency=opened.agency,
            word=act.word,
            reason=act.reason,
            code=self._code(opened) if act.word is e.Word.DECIDE else "",
            recorded=(*opened.needs, REASON) if act.word is e.Word.DECIDE else (),
            by=self._by(opened),
            via=e.Via.WEB,
            received_at=self.now,
        )

    def _by(self, opened: OfferOpened) -> str | None:
        """Return the account of who answers, where it must be another person than who answered for another seat."""
        assert self.case is not None
        track = next((one for one in self.case.tracks if one.track_id == opened.track_id), None)
        pathway = self.policy.pinned.get(track.digest) if track else None
        step = pathway.step(opened.step) if pathway else None
        if step is None or not (step.two_persons or step.form or step.seats[opened.seat].apart):
            return None
        return PEOPLE[opened.seat % len(PEOPLE)]

    def _rung(self, offer_id: str) -> int:
        assert self.case is not None
        for track in self.case.tracks:
            for run in track.runs:
                for seat in run.seats:
                    for offer in (seat.offer, seat.next):
                        if offer is not None and offer.offer_id == offer_id:
                            return offer.rung
        return 0

    def _code(self, opened: e.OfferOpened) -> str:
        """Return the code that the way assumes; the next ones once it has been decided in REPEATS rounds."""
        codes = opened.codes
        first = self.given.codes.get(opened.step, codes[0])
        if opened.round == 0:  # two who differ once agree when they are asked again
            first = self.given.codes.get(f"{opened.step}.{opened.seat}", first)
        start = codes.index(first) if first in codes else 0
        return codes[(start + max(0, opened.round - REPEATS + 1)) % len(codes)]


ASKING = (e.OfferOpened, e.OfferEscalated)
"""Events after which somebody is to be told of an offer."""


def _told(case: Case, events: tuple[Any, ...]) -> Case:
    """Return the case after the notifier's message to whoever was just asked, and without what is proposed to oversight: neither decides
    a way."""
    for offer in open_offers(case) if any(isinstance(event, ASKING) for event in events) else ():
        if offer.knocked and not offer.told and offer.state == "OFFERED":
            event = e.OfferUnheard(why=TOLD, offer_id=offer.offer_id, rung=offer.rung, away=False)
            case = evolve(case, event, CASE)
    if any(task.about in COMPLAINTS for task in case.tasks):
        case = structs.replace(case, tasks=tuple([task for task in case.tasks if task.about not in COMPLAINTS]))
    return case
