"""How an event about an offer changes its seat."""

from __future__ import annotations

from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import Case, Offer, Seat, find
from referral.domain.fold_places import Changes, offer_at, put, run_at, without
from referral.domain.standing import RANK

COMPLETED = e.How.COMPLETED
PHONE = e.Reach.PHONE
ACKNOWLEDGER_EXCLUDED = "acknowledger-excluded"
"""Why a rung is knocked anew: the person who had acknowledged must be kept away."""
LIMIT = "limit"
"""Rule of a limit that passed without a word of the agency, which knew of it."""


def _comes(case: Case, event: e.OfferAcknowledged | e.OfferArrived, state: str) -> Changes:
    """The offer that the event names, the current one or the one that the seat is handed over to, is in this state now."""
    place, _, _, seat, offer = offer_at(case, event)
    by = (event.by or "") if state == "ACKNOWLEDGED" else offer.by
    comes = replace(offer, state=state, due=event.due, due_what=event.due_what, by=by, unheard=False, excused=False)
    return put(case, place, _with(seat, offer, comes))


def _with(seat: Seat, offer: Offer, changed: Offer) -> Seat:
    return replace(seat, next=changed) if offer is seat.next else replace(seat, offer=changed)


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
        by_phone=event.reach is PHONE,
    )
    seat = case.tracks[t].runs[r].seats[event.seat]
    taken = seat.offer is not None and not seat.offer.how
    return put(case, (t, r, event.seat), replace(seat, next=offer) if taken else replace(seat, offer=offer))


def offer_escalated(case: Case, event: e.OfferEscalated) -> Changes:
    """The rung that is knocked now; the same one anew where whoever had acknowledged is excluded: then nobody has."""
    place, _, _, seat, offer = offer_at(case, event)
    skipped = offer.skipped + (event.reason == "all-excluded")
    anew = event.reason == ACKNOWLEDGER_EXCLUDED
    state, by = ("OFFERED", "") if anew else (offer.state, offer.by)
    climbed = replace(offer, rung=event.rung, due=event.due, due_what=event.due_what, skipped=skipped)
    climbed = replace(climbed, state=state, by=by, excused=offer.unheard)
    return put(case, place, _with(seat, offer, climbed))


def offer_unheard(case: Case, event: e.OfferUnheard) -> Changes:
    place, _, _, seat, offer = offer_at(case, event)
    return put(case, place, _with(seat, offer, replace(offer, unheard=event.away, excused=offer.excused or event.away)))


def offer_acknowledged(case: Case, event: e.OfferAcknowledged) -> Changes:
    return _comes(case, event, "ACKNOWLEDGED")


def offer_accepted(case: Case, event: e.OfferAccepted) -> Changes:
    """The current offer, a kept one, or a late one that had expired takes the seat; the next one waits until the current one is closed."""
    place, _, _, seat, offer = offer_at(case, event)
    taken = replace(offer, state="ACCEPTED", due=event.due, due_what=event.due_what, held=False, how="", reason="")
    if offer is seat.offer or offer is seat.next:
        return put(case, place, _with(seat, offer, taken))
    return put(case, place, replace(seat, offer=taken, kept=without(seat.kept, offer), past=without(seat.past, offer)))


def offer_arrived(case: Case, event: e.OfferArrived) -> Changes:
    return _comes(case, event, "ARRIVED")


def offer_held(case: Case, event: e.OfferHeld) -> Changes:
    """With an end: a pause. Without one: declined under a duty, kept until another accepts."""
    place, _, run, seat, offer = offer_at(case, event)
    if event.due is not None:
        return put(case, place, _with(seat, offer, replace(offer, held=True, due=event.due, due_what="hold")))
    kept = replace(offer, due=None, due_what="", reason=event.reason)
    return put(case, place, replace(seat, offer=seat.next, next=None, kept=(*seat.kept, kept)), outcome=run.outcome if run.verdict else "")


def offer_closed(case: Case, event: e.OfferClosed) -> Changes:
    """A completed offer stays in its seat; any other leaves it to the next one, and a step that was done for it is open again, unless
    the next one is as far."""
    place, _, run, seat, offer = offer_at(case, event)
    ended = replace(offer, how=str(event.how), reason=event.reason, due=None, due_what="")
    if offer is seat.next:
        return put(case, place, replace(seat, next=None, past=(*seat.past, ended)))
    if seat.offer is not offer:
        return put(case, place, replace(seat, kept=without(seat.kept, offer), past=(*seat.past, ended)))
    if event.how is COMPLETED:
        return put(case, place, replace(seat, offer=replace(ended, state="COMPLETED")))
    stays = run.verdict or (seat.next is not None and RANK[seat.next.state] >= RANK[offer.state])
    left = replace(seat, offer=seat.next, next=None, past=(*seat.past, ended))
    return put(case, place, left, outcome=run.outcome if stays else "")


def deadline_passed(case: Case, event: e.DeadlinePassed) -> Changes:
    if event.offer_id is None or (found := find(case, event.offer_id)) is None:
        return {}
    place, _, _, seat, offer = found
    passed = replace(offer, due=None, charged=offer.charged or event.why.rule == LIMIT)
    if offer is seat.next:
        return put(case, place, replace(seat, next=passed))
    missed = seat.missed if event.what in seat.missed else (*seat.missed, event.what)
    return put(case, place, replace(seat, offer=passed, missed=missed))
