"""Switch between the procedures of one case: one replaces another, opens beside it, or makes it wait.

A replaced procedure hands over everything that it has reached before it ends: no agency that holds a seat is released in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from referral.domain.case import RANK, Offer, Run, Seat, Track, offers_of
from referral.domain.events import Decided, DecisionRecorded, How, OfferAccepted, OfferArrived, StepDone, StepKind, StepOpened, TrackState
from referral.domain.policy import Policy
from referral.domain.policy.directory import Service
from referral.domain.policy.procedure import Change, Marks, Pathway, SeatRule, Step, met
from referral.domain.rules.candidates import banned
from referral.domain.rules.conditions import NOT_NEEDED, OVERTAKEN, SETTLED, latest, track_marks
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.offers import CARRIED_OVER, limit_after, offer
from referral.domain.rules.referrals import TRACKS, open_track
from referral.domain.rules.tracks import end_track
from referral.domain.rules.tracks import pause as wait_for


def follow_changes(d: DecisionContext, index: int, pathway: Pathway, marks: Marks) -> bool:
    """Begin the procedures that the marks of a track call for. Return True when the track has ended or waits."""
    for change in pathway.changes:
        if not met(change.when, marks):
            continue
        track = d.case.tracks[index]
        other = _in_force(d.policy, change.switch_to or change.also_open)
        if other is None:
            if not _stood(d, track, pathway, change):
                d.needs_person("other-pathway", track)
        elif change.switch_to:
            if _switch(d, track, pathway, other):
                return True
        elif _open_beside(d, track, other, pause=change.pause, stood=_stood(d, track, pathway, change)):
            return True
    return False


def _stood(d: DecisionContext, track: Track, pathway: Pathway, change: Change) -> bool:
    """Return True when the change already applied before the input: a desk gets one task about it."""
    was = next((t for t in d.before.tracks if t.track_id == track.track_id), None) if d.before is not None else None
    if was is None or d.before is None:
        return False
    return met(change.when, track_marks(d.before, was, pathway, d.policy))


def _switch(d: DecisionContext, track: Track, pathway: Pathway, other: Pathway) -> bool:
    """Replace a procedure: the other begins and takes over every holder, and only then this one ends."""
    new = _running(d, other.id) or _begin(d, other, "switched", track.track_id)
    if new is None:
        return False
    carry_over(d, track, pathway, new.track_id, other)
    unsure = [t for t in d.case.tasks if t.about == "confirm-default" and t.track_id == track.track_id and other.step(t.step) is None]
    for other_track in d.case.tracks:
        if other_track.paused_by == pathway.id and not other_track.outcome and other_track.track_id != new.track_id:
            wait_for(d, other_track, "waits-for", other.id)
    end_track(d, track, "switched", "switched", TrackState.SWITCHED, taken=How.RELEASED)
    if unsure:  # silence has decided that another procedure applies: a person must confirm it
        d.needs_person("other-pathway", new)
    return True


def _open_beside(d: DecisionContext, track: Track, other: Pathway, *, pause: bool, stood: bool) -> bool:
    """Open the other procedure unless it runs, or has run since it was called for. pause: this track waits for it, once. stood: it was
    called for before this input."""
    if pause and other.id in track.waited:
        return False
    known = any(t.pathway == other.id and (not t.outcome or (stood and t.ended > track.began)) for t in d.case.tracks)
    if not known and _begin(d, other, "also-opens", track.track_id) is None:
        return False
    if pause and _running(d, other.id) is not None:
        wait_for(d, track, "waits-for", other.id)
        return True
    return False


def _in_force(policy: Policy, id: str) -> Pathway | None:
    """Return the procedure of this id under which new tracks run; None when there is none."""
    return next((pathway for pathway in policy.current if pathway.id == id), None)


def _running(d: DecisionContext, pathway: str) -> Track | None:
    """Return the running track of this pathway; None when there is none."""
    return next((track for track in d.case.tracks if track.pathway == pathway and not track.outcome), None)


def _begin(d: DecisionContext, pathway: Pathway, rule: str, opened_by: str) -> Track | None:
    """Begin a track of this procedure; None, with a desk task, when the case has too many."""
    if len(d.case.tracks) >= TRACKS:
        d.needs_person("too-many-tracks")
        return None
    open_track(d, pathway, rule, opened_by)
    return d.case.tracks[-1]


ASKED = frozenset({StepKind.REQUEST, StepKind.JOINT})


def carry_over(d: DecisionContext, old: Track, before: Pathway, new_id: str, after: Pathway) -> None:
    """Carry over steps with the same id and a like kind: seats that are taken, codes that are decided, steps that a desk has settled."""
    for step in after.asking:
        was, run = before.step(step.id), _reached(old, step)
        if was is None or run is None or not _alike(was, step) or run.outcome == NOT_NEEDED:
            continue
        if step.kind is StepKind.DECIDE and set(was.codes) != set(step.codes):
            continue
        carried = list(_taken(d, new_id, after, step, was, run))
        if not carried and not run.verdict and run.outcome not in (SETTLED, OVERTAKEN):
            continue
        if latest(_track(d, new_id), step.id) is None:
            d.emit(
                StepOpened(
                    why=d.why(CARRIED_OVER, _track(d, new_id)), track_id=new_id, step=step.id, round=0, kind=step.kind, seats=step.roles
                )
            )
        for number, seat, service in carried:
            _carry(d, old, new_id, step, number, seat, service)
        _carry_outcome(d, old, new_id, step, run)


def _track(d: DecisionContext, track_id: str) -> Track:
    """Return the track as it is now."""
    return next(track for track in d.case.tracks if track.track_id == track_id)


def _alike(was: Step, step: Step) -> bool:
    """Return True when the result of one step counts for the other. REQUEST and JOINT are alike: an agency asked alone may be asked
    jointly."""
    return was.kind is step.kind or {was.kind, step.kind} <= ASKED


def _reached(old: Track, step: Step) -> Run | None:
    """Return the newest round of a step; for a place, the round of the place where the person lives, not of one that they have not come to
    yet."""
    rounds = [run for run in reversed(old.runs) if run.step == step.id]
    if step.kind is StepKind.PLACE:
        ranked = [(max([0, *(RANK[o.state] for seat in run.seats for o in offers_of(seat))]), run) for run in rounds]
        return next((run for least in (step.there, "ACCEPTED") for reached, run in ranked if reached >= RANK[least]), None)
    return rounds[0] if rounds else None


def _taken(d: DecisionContext, new_id: str, after: Pathway, step: Step, was: Step, run: Run) -> Iterator[tuple[int, Seat, Service]]:
    """Yield each seat of the step with its old seat and the service that holds it. The old seat is the one of that name, the only one, or
    one of that role. The service must have the role and not be banned, or the person must live there. An excluded service is never
    carried over."""
    marks = track_marks(d.case, _track(d, new_id), after, d.policy, d.facts.now)
    for number, rule in enumerate(step.seats):
        alike = [n for n, other in enumerate(was.seats) if other.name == rule.name] or ([0] if len(was.seats) == 1 else [])
        alike = alike or [n for n, other in enumerate(was.seats) if set(other.roles) & set(rule.roles)]
        seat = run.seats[alike[0]] if alike else None
        if seat is None or seat.offer is None or not _counts(step, seat, seat.offer):
            continue
        service = d.policy.services.get(seat.offer.service)
        if service is None or f"agency:{service.agency}" in d.case.excluded:
            continue
        lives = step.kind is StepKind.PLACE and seat.offer.state == step.there
        if lives or (service.roles & _roles(step, rule) and not banned(d, after, step, service, marks)):
            yield number, seat, service


def _counts(step: Step, seat: Seat, left: Offer) -> bool:
    """Return True when an old seat has reached something to carry over."""
    if step.kind is StepKind.DECIDE:
        return bool(seat.code)
    return step.kind is StepKind.NOTIFY or RANK[left.state] >= RANK["ACCEPTED"]


def _roles(step: Step, rule: SeatRule) -> frozenset[str]:
    """Return every role that may hold this seat."""
    if step.placement is None:
        return frozenset((*rule.roles, *rule.last_resort))
    named = (role for roles in step.placement.roles.values() for role in roles)
    return frozenset((*step.placement.until_known, *named, *rule.last_resort))


def _carry(d: DecisionContext, old: Track, new_id: str, step: Step, number: int, seat: Seat, service: Service) -> None:
    """Give the same agency the seat in the new track, with the limit that runs, before it leaves the old one."""
    track = _track(d, new_id)
    run, left = latest(track, step.id), seat.offer
    if run is None or left is None or run.seats[number].offer is not None or run.seats[number].code or run.outcome:
        return
    fits = sorted(service.roles & _roles(step, step.seats[number]))
    offer(d, track, step, run, number, service, fits[0] if fits else min(service.roles), (), CARRIED_OVER)
    moved = latest(_track(d, new_id), step.id)
    there = moved.seats[number].offer if moved is not None else None
    assert there is not None
    runs_on = left.due is not None and left.due_what in step.limits
    due, what = (
        (left.due, left.due_what)
        if runs_on
        else limit_after(d, track, step, left.state)
        if left.state in ("ACCEPTED", "ARRIVED")
        else (None, "")
    )
    if step.kind is StepKind.DECIDE:
        how = Decided.SILENCE if _by_silence(d, old, step) else Decided.PERSON
        d.emit(
            DecisionRecorded(
                why=d.why(CARRIED_OVER, track),
                track_id=new_id,
                step=step.id,
                round=run.round,
                seat=number,
                code=seat.code,
                how=how,
                by=None,
            )
        )
    elif step.kind is not StepKind.NOTIFY:
        d.emit(OfferAccepted(why=d.why(CARRIED_OVER, track), offer_id=there.offer_id, by=None, late=False, due=due, due_what=what))
        if left.state == "ARRIVED":
            d.emit(OfferArrived(why=d.why(CARRIED_OVER, track), offer_id=there.offer_id, by=None, due=due, due_what=what))
    if left.state == "COMPLETED":
        d.close(there, How.COMPLETED, "CARRIED_OVER", CARRIED_OVER, track)
    if not left.how:
        d.close(left, How.RELEASED, "CARRIED_OVER", CARRIED_OVER, old)
    if not fits or banned(
        d, d.policy.pinned[track.digest], step, service, track_marks(d.case, track, d.policy.pinned[track.digest], d.policy)
    ):
        d.needs_person("place-forbidden", track, step.id)


def _carry_outcome(d: DecisionContext, old: Track, new_id: str, step: Step, run: Run) -> None:
    """Carry over the decision of the step as a whole, or its settlement by a desk."""
    track = _track(d, new_id)
    new = latest(track, step.id)
    if new is None or new.outcome:
        return
    if step.kind is StepKind.DECIDE and run.verdict and not new.verdict:
        silent = _by_silence(d, old, step)
        d.emit(
            DecisionRecorded(
                why=d.why(CARRIED_OVER, track),
                track_id=new_id,
                step=step.id,
                round=new.round,
                seat=-1,
                code=run.verdict,
                how=Decided.SILENCE if silent else Decided.PERSON,
                by=None,
            )
        )
    elif run.outcome in (SETTLED, OVERTAKEN):
        d.emit(StepDone(why=d.why(CARRIED_OVER, track), track_id=new_id, step=step.id, round=new.round, outcome=run.outcome))
    if _by_silence(d, old, step):
        d.needs_person("confirm-default", track, step.id, repeat=d.policy.stopped)


def _by_silence(d: DecisionContext, old: Track, step: Step) -> bool:
    """Return True when nobody has confirmed yet a decision taken by silence."""
    return any(t.about == "confirm-default" and (t.track_id, t.step) == (old.track_id, step.id) for t in d.case.tasks)
