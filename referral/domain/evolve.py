"""Apply one event to a case and return the new state. No rule, no clock, no policy: an event is a fact and is never questioned.

The functions for offers come first, then `evolve` with the other events, then the helpers that return the case with a track, run or seat
replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import (
    RANK,
    TOLD_FROM,
    Case,
    Offer,
    Proposal,
    Run,
    Seat,
    SeatRef,
    Task,
    Track,
    Undo,
    before_knocks,
    find,
    offer_at,
    run_at,
    track_at,
)

COMPLETED, PHONE, WEB = e.How.COMPLETED, e.Reach.PHONE, e.Reach.WEB
TOLD_LATE = "told-late"
"""Rule of a message that arrived when more than half of the limit was over: this limit is not the agency's."""
ACKNOWLEDGER_EXCLUDED = "acknowledger-excluded"
"""Reason of a rung that is knocked again: the person who had acknowledged is now excluded."""
LIMIT = "limit"
"""Rule of a limit that passed without an answer of the agency, which had been notified."""
GOES_ON = frozenset(
    {
        e.OfferOpened,
        e.StepOpened,
        e.StepDone,
        e.DecisionRecorded,
        e.NeedsPerson,
        e.TrackChanged,
        e.CaseChanged,
        e.CaseRaised,
        e.CaseClosed,
    }
)
"""Events by which the case goes on: from then on somebody relies on the answers before, and none of them is taken back."""


def _comes(case: Case, event: e.OfferAcknowledged | e.OfferArrived, state: str) -> Changes:
    """Set the state of the offer that the event names: the current one, or the one to the next holder."""
    found = offer_at(case, event)
    ref, seat, offer = found.ref, found.seat, found.offer
    by = (event.by or "") if state == "ACKNOWLEDGED" else offer.by
    comes = replace(offer, state=state, due=event.due, due_what=event.due_what, by=by, unheard=False, excused=False)
    if state == "ARRIVED":
        seat = _answered(seat, event.by)
    return put(case, ref, _with(seat, offer, comes))


def _answered(seat: Seat, by: str | None) -> Seat:
    """Return the seat with one more account that answered for it."""
    return seat if by is None or by in seat.persons else replace(seat, persons=(*seat.persons, by))


def _with(seat: Seat, offer: Offer, changed: Offer) -> Seat:
    """Return the seat with this offer changed: its current one, or the one to the next holder."""
    return replace(seat, next=changed) if offer is seat.next else replace(seat, offer=changed)


def offer_opened(case: Case, event: e.OfferOpened) -> Changes:
    """Add the offer to its seat; where the seat is held, as the offer to the next holder."""
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
        knocked=event.reach is WEB and event.why.engine >= TOLD_FROM,
    )
    seat = case.tracks[t].runs[r].seats[event.seat]
    is_taken = seat.offer is not None and not seat.offer.how
    changes = put(case, (t, r, event.seat), replace(seat, next=offer) if is_taken else replace(seat, offer=offer))
    return {**changes, "knocks": True} if offer.knocked else changes


def offer_escalated(case: Case, event: e.OfferEscalated) -> Changes:
    """Set the rung that is knocked now. Where the person who had acknowledged is excluded, the same rung is knocked again and the offer is
    unacknowledged."""
    found = offer_at(case, event)
    ref, seat, offer = found.ref, found.seat, found.offer
    skipped = offer.skipped + (event.reason == "all-excluded")
    anew = event.reason == ACKNOWLEDGER_EXCLUDED
    state, by = ("OFFERED", "") if anew else (offer.state, offer.by)
    climbed = replace(offer, rung=event.rung, due=event.due, due_what=event.due_what, skipped=skipped)
    climbed = replace(climbed, state=state, by=by, excused=offer.unheard, told=False)
    return put(case, ref, _with(seat, offer, climbed))


def offer_unheard(case: Case, event: e.OfferUnheard) -> Changes:
    """Record that our channels to the agency are down (`away`), or that a message has arrived."""
    found = offer_at(case, event)
    told = not event.away and event.why.rule != TOLD_LATE
    after = replace(found.offer, unheard=event.away, excused=found.offer.excused or event.away, told=told)
    return put(case, found.ref, _with(found.seat, found.offer, after))


