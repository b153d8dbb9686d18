"""Turn each event of a decision into later acts of the people in the simulation, and each act into an input when its time has come.

`Live` is one case under way in a simulated world: the case itself, and the open offers and tasks of its people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from msgspec import Struct

from referral.analysis.simulation import rates
from referral.analysis.simulation.desks import acts
from referral.analysis.simulation.rates import DESK
from referral.analysis.simulation.seeded import Dice, around, one_of
from referral.domain import events as e
from referral.domain.case import Case
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.events import NeedsPerson, OfferKind, OfferOpened, Word
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway, Step
from referral.domain.rules.persons import REASON
from referral.domain.rules.telephone import CALL


class AgencyOffer(Struct):
    """An offer as its agency has it. name: of its random numbers. state: as in case.Offer, or EXPIRED, or KEPT (declined, kept under a
    duty)."""

    name: str
    opened: OfferOpened
    step: Step | None
    state: str = "OFFERED"
    rung: int = 0
    held: bool = False


class Act(Struct, frozen=True):
    """A planned act of the agency, `after` µs from now. word UNKNOWN: nobody can be reached on this rung."""

    after: int
    word: Word
    reason: str = ""
    code: str = ""


def looks(dice: Dice, offer: AgencyOffer) -> Act | None:
    """Return the act that follows a knock at a rung; None: silence."""
    heard, long, _, _ = dice.throw(f"{offer.name} rung {offer.rung}")
    if heard < rates.SILENT:
        return None
    if heard < rates.SILENT + rates.UNREACHED:
        return Act(30_000_000, Word.UNKNOWN)
    return Act(_seen(offer, long), Word.ACKNOWLEDGE)


def answers(dice: Dice, offer: AgencyOffer) -> Act | None:
    """Return the act that follows reading the offer, or the end of a hold."""
    opened = offer.opened
    if opened.kind is OfferKind.NOTIFY:
        return None
    wants, long, which, other = dice.throw(f"{offer.name} answers")
    if opened.kind is OfferKind.DECIDE:
        weights = {code: rates.CODES.get(code, 0.5) for code in opened.codes}
        return Act(around(rates.DECIDES.get(opened.role, 5 * HOUR_US), long), Word.DECIDE, code=one_of(weights, which))
    seen = _seen(offer, long)
    if opened.reasons and wants < rates.DECLINES.get(opened.role, 0.1):
        weights = {reason: rates.REASONS.get(reason, 0.4) for reason in opened.reasons}
        return Act(seen, Word.DECLINE, reason=one_of(weights, which))
    if "HOLD" in opened.words and not offer.held and other < rates.HOLDS:
        return Act(seen, Word.HOLD, reason="MISSING_INFORMATION")
    return Act(seen, Word.ACCEPT)


def goes_on(dice: Dice, offer: AgencyOffer) -> Act | None:
    """Return the act that follows an acceptance or an arrival; None: nothing changes until the case ends it."""
    opened = offer.opened
    leaves, long, until, which = dice.throw(f"{offer.name} goes on")
    if offer.state == "ACCEPTED" and "ARRIVE" in opened.words:
        return Act(around(rates.COMES, long), Word.ARRIVE)
    if offer.state == "ACCEPTED" and leaves < rates.RETURNS and opened.reasons:
        weights = {reason: rates.REASONS.get(reason, 0.4) for reason in opened.reasons}
        return Act(around(rates.COMES, long), Word.RETURN, reason=one_of(weights, which))
    if opened.kind is OfferKind.PLACE:
        return Act(around(rates.STAYS, until), Word.COMPLETE)
    if offer.step is not None and "complete" in offer.step.limits:
        return Act(around(rates.COMPLETES.get(opened.step) or rates.COMPLETES.get(opened.role, 2 * DAY_US), until), Word.COMPLETE)
    return None


def fits(offer: AgencyOffer, word: Word) -> bool:
    """Return True when people would still do it in the current state of the offer; a late acceptance may still count."""
    state = offer.state
    match word:
        case Word.UNKNOWN | Word.ACKNOWLEDGE:
            return state == "OFFERED"
        case Word.ACCEPT:
            return state in ("OFFERED", "ACKNOWLEDGED", "EXPIRED")
        case Word.ARRIVE:
            return state == "ACCEPTED"
        case Word.COMPLETE | Word.RETURN:
            return state in ("ACCEPTED", "ARRIVED")
        case _:
            return state in ("OFFERED", "ACKNOWLEDGED")


def _seen(offer: AgencyOffer, number: float) -> int:
    slow = rates.ROUTINE if offer.opened.urgency == "routine" else 1
    return around(slow * rates.SEES.get(offer.opened.role, 10 * MINUTE_US), number)


def needs_person(step: Step, seat: int) -> bool:
    """Return True when a person must answer for a seat, and no system."""
    return step.two_persons or bool(step.form) or bool(step.seats[seat].apart)


class Answer(Struct, frozen=True):
    """An agency's planned act about its offer."""

    offer_id: str
    act: Act


