"""Open and settle the desk's telephone tasks: for an agency that is reached by telephone, and for one that our messages do not reach.

A task is about one offer. Any answer of the agency, or the end of the offer, settles it (`DecisionContext.emit`).
"""

from __future__ import annotations

from referral.domain.case import NOTIFY, FoundOffer, Offer, Seat, Track, find, offers_of
from referral.domain.rules.context import TOP, DecisionContext
from referral.domain.rules.unverified import UNVERIFIED, is_check

CALL = "call"
"""Telephone the agency and write down what it answers."""
TELL = "tell"
"""Telephone the agency and report that you have told it: a notice that asks for no answer."""
NOT_TOLD = "not-told"
"""Our messages do not reach the agency: telephone it; it answers by itself."""
NOT_CALLED = "not-called"
"""Rule of a limit that passed because nobody at the desk telephoned in time: that is not the agency's silence."""
CALLS = (CALL, TELL)
WAITING = ("OFFERED", "ACKNOWLEDGED")


def whose(offer: Offer) -> str:
    """Return the rule of a silence: the agency's (`limit`), or ours, for our channels or the desk's telephone were away."""
    if offer.state == "OFFERED" and not offer.held:
        if offer.by_phone:
            return NOT_CALLED
        if offer.excused:
            return NOT_TOLD
    return "limit"


def missed_by(offer: Offer) -> str:
    """Return the rule of a limit that passes now. It is the agency's only if a message to somebody of this rung has arrived in time."""
    waits = offer.state == "OFFERED" and not offer.held
    return NOT_TOLD if waits and offer.knocked and not offer.told else whose(offer)


def call(d: DecisionContext, offer_id: str) -> None:
    """Open the call at the desk, with the limit of the offer; one rung higher for each limit that the desk let pass for this seat. What is
    asked while its track is stopped is called about when the track runs again (`resume_calls`)."""
    found = find(d.case, offer_id)
    if found is not None and found.offer.by_phone and not found.track.paused_by:
        _open(d, found, TELL if found.run.kind is NOTIFY else CALL, rung=let_pass(found.seat))


def call_on(d: DecisionContext, offer_id: str) -> None:
    """Open a further call: the agency has answered and owes another answer, which only a call can bring."""
    found = find(d.case, offer_id)
    if found is None or found.track.paused_by:
        return
    if found.offer.by_phone and found.offer.state in WAITING and not found.offer.how:
        _open(d, found, CALL)


def call_higher(d: DecisionContext, before: Offer, rule: str) -> None:
    """Repeat the desk's task one rung higher: a limit has passed and nobody of the agency is notified yet.

    before: the offer as it was then. rule: of that limit.
    """
    found = find(d.case, before.offer_id)
    untold = rule == NOT_TOLD and before.knocked and not before.told
    if found is None or (whose(found.offer) == "limit" and not untold):
        return
    tasks = [task for task in d.case.tasks if task.offer_id == before.offer_id]
    for task in tasks:
        d.repeat_task(task)
    if not tasks:
        _open(d, found, CALL if found.offer.by_phone else NOT_TOLD)


def call_next(d: DecisionContext, offer_id: str) -> None:
    """Open the desk's task about an offer whose predecessor ended because our messages did not arrive: they may not arrive here either.
    The first that does settles it."""
    found = find(d.case, offer_id)
    if found is not None and found.offer.knocked and found.seat.past and found.seat.past[-1].reason == NOT_TOLD:
        _open(d, found, NOT_TOLD)


def _open(d: DecisionContext, found: FoundOffer, about: str, rung: int = 0) -> None:
    """Open the desk's task about an offer. Its rule says whether a desk has confirmed the referral: the notifier tells many of the others
    as one."""
    rule = UNVERIFIED if is_check(d.policy, found.track) else about
    d.needs_person(about, found.track, found.run.step, found.ref[2], rung=rung, offer=found.offer, rule=rule)


def stop_calls(d: DecisionContext, track: Track) -> None:
    """Settle the calls of a track that is paused."""
    for task in d.case.tasks:
        if task.offer_id and task.track_id == track.track_id:
            d.settle(task, "paused")


def resume_calls(d: DecisionContext, track_id: str) -> None:
    """Open the calls of a track that runs again, for each agency that still owes an answer."""
    track = next(t for t in d.case.tracks if t.track_id == track_id)
    for run in track.runs:
        for seat in run.seats:
            for offer in offers_of(seat):
                if offer.by_phone and offer.state in WAITING and offer not in seat.kept:
                    call(d, offer.offer_id)


def let_pass(seat: Seat) -> int:
    """Return the number of limits that passed for this seat, one offer after the other, without a call; at most TOP."""
    passed = 0
    for offer in reversed(seat.past):
        if offer.reason != NOT_CALLED:
            break
        passed += offer.rung + 1
    return min(passed, TOP)