def offer_acknowledged(case: Case, event: e.OfferAcknowledged) -> Changes:
    return _comes(case, event, "ACKNOWLEDGED")


def offer_accepted(case: Case, event: e.OfferAccepted) -> Changes:
    """Give the seat to the current offer, a kept one, or an expired one accepted late. The next holder waits until the current offer is
    closed."""
    found = offer_at(case, event)
    ref, seat, offer = found.ref, found.seat, found.offer
    accepted = replace(offer, state="ACCEPTED", due=event.due, due_what=event.due_what, held=False, how="", reason="")
    seat = _answered(seat, event.by)
    if offer is seat.offer or offer is seat.next:
        return put(case, ref, _with(seat, offer, accepted))
    return put(case, ref, replace(seat, offer=accepted, kept=without(seat.kept, offer), past=without(seat.past, offer)))


def offer_arrived(case: Case, event: e.OfferArrived) -> Changes:
    return _comes(case, event, "ARRIVED")


def offer_held(case: Case, event: e.OfferHeld) -> Changes:
    """Apply a hold. With an end (`due`): a pause. Without one: declined under a duty, kept until another agency accepts."""
    found = offer_at(case, event)
    ref, seat, offer = found.ref, found.seat, found.offer
    if event.due is not None:
        return put(case, ref, _with(seat, offer, replace(offer, held=True, due=event.due, due_what="hold")))
    kept = replace(offer, due=None, due_what="", reason=event.reason)
    return put(
        case,
        ref,
        replace(seat, offer=seat.next, next=None, kept=(*seat.kept, kept)),
        outcome=found.run.outcome if found.run.verdict else "",
    )


def offer_closed(case: Case, event: e.OfferClosed) -> Changes:
    """Close an offer. A completed offer stays in its seat; any other leaves the seat to the next holder. A step that was done by the closed
    offer is open again, unless the next holder has reached the same rank."""
    found = offer_at(case, event)
    ref, seat, offer = found.ref, found.seat, found.offer
    ended = replace(offer, how=str(event.how), reason=event.reason, due=None, due_what="")
    if offer is seat.next:
        return put(case, ref, replace(seat, next=None, past=(*seat.past, ended)))
    if seat.offer is not offer:
        return put(case, ref, replace(seat, kept=without(seat.kept, offer), past=(*seat.past, ended)))
    if event.how is COMPLETED:
        return put(case, ref, replace(seat, offer=replace(ended, state="COMPLETED")))
    stays = found.run.verdict or (seat.next is not None and RANK[seat.next.state] >= RANK[offer.state])
    left = replace(seat, offer=seat.next, next=None, past=(*seat.past, ended))
    return put(case, ref, left, outcome=found.run.outcome if stays else "")


def undo_allowed(case: Case, event: e.UndoAllowed) -> Changes:
    """Add the answer to those that may be taken back."""
    new = Undo(
        offer_id=event.offer_id,
        until=event.until,
        arrived=event.arrived,
        due=event.due,
        due_what=event.due_what,
        done_at=event.done_at,
    )
    return {"undos": (*case.undos, new)}


def offer_reopened(case: Case, event: e.OfferReopened) -> Changes:
    """Open a completed offer again. The step is open again if the completion had finished it."""
    found = offer_at(case, event)
    state = "ARRIVED" if event.arrived else "ACCEPTED"
    again = replace(found.offer, state=state, how="", reason="", due=event.due, due_what=event.due_what)
    changes = put(case, found.ref, replace(found.seat, offer=again), outcome=None if event.done_at is None else "")
    return {**changes, "undos": tuple(undo for undo in case.undos if undo.offer_id != event.offer_id)}


def deadline_passed(case: Case, event: e.DeadlinePassed) -> Changes:
    """Clear the limit that passed; the offer is charged with it when the agency had been notified."""
    if event.offer_id is None or (found := find(case, event.offer_id)) is None:
        return {}
    ref, seat, offer = found.ref, found.seat, found.offer
    passed = replace(offer, due=None, charged=offer.charged or event.why.rule == LIMIT)
    if offer is seat.next:
        return put(case, ref, replace(seat, next=passed))
    missed = seat.missed if event.what in seat.missed else (*seat.missed, event.what)
    return put(case, ref, replace(seat, offer=passed, missed=missed))


