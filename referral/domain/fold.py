"""How an event changes a case. No rule, no clock, no policy: what an event says, happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import Case, Proposal, Run, Seat, Task, Track
from referral.domain.fold_offers import (
    deadline_passed,
    offer_accepted,
    offer_acknowledged,
    offer_arrived,
    offer_closed,
    offer_escalated,
    offer_held,
    offer_opened,
    offer_unheard,
)
from referral.domain.fold_places import Changes, put, put_run, put_track, replaced, run_at, track_at


def evolve(case: Case | None, event: Struct, case_id: str) -> Case:
    """The case after one more event of `referral-routing`, in order of case_seq; seq and at of the case count with it.

    case: None before the first. Raises KeyError for an event that is not of that topic, LookupError when it names an offer,
    track or step that the case never had (the log was not read in order).
    """
    if case is None:
        case = Case(case_id=case_id)
    head: e.Head | None = event.head  # type: ignore[attr-defined]
    changes = FOLDS[type(event)](case, event)
    if head is None:
        return replace(case, seq=case.seq + 1, **changes)
    return replace(case, seq=case.seq + 1, at=head.facts.now, bundle=head.facts.bundle, **changes)


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
    if event.state is e.TrackState.OPENED:
        by = event.opened_by or ""
        new = Track(track_id=event.track_id, pathway=event.pathway, digest=event.digest, opened_by=by, began=case.seq + 1)
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
    t, r = run_at(case, event)
    run = case.tracks[t].runs[r]
    if event.seat < 0:
        return put_run(case, t, r, replace(run, verdict=event.code))
    return put(case, (t, r, event.seat), replace(run.seats[event.seat], code=event.code))


def step_done(case: Case, event: e.StepDone) -> Changes:
    t, r = run_at(case, event)
    return put_run(case, t, r, replace(case.tracks[t].runs[r], outcome=event.outcome))


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
        offer_id=event.offer_id or "",
    )
    for index, known in enumerate(case.tasks):
        if known.task_id == task.task_id:
            return {"tasks": replaced(case.tasks, index, task)}
    return {"tasks": (*case.tasks, task)}


def person_not_needed(case: Case, event: e.PersonNotNeeded) -> Changes:
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