class Look(Struct, frozen=True):
    """A desk's planned look at a task."""

    task_id: str


Later = tuple[int, Answer | Look]
"""Time, µs UTC, and planned act."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """The reaction of one case's people at one moment: to an event, or to the time of an act that they had planned.

    at: µs UTC.
    """

    dice: Dice
    live: Live
    at: int
    policy: Policy

    def comes_to(self, later: Answer | Look) -> Struct | None:
        """Return the input that a planned act becomes; None: nobody would do it any more."""
        live = self.live
        if isinstance(later, Answer):
            return self._answer(later)
        task = live.tasks.get(later.task_id)
        if task is None or live.case is None or task.about == CALL:  # an answer by telephone is an act of the agency
            return None
        occasion = f"{live.name} {task.about} {task.step} {task.seat}"
        tried = live.again(occasion)
        return acts(live.case, task, tried, self.dice.throw(f"{occasion} acts {tried}"), self.at, self.policy)

    def looks_again(self, later: Look) -> Later | None:
        """Plan another look at a task that is still open after the desk has acted."""
        task = self.live.tasks.get(later.task_id)
        return None if task is None else self._look(task)

    def _answer(self, later: Answer) -> Struct | None:
        """Return the answer that an act becomes, if the offer can still take it."""
        asked, act = self.live.offers.get(later.offer_id), later.act
        if asked is None or not fits(asked, act.word):
            return None
        if act.word is e.Word.UNKNOWN:
            if asked.opened.reach is e.Reach.PHONE:
                return None  # nobody answers the telephone, and no rung is knocked
            return e.RungFailed(offer_id=later.offer_id, rung=asked.rung, reason="nobody-on-duty", at=self.at)
        return e.ResponseSubmitted(
            response_id=later.offer_id,
            offer_id=later.offer_id,
            agency=asked.opened.agency,
            word=act.word,
            reason=act.reason,
            code=act.code,
            recorded=(*asked.opened.needs, REASON) if act.code else (),
            by=str(UUID(int=1 + asked.opened.seat)) if asked.step is not None and needs_person(asked.step, asked.opened.seat) else None,
            via=e.Via.SYSTEM,
            received_at=self.at,
        )

    def opened(self, event: e.OfferOpened) -> Later | None:
        """Plan when the agency looks at a new offer."""
        live = self.live
        occasion = f"{live.name} {event.step}.{event.seat} {event.agency}"
        pathway = live.pathways.get(event.track_id)
        step = pathway.step(event.step) if pathway else None
        asked = AgencyOffer(f"{occasion} {live.again(occasion)}", event, step, rung=event.rung)
        live.offers[event.offer_id] = asked
        return self._later(event.offer_id, looks(self.dice, asked))

    def escalated(self, event: e.OfferEscalated) -> Later | None:
        """Plan when the agency looks at an offer on its new rung."""
        asked = self.live.offers.get(event.offer_id)
        if asked is None or asked.rung == event.rung:
            return None
        asked.rung = event.rung
        return self._later(event.offer_id, looks(self.dice, asked))

    def acknowledged(self, event: e.OfferAcknowledged) -> Later | None:
        """Plan the answer of an agency that has read the offer."""
        asked = self.live.offers.get(event.offer_id)
        if asked is None:
            return None
        asked.state = "ACKNOWLEDGED"
        return self._later(event.offer_id, answers(self.dice, asked))

    def held(self, event: e.OfferHeld) -> Later | None:
        """Plan the answer to an offer on hold; without an end of the hold there is none."""
        asked = self.live.offers.get(event.offer_id)
        if asked is None:
            return None
        if event.due is None:
            asked.state = "KEPT"
            return None
        asked.held = True
        return self._later(event.offer_id, answers(self.dice, asked))

    def accepted(self, event: e.OfferAccepted) -> Later | None:
        """Plan the agency's next act after its acceptance."""
        return self._taken(event.offer_id, "ACCEPTED")

    def arrived(self, event: e.OfferArrived) -> Later | None:
        """Plan the agency's next act after the arrival."""
        return self._taken(event.offer_id, "ARRIVED")

    def closed(self, event: e.OfferClosed) -> None:
        """Forget the offer, but leave a late acceptance possible after an expiry."""
        asked = self.live.offers.get(event.offer_id)
        if asked is not None and event.how is e.How.EXPIRED:
            asked.state = "EXPIRED"
        else:
            self.live.offers.pop(event.offer_id, None)

    def needed(self, event: e.NeedsPerson) -> Later | None:
        """Plan the desk's look at a new task."""
        known = event.task_id in self.live.tasks
        self.live.tasks[event.task_id] = event
        return None if known else self._look(event)

    def settled(self, event: e.PersonNotNeeded) -> None:
        """Forget the task."""
        self.live.tasks.pop(event.task_id, None)

    def tracked(self, event: e.TrackChanged) -> None:
        """Store the procedure of a track that opens."""
        if event.state is e.TrackState.OPENED and event.digest in self.policy.pinned:
            self.live.pathways[event.track_id] = self.policy.pinned[event.digest]

    def _taken(self, offer_id: str, state: str) -> Later | None:
        asked = self.live.offers.get(offer_id)
        if asked is None:
            return None
        asked.state = state
        return self._later(offer_id, goes_on(self.dice, asked))

    def _later(self, offer_id: str, act: Act | None) -> Later | None:
        return None if act is None else (self.at + act.after, Answer(offer_id, act))

    def _look(self, task: e.NeedsPerson) -> Later:
        """Plan a look of the desk at a task."""
        occasion = f"{self.live.name} {task.about} {task.step} {task.seat} looks"
        throw = self.dice.throw(f"{occasion} {self.live.again(occasion)}")
        return self.at + around(DESK, throw[0]), Look(task.task_id)