def evolve(case: Case | None, event: Struct, case_id: str) -> Case:
    """Return the case after one more event of `referral-routing`, in order of case_seq; seq and at of the case advance with it.

    case: None before the first. Raises KeyError for an event that is not of that topic, LookupError when it names an offer, track or step
    that the case never had (the log was not read in order).
    """
    if case is None:
        case = Case(case_id=case_id)
    if case.knocks and event.why.engine < TOLD_FROM:  # type: ignore[attr-defined]
        case = before_knocks(case)
    head: e.Head | None = event.head  # type: ignore[attr-defined]
    changes = FOLDS[type(event)](case, event)
    if case.undos and type(event) in GOES_ON:
        changes = {**changes, "undos": ()}
    if head is None:
        return replace(case, seq=case.seq + 1, **changes)
    return replace(case, seq=case.seq + 1, at=head.facts.now, bundle=head.facts.bundle, **changes)


def fold(case: Case | None, events: Iterable[Struct], case_id: str) -> Case:
    """Return the case after these events. ValueError: no events and no case, although every decision emits an event."""
    for event in events:
        case = evolve(case, event, case_id)
    if case is None:
        raise ValueError("a decision without an event")
    return case


def case_opened(case: Case, event: e.CaseOpened) -> Changes:
    return {
        "opened": True,
        "closed": "",
        "traits": event.traits,
        "consent": event.consent,
        "consent_by": case.consent_by if event.consent == case.consent else event.agency,
        "excluded": tuple(dict.fromkeys((*case.excluded, *event.excluded))),
        "referrals": (*case.referrals, event.referral_id),
        "drill": event.drill,
    }


def case_changed(case: Case, event: e.CaseChanged) -> Changes:
    return {"traits": event.traits, "consent": event.consent, "consent_by": event.consent_by, "excluded": event.excluded}


def change_proposed(case: Case, event: e.ChangeProposed) -> Changes:
    """Add a proposal, with the traits at this time."""
    proposal = Proposal(
        task_id=event.task_id,
        kind=event.kind.value,
        agency=event.agency,
        by=event.by,
        traits=event.traits,
        base=case.traits if event.traits else None,
        consent=event.consent,
        actor=event.actor,
    )
    return {"proposals": (*case.proposals, proposal)}


def track_changed(case: Case, event: e.TrackChanged) -> Changes:
    """Open, pause, resume or end a track."""
    if event.state is e.TrackState.OPENED:
        by = event.opened_by or ""
        at = event.head.facts.now if event.head else case.at
        new = Track(track_id=event.track_id, pathway=event.pathway, digest=event.digest, opened_by=by, began=case.seq + 1, since=at)
        return {"closed": "", "tracks": (*case.tracks, new)}
    t = track_at(case, event.track_id)
    track = case.tracks[t]
    match event.state:
        case e.TrackState.PAUSED:
            by = event.paused_by or "desk"
            track = replace(track, paused_by=by, waited=track.waited if by in track.waited else (*track.waited, by))
        case e.TrackState.RESUMED:
            track = replace(track, paused_by="")
        case _:
            track = replace(track, outcome=event.outcome or event.state.value, ended=case.seq + 1)
    return put_track(case, t, track)


def step_opened(case: Case, event: e.StepOpened) -> Changes:
    t = track_at(case, event.track_id)
    filled = tuple([Seat(role=role) for role in event.seats])
    run = Run(step=event.step, round=event.round, kind=event.kind, seats=filled, starts=event.starts)
    return put_track(case, t, replace(case.tracks[t], runs=(*case.tracks[t].runs, run)))


def decision_recorded(case: Case, event: e.DecisionRecorded) -> Changes:
    """Record a decision: of one seat, or of the step as a whole where the event names none (-1)."""
    t, r = run_at(case, event)
    run = case.tracks[t].runs[r]
    if event.seat < 0:
        return put_run(case, t, r, replace(run, verdict=event.code))
    seat = replace(_answered(run.seats[event.seat], event.by), code=event.code, pointed=event.pointed or "")
    return put(case, (t, r, event.seat), seat)


