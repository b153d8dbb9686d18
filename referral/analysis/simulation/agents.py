"""Simulated agencies: made-up people who sleep, read, accept, decline, come late, decide and finish.

Each act depends on random numbers named by case, step, agency and number of the attempt, never on limits: a changed limit meets the same
people.
"""

from __future__ import annotations

from msgspec import Struct

from referral.analysis.simulation import rates
from referral.analysis.simulation.seeded import Dice, around, one_of
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.events import OfferKind, OfferOpened, Word
from referral.domain.policy.procedure import Step


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