REACTIONS: dict[type, Callable[[Reaction, Any], Later | None]] = {
    e.OfferOpened: Reaction.opened,
    e.OfferEscalated: Reaction.escalated,
    e.OfferAcknowledged: Reaction.acknowledged,
    e.OfferHeld: Reaction.held,
    e.OfferAccepted: Reaction.accepted,
    e.OfferArrived: Reaction.arrived,
    e.OfferClosed: Reaction.closed,
    e.NeedsPerson: Reaction.needed,
    e.PersonNotNeeded: Reaction.settled,
    e.TrackChanged: Reaction.tracked,
}
"""Acts that people plan because of an event, by type of event; they also update the open offers and tasks of the case."""


class Live(Struct, eq=False):
    """One case under way.

    name: as in Arrival; for a case that another raised, `0-17.1`.
    alarm: the one that is set, µs UTC.
    held: places by service.
    offers: by offer id.
    tasks: by task id.
    counts: how often an occasion has occurred, by name.
    told: by offer id, the rung at which a message has arrived.
    first: time of the first acceptance by an agency; 0 until then.
    """

    name: str
    id: str
    at: int
    pathway: str
    place: str
    raised: bool
    case: Case | None = None
    inputs: int = 0
    alarm: int | None = None
    first: int = 0
    bed: int = 0
    ended: str = ""
    held: dict[str, int] = {}
    offers: dict[str, AgencyOffer] = {}
    told: dict[str, int] = {}
    tasks: dict[str, NeedsPerson] = {}
    pathways: dict[str, Pathway] = {}
    counts: dict[str, int] = {}

    def again(self, occasion: str) -> int:
        """Return how often this occasion has occurred before, and count it once more."""
        before = self.counts.get(occasion, 0)
        self.counts[occasion] = before + 1
        return before