def step_done(case: Case, event: e.StepDone) -> Changes:
    t, r = run_at(case, event)
    return put_run(case, t, r, replace(case.tracks[t].runs[r], outcome=event.outcome))


def needs_person(case: Case, event: e.NeedsPerson) -> Changes:
    """Add a desk task, or replace the one of the same id."""
    task = Task(
        task_id=event.task_id,
        desk=event.desk,
        about=event.about,
        track_id=event.track_id or "",
        step=event.step,
        seat=event.seat,
        rung=event.rung,
        due=event.due,
        offer_id=event.offer_id or "",
    )
    for index, known in enumerate(case.tasks):
        if known.task_id == task.task_id:
            return {"tasks": replaced(case.tasks, index, task)}
    return {"tasks": (*case.tasks, task)}


def person_not_needed(case: Case, event: e.PersonNotNeeded) -> Changes:
    """Remove a desk task, and the proposal that it is about."""
    changes: Changes = {"tasks": tuple(t for t in case.tasks if t.task_id != event.task_id)}
    if case.proposals:
        changes["proposals"] = tuple(p for p in case.proposals if p.task_id != event.task_id)
    return changes


FOLDS: dict[type, Callable[[Case, Any], Changes]] = {
    e.CaseOpened: case_opened,
    e.ReferralAttached: lambda case, event: {"referrals": (*case.referrals, event.referral_id)},
    e.CaseChanged: case_changed,
    e.ChangeProposed: change_proposed,
    e.TrackChanged: track_changed,
    e.StepOpened: step_opened,
    e.OfferOpened: offer_opened,
    e.OfferEscalated: offer_escalated,
    e.OfferUnheard: offer_unheard,
    e.OfferAcknowledged: offer_acknowledged,
    e.OfferAccepted: offer_accepted,
    e.OfferArrived: offer_arrived,
    e.OfferHeld: offer_held,
    e.OfferClosed: offer_closed,
    e.UndoAllowed: undo_allowed,
    e.OfferReopened: offer_reopened,
    e.DecisionRecorded: decision_recorded,
    e.StepDone: step_done,
    e.NeedsPerson: needs_person,
    e.PersonNotNeeded: person_not_needed,
    e.DeadlinePassed: deadline_passed,
    e.InputIgnored: lambda case, event: {},
    e.CaseLinked: lambda case, event: {"linked": (*case.linked, event.other)},
    e.CaseRaised: lambda case, event: {"raised": (*case.raised, event.new_case_id)},
    e.CaseClosed: lambda case, event: {"closed": event.outcome, "sealed": case.sealed or event.sealed},
}


T = TypeVar("T")


Changes = dict[str, Any]
"""New values of fields of the case, by field name."""


def put(case: Case, ref: SeatRef, seat: Seat, outcome: str | None = None) -> Changes:
    """Return the change that puts this seat at its position. outcome: new outcome of its round; None leaves it as it is."""
    t, r, s = ref
    track = case.tracks[t]
    run = track.runs[r]
    changed = replace(run, seats=replaced(run.seats, s, seat), outcome=run.outcome if outcome is None else outcome)
    return {"tracks": replaced(case.tracks, t, replace(track, runs=replaced(track.runs, r, changed)))}


def put_run(case: Case, t: int, r: int, run: Run) -> Changes:
    """Return the change that puts this run at its position."""
    track = case.tracks[t]
    return {"tracks": replaced(case.tracks, t, replace(track, runs=replaced(track.runs, r, run)))}


def put_track(case: Case, t: int, track: Track) -> Changes:
    """Return the change that puts this track at its position."""
    return {"tracks": replaced(case.tracks, t, track)}


def replaced(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    """Return the items with this one at the index."""
    if len(items) == 1:
        return (item,)
    listed = list(items)
    listed[index] = item
    return tuple(listed)


def without(offers: tuple[Offer, ...], left: Offer) -> tuple[Offer, ...]:
    """Return the offers but this one."""
    return tuple(offer for offer in offers if offer is not left)
