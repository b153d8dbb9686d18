"""How an event changes a case. No rule, no clock, no policy: what an event says, happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import Case, Offer, Place, Run, Seat, Task, Track, find

T = TypeVar("T")
Changes = dict[str, Any]
"""New values of fields of the case."""


def evolve(case: Case | None, event: Struct, case_id: str) -> Case:
    """The case after one more event of `referral-routing`, in order of case_seq; seq and at of the case count with it.

    case: None before the first. Raises KeyError for an event that is not of that topic, LookupError when it names an offer,
    track or step that the case never had (the log was not read in order).
    """
    if case is None:
        case = Case(case_id=case_id)
    head: e.Head | None = event.head  # type: ignore[attr-defined]
    at = case.at if head is None else head.facts.now
    return replace(case, seq=case.seq + 1, at=at, **FOLDS[type(event)](case, event))


def _put(case: Case, place: Place, seat: Seat, **run_fields: Any) -> Changes:
    """This seat at its place."""
    t, r, s = place
    run = case.tracks[t].runs[r]
    return _put_run(case, t, r, replace(run, seats=_with(run.seats, s, seat), **run_fields))


def _put_run(case: Case, t: int, r: int, run: Run) -> Changes:
    track = case.tracks[t]
    return _put_track(case, t, replace(track, runs=_with(track.runs, r, run)))


def _put_track(case: Case, t: int, track: Track) -> Changes:
    return {"tracks": _with(case.tracks, t, track)}


def _with(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    """The same items, and this one in its place."""
    listed = list(items)
    listed[index] = item
    return tuple(listed)


def _track(case: Case, track_id: str) -> int:
    for t, track in enumerate(case.tracks):
        if track.track_id == track_id:
            return t
    raise LookupError(f"no track {track_id}")


def _run(case: Case, event: Any) -> tuple[int, int]:
    """Where the run stands that the event names."""
    t = _track(case, event.track_id)
    for r, run in enumerate(case.tracks[t].runs):
        if run.step == event.step and run.round == event.round:
            return t, r
    raise LookupError(f"no round {event.round} of {event.step}")


def _find(case: Case, event: Any) -> tuple[Place, Track, Run, Seat, Offer]:
    """Where the offer stands that the event names."""
    found = find(case, event.offer_id)
    if found is None:
        raise LookupError(f"no offer {event.offer_id}")
    return found


def _offer(case: Case, event: Any, **fields: Any) -> Changes:
    """New fields of the current offer that the event names."""
    place, _, _, seat, offer = _find(case, event)
    return _put(case, place, replace(seat, offer=replace(offer, **fields)))


def case_opened(case: Case, event: e.CaseOpened) -> Changes:
    return {
        "opened": True,
        "closed": "",
        "traits": event.traits,
        "consent": event.consent,
        "referrals": (*case.referrals, event.referral_id),
        "drill": event.drill,
    }


def case_changed(case: Case, event: e.CaseChanged) -> Changes:
    return {"traits": event.traits, "consent": event.consent, "excluded": event.excluded}


def track_changed(case: Case, event: e.TrackChanged) -> Changes:
    if event.state is e.TrackState.OPENED:
        return {"tracks": (*case.tracks, Track(track_id=event.track_id, pathway=event.pathway, digest=event.digest))}
    t = _track(case, event.track_id)
    match event.state:
        case e.TrackState.PAUSED:
            track = replace(case.tracks[t], paused_by=event.paused_by or "desk")
        case e.TrackState.RESUMED:
            track = replace(case.tracks[t], paused_by="")
        case _:
            track = replace(case.tracks[t], outcome=event.outcome or event.state.value)
    return _put_track(case, t, track)


def step_opened(case: Case, event: e.StepOpened) -> Changes:
    t = _track(case, event.track_id)
    run = Run(step=event.step, round=event.round, kind=event.kind, seats=tuple([Seat(role=role) for role in event.seats]))
    return _put_track(case, t, replace(case.tracks[t], runs=(*case.tracks[t].runs, run)))


def offer_opened(case: Case, event: e.OfferOpened) -> Changes:
    t, r = _run(case, event)
    offer = Offer(
        offer_id=event.offer_id,
        agency=event.agency,
        service=event.service,
        rung=event.rung,
        rungs=len(event.ladder),
        due=event.due,
        due_what=event.due_what,
    )
    return _put(case, (t, r, event.seat), replace(case.tracks[t].runs[r].seats[event.seat], offer=offer))


def offer_escalated(case: Case, event: e.OfferEscalated) -> Changes:
    place, _, _, seat, offer = _find(case, event)
    skipped = offer.skipped + (event.reason == "all-excluded")
    climbed = replace(offer, rung=event.rung, due=event.due, due_what=event.due_what, skipped=skipped)
    return _put(case, place, replace(seat, offer=climbed))


def offer_acknowledged(case: Case, event: e.OfferAcknowledged) -> Changes:
    return _offer(case, event, state="ACKNOWLEDGED", due=event.due, due_what=event.due_what)


def offer_accepted(case: Case, event: e.OfferAccepted) -> Changes:
    """The current offer, a kept one, or a late one that had expired takes the seat."""
    place, _, _, seat, offer = _find(case, event)
    taken = replace(offer, state="ACCEPTED", due=event.due, due_what=event.due_what, held=False, how="", reason="")
    if offer is seat.offer:
        return _put(case, place, replace(seat, offer=taken))
    return _put(case, place, replace(seat, offer=taken, kept=_without(seat.kept, offer), past=_without(seat.past, offer)))


def _without(offers: tuple[Offer, ...], left: Offer) -> tuple[Offer, ...]:
    return tuple(offer for offer in offers if offer is not left)


def offer_arrived(case: Case, event: e.OfferArrived) -> Changes:
    return _offer(case, event, state="ARRIVED", due=event.due, due_what=event.due_what)


def offer_held(case: Case, event: e.OfferHeld) -> Changes:
    """With an end: a pause. Without one: declined under a duty, kept until another accepts."""
    if event.due is not None:
        return _offer(case, event, held=True, due=event.due, due_what="hold")
    place, _, run, seat, offer = _find(case, event)
    kept = replace(offer, due=None, due_what="", reason=event.reason)
    return _put(case, place, replace(seat, offer=None, kept=(*seat.kept, kept)), outcome=run.outcome if run.verdict else "")


def offer_closed(case: Case, event: e.OfferClosed) -> Changes:
    """A completed offer stays in its seat; any other leaves it, and a step that was done for it is open again."""
    place, _, run, seat, offer = _find(case, event)
    ended = replace(offer, how=event.how.value, reason=event.reason, due=None, due_what="")
    if seat.offer is not offer:
        return _put(case, place, replace(seat, kept=_without(seat.kept, offer), past=(*seat.past, ended)))
    if event.how is e.How.COMPLETED:
        return _put(case, place, replace(seat, offer=replace(ended, state="COMPLETED")))
    return _put(case, place, replace(seat, offer=None, past=(*seat.past, ended)), outcome=run.outcome if run.verdict else "")


def decision_recorded(case: Case, event: e.DecisionRecorded) -> Changes:
    t, r = _run(case, event)
    run = case.tracks[t].runs[r]
    if event.seat < 0:
        return _put_run(case, t, r, replace(run, verdict=event.code))
    return _put(case, (t, r, event.seat), replace(run.seats[event.seat], code=event.code))


def step_done(case: Case, event: e.StepDone) -> Changes:
    t, r = _run(case, event)
    return _put_run(case, t, r, replace(case.tracks[t].runs[r], outcome=event.outcome))


def needs_person(case: Case, event: e.NeedsPerson) -> Changes:
    task = Task(
        task_id=event.task_id,
        desk=event.desk,
        about=event.about,
        track_id=event.track_id or "",
        step=event.step,
        seat=event.seat,
        rung=event.rung,
        due=event.due,
    )
    for index, known in enumerate(case.tasks):
        if known.task_id == task.task_id:
            return {"tasks": _with(case.tasks, index, task)}
    return {"tasks": (*case.tasks, task)}


def person_not_needed(case: Case, event: e.PersonNotNeeded) -> Changes:
    return {"tasks": tuple(t for t in case.tasks if t.task_id != event.task_id)}


def deadline_passed(case: Case, event: e.DeadlinePassed) -> Changes:
    if event.offer_id is None or (found := find(case, event.offer_id)) is None:
        return {}
    place, _, _, seat, offer = found
    missed = seat.missed if event.what in seat.missed else (*seat.missed, event.what)
    return _put(case, place, replace(seat, offer=replace(offer, due=None), missed=missed))


FOLDS: dict[type, Callable[[Case, Any], Changes]] = {
    e.CaseOpened: case_opened,
    e.ReferralAttached: lambda case, event: {"referrals": (*case.referrals, event.referral_id)},
    e.CaseChanged: case_changed,
    e.TrackChanged: track_changed,
    e.StepOpened: step_opened,
    e.OfferOpened: offer_opened,
    e.OfferEscalated: offer_escalated,
    e.OfferAcknowledged: offer_acknowledged,
    e.OfferAccepted: offer_accepted,
    e.OfferArrived: offer_arrived,
    e.OfferHeld: offer_held,
    e.OfferClosed: offer_closed,
    e.DecisionRecorded: decision_recorded,
    e.StepDone: step_done,
    e.NeedsPerson: needs_person,
    e.PersonNotNeeded: person_not_needed,
    e.DeadlinePassed: deadline_passed,
    e.InputIgnored: lambda case, event: {},
    e.CaseLinked: lambda case, event: {"linked": (*case.linked, event.other)},
    e.CaseRaised: lambda case, event: {"raised": (*case.raised, event.new_case_id)},
    e.CaseClosed: lambda case, event: {"closed": event.outcome},
}
