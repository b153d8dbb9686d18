"""Turn each event of a decision into later acts of the people in the simulation, and each act into an input when its time has come.

`Live` is one case under way in a simulated world: the case itself, and the open offers and tasks of its people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from referral.analysis.simulation.agents import Act, AgencyOffer, answers, fits, goes_on, looks
from referral.analysis.simulation.desks import acts
from referral.analysis.simulation.rates import DESK
from referral.analysis.simulation.seeded import Dice, around
from referral.domain import events as e
from referral.domain.case import Case
from referral.domain.events import NeedsPerson
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from referral.domain.rules.telephone import CALL


class Answer(Struct, frozen=True):
    """An agency's planned act about its offer."""

    offer_id: str
    act: Act


class Look(Struct, frozen=True):
    """A desk's planned look at a task."""

    task_id: str


Later = tuple[int, Answer | Look]
"""Time, µs UTC, and planned act."""


def comes_to(dice: Dice, live: Live, later: Answer | Look, at: int, policy: Policy) -> Struct | None:
    """Return the input that a planned act becomes; None: nobody would do it any more."""
    if isinstance(later, Answer):
        return _answer(live, later, at)
    task = live.tasks.get(later.task_id)
    if task is None or live.case is None or task.about == CALL:  # an answer by telephone is an act of the agency
        return None
    occasion = f"{live.name} {task.about} {task.step} {task.seat}"
    tried = live.again(occasion)
    return acts(live.case, task, tried, dice.throw(f"{occasion} acts {tried}"), at, policy)


def looks_again(dice: Dice, live: Live, later: Look, at: int) -> Later | None:
    """Plan another look at a task that is still open after the desk has acted."""
    return _look(dice, live, live.tasks[later.task_id], at) if later.task_id in live.tasks else None


def _answer(live: Live, later: Answer, at: int) -> Struct | None:
    """Return the answer that an act becomes, if the offer can still take it."""
    asked, act = live.offers.get(later.offer_id), later.act
    if asked is None or not fits(asked, act.word):
        return None
    if act.word is e.Word.UNKNOWN:
        if asked.opened.reach is e.Reach.PHONE:
            return None  # nobody answers the telephone, and no rung is knocked
        return e.RungFailed(offer_id=later.offer_id, rung=asked.rung, reason="nobody-on-duty", at=at)
    return e.ResponseSubmitted(
        response_id=later.offer_id,
        offer_id=later.offer_id,
        agency=asked.opened.agency,
        word=act.word,
        reason=act.reason,
        code=act.code,
        recorded=asked.opened.needs if act.code else (),
        via=e.Via.SYSTEM,
        received_at=at,
    )


def _later(offer_id: str, act: Act | None, at: int) -> Later | None:
    return None if act is None else (at + act.after, Answer(offer_id, act))


def _opened(dice: Dice, live: Live, event: e.OfferOpened, at: int, policy: Policy) -> Later | None:
    occasion = f"{live.name} {event.step}.{event.seat} {event.agency}"
    pathway = live.pathways.get(event.track_id)
    step = pathway.step(event.step) if pathway else None
    asked = AgencyOffer(f"{occasion} {live.again(occasion)}", event, step, rung=event.rung)
    live.offers[event.offer_id] = asked
    return _later(event.offer_id, looks(dice, asked), at)


def _escalated(dice: Dice, live: Live, event: e.OfferEscalated, at: int, policy: Policy) -> Later | None:
    asked = live.offers.get(event.offer_id)
    if asked is None or asked.rung == event.rung:
        return None
    asked.rung = event.rung
    return _later(event.offer_id, looks(dice, asked), at)


def _acknowledged(dice: Dice, live: Live, event: e.OfferAcknowledged, at: int, policy: Policy) -> Later | None:
    asked = live.offers.get(event.offer_id)
    if asked is None:
        return None
    asked.state = "ACKNOWLEDGED"
    return _later(event.offer_id, answers(dice, asked), at)


def _held(dice: Dice, live: Live, event: e.OfferHeld, at: int, policy: Policy) -> Later | None:
    asked = live.offers.get(event.offer_id)
    if asked is None:
        return None
    if event.due is None:
        asked.state = "KEPT"
        return None
    asked.held = True
    return _later(event.offer_id, answers(dice, asked), at)


def _taken(state: str) -> Callable[[Dice, Live, Any, int, Policy], Later | None]:
    def taken(dice: Dice, live: Live, event: Any, at: int, policy: Policy) -> Later | None:
        asked = live.offers.get(event.offer_id)
        if asked is None:
            return None
        asked.state = state
        return _later(event.offer_id, goes_on(dice, asked), at)

    return taken


def _closed(dice: Dice, live: Live, event: e.OfferClosed, at: int, policy: Policy) -> None:
    """Forget the offer, but leave a late acceptance possible after an expiry."""
    asked = live.offers.get(event.offer_id)
    if asked is not None and event.how is e.How.EXPIRED:
        asked.state = "EXPIRED"
    else:
        live.offers.pop(event.offer_id, None)


def _task(dice: Dice, live: Live, event: e.NeedsPerson, at: int, policy: Policy) -> Later | None:
    known = event.task_id in live.tasks
    live.tasks[event.task_id] = event
    return None if known else _look(dice, live, event, at)


def _look(dice: Dice, live: Live, task: e.NeedsPerson, at: int) -> Later:
    """Plan a look of the desk at a task."""
    occasion = f"{live.name} {task.about} {task.step} {task.seat} looks"
    throw = dice.throw(f"{occasion} {live.again(occasion)}")
    return at + around(DESK, throw[0]), Look(task.task_id)


def _settled(dice: Dice, live: Live, event: e.PersonNotNeeded, at: int, policy: Policy) -> None:
    live.tasks.pop(event.task_id, None)


def _track(dice: Dice, live: Live, event: e.TrackChanged, at: int, policy: Policy) -> None:
    if event.state is e.TrackState.OPENED and event.digest in policy.pinned:
        live.pathways[event.track_id] = policy.pinned[event.digest]


REACTIONS: dict[type, Callable[[Dice, Live, Any, int, Policy], Later | None]] = {
    e.OfferOpened: _opened,
    e.OfferEscalated: _escalated,
    e.OfferAcknowledged: _acknowledged,
    e.OfferHeld: _held,
    e.OfferAccepted: _taken("ACCEPTED"),
    e.OfferArrived: _taken("ARRIVED"),
    e.OfferClosed: _closed,
    e.NeedsPerson: _task,
    e.PersonNotNeeded: _settled,
    e.TrackChanged: _track,
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
    tasks: dict[str, NeedsPerson] = {}
    pathways: dict[str, Pathway] = {}
    counts: dict[str, int] = {}

    def again(self, occasion: str) -> int:
        """Return how often this occasion has occurred before, and count it once more."""
        before = self.counts.get(occasion, 0)
        self.counts[occasion] = before + 1
        return before
