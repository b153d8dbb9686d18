"""How an event changes a case. No rule, no clock, no policy: what an event says, happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import Case, Offer, Place, Run, Seat, Task, Track, find


def evolve(case: Case | None, event: Struct, case_id: str) -> Case:
    """The case after one more event of `referral-routing`, in order of case_seq; seq and at of the case count with it.

    case: None before the first. Raises KeyError for an event that is not of that topic, LookupError when it names an offer,
    track or step that the case never had (the log was not read in order).
    """
    case = case or Case(case_id=case_id)
    head: e.Head | None = event.head  # type: ignore[attr-defined]
    at = case.at if head is None else head.facts.now
    return FOLDS[type(event)](replace(case, seq=case.seq + 1, at=at), event)


def _put(case: Case, place: Place, seat: Seat, **run_fields: Any) -> Case:
    """The case with this seat at its place."""
    t, r, s = place
    track = case.tracks[t]
    run = track.runs[r]
    run = replace(run, seats=(*run.seats[:s], seat, *run.seats[s + 1 :]), **run_fields)
    track = replace(track, runs=(*track.runs[:r], run, *track.runs[r + 1 :]))
    return replace(case, tracks=(*case.tracks[:t], track, *case.tracks[t + 1 :]))


def _track(case: Case, track_id: str, change: Callable[[Track], Track]) -> Case:
    if all(t.track_id != track_id for t in case.tracks):
        raise LookupError(f"no track {track_id}")
    return replace(case, tracks=tuple(change(t) if t.track_id == track_id else t for t in case.tracks))


def _run(case: Case, event: Any, **fields: Any) -> Case:
    """The case with new fields in the run that the event names."""

    def change(track: Track) -> Track:
        return replace(track, runs=tuple(replace(r, **fields) if (r.step, r.round) == (event.step, event.round) else r for r in track.runs))

    return _track(case, event.track_id, change)


def _seat(case: Case, event: Any) -> tuple[Place, Seat]:
    for t, track in enumerate(case.tracks):
        if track.track_id == event.track_id:
            for r, run in enumerate(track.runs):
                if (run.step, run.round) == (event.step, event.round):
                    return (t, r, event.seat), run.seats[event.seat]
    raise LookupError(f"no seat {event.seat} of {event.step}")


def _offer(case: Case, event: Any, **fields: Any) -> Case:
    """The case with new fields in the current offer that the event names."""
    found = find(case, event.offer_id)
    if found is None:
        raise LookupError(f"no offer {event.offer_id}")
    place, _, _, seat, offer = found
    return _put(case, place, replace(seat, offer=replace(offer, **fields)))


def case_opened(case: Case, event: e.CaseOpened) -> Case:
    return replace(
        case,
        opened=True,
        closed="",
        traits=event.traits,
        consent=event.consent,
        referrals=(*case.referrals, event.referral_id),
        drill=event.drill,
    )


def case_changed(case: Case, event: e.CaseChanged) -> Case:
    return replace(case, traits=event.traits, consent=event.consent, excluded=event.excluded)


def track_changed(case: Case, event: e.TrackChanged) -> Case:
    match event.state:
        case e.TrackState.OPENED:
            return replace(case, tracks=(*case.tracks, Track(track_id=event.track_id, pathway=event.pathway, digest=event.digest)))
        case e.TrackState.PAUSED:
            return _track(case, event.track_id, lambda track: replace(track, paused_by=event.paused_by or "desk"))
        case e.TrackState.RESUMED:
            return _track(case, event.track_id, lambda track: replace(track, paused_by=""))
        case _:
            return _track(case, event.track_id, lambda track: replace(track, outcome=event.outcome or event.state.value))


def step_opened(case: Case, event: e.StepOpened) -> Case:
    run = Run(step=event.step, round=event.round, kind=event.kind, seats=tuple(Seat(role=role) for role in event.seats))
    return _track(case, event.track_id, lambda track: replace(track, runs=(*track.runs, run)))


def offer_opened(case: Case, event: e.OfferOpened) -> Case:
    place, seat = _seat(case, event)
    offer = Offer(
        offer_id=event.offer_id,
        agency=event.agency,
        service=event.service,
        rung=event.rung,
        rungs=len(event.ladder),
        due=event.due,
        due_what=event.due_what,
    )
    return _put(case, place, replace(seat, offer=offer))


def offer_escalated(case: Case, event: e.OfferEscalated) -> Case:
    found = find(case, event.offer_id)
    skipped = found[4].skipped if found else 0
    more = 1 if event.reason == "all-excluded" else 0
    return _offer(case, event, rung=event.rung, due=event.due, due_what=event.due_what, skipped=skipped + more)


def offer_acknowledged(case: Case, event: e.OfferAcknowledged) -> Case:
    return _offer(case, event, state="ACKNOWLEDGED", due=event.due, due_what=event.due_what)


def offer_accepted(case: Case, event: e.OfferAccepted) -> Case:
    """The current offer, a kept one, or a late one that had expired takes the seat."""
    found = find(case, event.offer_id)
    if found is None:
        raise LookupError(f"no offer {event.offer_id}")
    place, _, _, seat, offer = found
    taken = replace(offer, state="ACCEPTED", due=event.due, due_what=event.due_what, held=False, how="", reason="")
    others = {"kept": tuple(o for o in seat.kept if o is not offer), "past": tuple(o for o in seat.past if o is not offer)}
    return _put(case, place, replace(seat, offer=taken, **others))


def offer_arrived(case: Case, event: e.OfferArrived) -> Case:
    return _offer(case, event, state="ARRIVED", due=event.due, due_what=event.due_what)


def offer_held(case: Case, event: e.OfferHeld) -> Case:
    """With an end: a pause. Without one: declined under a duty, kept until another accepts."""
    if event.due is not None:
        return _offer(case, event, held=True, due=event.due, due_what="hold")
    found = find(case, event.offer_id)
    if found is None:
        raise LookupError(f"no offer {event.offer_id}")
    place, _, run, seat, offer = found
    kept = replace(offer, due=None, due_what="", reason=event.reason)
    return _put(case, place, replace(seat, offer=None, kept=(*seat.kept, kept)), outcome=run.outcome if run.verdict else "")


def offer_closed(case: Case, event: e.OfferClosed) -> Case:
    """A completed offer stays in its seat; any other leaves it, and a step that was done for it is open again."""
    found = find(case, event.offer_id)
    if found is None:
        raise LookupError(f"no offer {event.offer_id}")
    place, _, run, seat, offer = found
    ended = replace(offer, how=event.how.value, reason=event.reason, due=None, due_what="")
    if seat.offer is not offer:
        return _put(case, place, replace(seat, kept=tuple(o for o in seat.kept if o is not offer), past=(*seat.past, ended)))
    if event.how is e.How.COMPLETED:
        return _put(case, place, replace(seat, offer=replace(ended, state="COMPLETED")))
    return _put(case, place, replace(seat, offer=None, past=(*seat.past, ended)), outcome=run.outcome if run.verdict else "")


def decision_recorded(case: Case, event: e.DecisionRecorded) -> Case:
    if event.seat < 0:
        return _run(case, event, verdict=event.code)
    place, seat = _seat(case, event)
    return _put(case, place, replace(seat, code=event.code))


def step_done(case: Case, event: e.StepDone) -> Case:
    return _run(case, event, outcome=event.outcome)


def needs_person(case: Case, event: e.NeedsPerson) -> Case:
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
    if any(t.task_id == task.task_id for t in case.tasks):
        return replace(case, tasks=tuple(task if t.task_id == task.task_id else t for t in case.tasks))
    return replace(case, tasks=(*case.tasks, task))


def person_not_needed(case: Case, event: e.PersonNotNeeded) -> Case:
    return replace(case, tasks=tuple(t for t in case.tasks if t.task_id != event.task_id))


def deadline_passed(case: Case, event: e.DeadlinePassed) -> Case:
    if event.offer_id is None or (found := find(case, event.offer_id)) is None:
        return case
    place, _, _, seat, offer = found
    missed = seat.missed if event.what in seat.missed else (*seat.missed, event.what)
    return _put(case, place, replace(seat, offer=replace(offer, due=None), missed=missed))


FOLDS: dict[type, Callable[[Case, Any], Case]] = {
    e.CaseOpened: case_opened,
    e.ReferralAttached: lambda case, event: replace(case, referrals=(*case.referrals, event.referral_id)),
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
    e.InputIgnored: lambda case, event: case,
    e.CaseLinked: lambda case, event: replace(case, linked=(*case.linked, event.other)),
    e.CaseRaised: lambda case, event: replace(case, raised=(*case.raised, event.new_case_id)),
    e.CaseClosed: lambda case, event: replace(case, closed=event.outcome),
}
