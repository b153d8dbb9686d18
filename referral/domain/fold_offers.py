"""How an event about an offer changes its seat."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import Case, Offer, find
from referral.domain.fold_places import Changes, offer_at, put, run_at, without


def _offer(case: Case, event: Any, **fields: Any) -> Changes:
    """New fields of the current offer that the event names."""
    place, _, _, seat, offer = offer_at(case, event)
    return put(case, place, replace(seat, offer=replace(offer, **fields)))


def offer_opened(case: Case, event: e.OfferOpened) -> Changes:
    t, r = run_at(case, event)
    offer = Offer(
        offer_id=event.offer_id,
        agency=event.agency,
        service=event.service,
        rung=event.rung,
        rungs=len(event.ladder),
        due=event.due,
        due_what=event.due_what,
    )
    return put(case, (t, r, event.seat), replace(case.tracks[t].runs[r].seats[event.seat], offer=offer))


def offer_escalated(case: Case, event: e.OfferEscalated) -> Changes:
    place, _, _, seat, offer = offer_at(case, event)
    skipped = offer.skipped + (event.reason == "all-excluded")
    climbed = replace(offer, rung=event.rung, due=event.due, due_what=event.due_what, skipped=skipped)
    return put(case, place, replace(seat, offer=climbed))


def offer_acknowledged(case: Case, event: e.OfferAcknowledged) -> Changes:
    return _offer(case, event, state="ACKNOWLEDGED", due=event.due, due_what=event.due_what)


def offer_accepted(case: Case, event: e.OfferAccepted) -> Changes:
    """The current offer, a kept one, or a late one that had expired takes the seat."""
    place, _, _, seat, offer = offer_at(case, event)
    taken = replace(offer, state="ACCEPTED", due=event.due, due_what=event.due_what, held=False, how="", reason="")
    if offer is seat.offer:
        return put(case, place, replace(seat, offer=taken))
    return put(case, place, replace(seat, offer=taken, kept=without(seat.kept, offer), past=without(seat.past, offer)))


def offer_arrived(case: Case, event: e.OfferArrived) -> Changes:
    return _offer(case, event, state="ARRIVED", due=event.due, due_what=event.due_what)


def offer_held(case: Case, event: e.OfferHeld) -> Changes:
    """With an end: a pause. Without one: declined under a duty, kept until another accepts."""
    if event.due is not None:
        return _offer(case, event, held=True, due=event.due, due_what="hold")
    place, _, run, seat, offer = offer_at(case, event)
    kept = replace(offer, due=None, due_what="", reason=event.reason)
    return put(case, place, replace(seat, offer=None, kept=(*seat.kept, kept)), outcome=run.outcome if run.verdict else "")


def offer_closed(case: Case, event: e.OfferClosed) -> Changes:
    """A completed offer stays in its seat; any other leaves it, and a step that was done for it is open again."""
    place, _, run, seat, offer = offer_at(case, event)
    ended = replace(offer, how=event.how.value, reason=event.reason, due=None, due_what="")
    if seat.offer is not offer:
        return put(case, place, replace(seat, kept=without(seat.kept, offer), past=(*seat.past, ended)))
    if event.how is e.How.COMPLETED:
        return put(case, place, replace(seat, offer=replace(ended, state="COMPLETED")))
    return put(case, place, replace(seat, offer=None, past=(*seat.past, ended)), outcome=run.outcome if run.verdict else "")


def deadline_passed(case: Case, event: e.DeadlinePassed) -> Changes:
    if event.offer_id is None or (found := find(case, event.offer_id)) is None:
        return {}
    place, _, _, seat, offer = found
    missed = seat.missed if event.what in seat.missed else (*seat.missed, event.what)
    return put(case, place, replace(seat, offer=replace(offer, due=None), missed=missed))
