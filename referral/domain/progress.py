"""What follows from how a case stands: steps open, vacant seats are offered, steps are done, tracks end, nothing is ever parked."""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.case import Run, Seat, Task, Track, awaits, offers_of
from referral.domain.decision import Decision
from referral.domain.eligible import choose
from referral.domain.events import (
    CaseClosed,
    CaseLinked,
    Decided,
    DecisionRecorded,
    How,
    InputIgnored,
    NeedsPerson,
    OfferAcknowledged,
    OfferEscalated,
    OfferOpened,
    PersonNotNeeded,
    ReferralAttached,
    ResponseSubmitted,
    StepDone,
    StepKind,
    StepOpened,
    TrackChanged,
    TrackState,
)
from referral.domain.offering import offer
from referral.domain.procedure import Marks, Pathway, Step
from referral.domain.record import Due
from referral.domain.standing import NOT_NEEDED, RANK, latest, marks, newest, rank, run_marks

PASSES = 32
"""Rounds of looking at one case in one decision; a procedure of 32 steps in a row would need as many."""
SEATS = 200
"""Seats of one case, over all rounds (DESIGN 11)."""
QUIET = frozenset(
    {InputIgnored, StepOpened, OfferOpened, OfferAcknowledged, OfferEscalated, NeedsPerson, PersonNotNeeded, CaseLinked, ReferralAttached}
)
"""Events that change no mark and vacate no seat: after them nothing new can follow from how the case stands."""
VACANT = ("no-candidate", "person-declined")
FINAL = {"accepted": 3, "arrived": 4, "completed": 5}


def progress(d: Decision) -> None:
    """Say everything that follows, until nothing more does. An alarm always looks, because a place may have become free."""
    seen = 0
    looks = not d.events or isinstance(d.cause.body, Due)
    before = d.before.tracks if d.before is not None and isinstance(d.cause.body, ResponseSubmitted) else ()
    for _ in range(PASSES):
        if not looks and all(type(event) in QUIET for event in d.events[seen:]):
            break
        seen, looks, tracks = len(d.events), False, d.case.tracks
        for index, track in enumerate(tracks):
            if not track.outcome and not track.paused_by:
                _advance(d, index, before[index] if index < len(before) else None)
        if len(d.events) == seen:
            break
        before = tracks
    else:
        d.needs_person("too-many-events")
    for task in d.case.tasks:
        if task.seat >= 0 and _is_settled(d, task):
            d.settle(task, "done")
    case = d.case
    if not case.closed and not case.tasks:
        if not case.opened:
            d.needs_person("record-lost")
        elif case.tracks and all(track.outcome for track in case.tracks):
            d.say(CaseClosed, "all-tracks-ended", outcome="done")
        elif not awaits(case):
            d.needs_person("standing-still")


def _concerned(pathway: Pathway, track: Track, before: Track | None) -> Collection[str]:
    """Ids of the steps that may have something new to do since the track stood as before."""
    if before is None:
        return pathway.by_id
    found: set[str] = set()
    old = before.runs
    for number, run in enumerate(track.runs):
        if number >= len(old) or (run is not old[number] and _has_news(old[number], run)):
            found |= pathway.readers[run.step]
        elif not run.outcome:
            for seat in run.seats:
                if seat.offer is None:  # a vacant seat looks for somebody at every input
                    found.add(run.step)
    return found


def _has_news(old: Run, run: Run) -> bool:
    """Whether a round stands otherwise for anybody who looks: other marks, another decision, or everybody has decided."""
    if rank(old) != rank(run) or old.outcome != run.outcome or old.verdict != run.verdict:
        return True
    decided = run.kind is StepKind.DECIDE
    for was, seat in zip(old.seats, run.seats, strict=True):
        if was.missed != seat.missed:
            return True
        decided = decided and bool(seat.code)
    return decided


def _advance(d: Decision, index: int, before: Track | None) -> None:
    """One look at one track: every step that may have something to do, in the order of the procedure, on the marks that stood."""
    track = d.case.tracks[index]
    pathway = d.policy.pinned.get(track.digest)
    if pathway is None:
        d.needs_person("procedure-unknown", track)
        return
    concerned = _concerned(pathway, track, before)
    if not concerned:
        return
    standing, runs = marks(d.case, track, pathway, d.policy), newest(track)
    for step in pathway.asking:
        if step.id not in concerned:
            continue
        run = runs.get(step.id)
        wanted = step.is_wanted(standing)
        if wanted and _opens(step, track, run, standing):
            run = _open_step(d, index, step, 0 if run is None else run.round + 1)
            standing.discard(f"{step.id}.misplaced")
        if run is None or (run.outcome and step.is_plain and run.verdict in ("", run.outcome)):
            continue
        if not wanted:
            _drop(d, d.case.tracks[index], run)
        elif not run.outcome or run.verdict:
            if not run.verdict and any(seat.offer is None and not seat.code for seat in run.seats):
                run = _fill(d, index, pathway, step, standing)
            _finish(d, index, step, run)
    track = d.case.tracks[index]
    if pathway.close_when <= standing and _is_over(track):
        end_track(d, track, "done", "close-when")


def _opens(step: Step, track: Track, run: Run | None, standing: Marks) -> bool:
    """Whether a step that is wanted begins, or begins another round: after an outcome that is newer than its last round."""
    if run is None or run.outcome == NOT_NEEDED:
        return step.is_ready(standing)
    if not step.again or (f"{step.id}.misplaced" not in standing if step.placement is not None else not run.outcome):
        return False
    newer = track.runs[track.runs.index(run) :]
    return any(not step.again.isdisjoint(run_marks(other)) for other in newer)


def _open_step(d: Decision, index: int, step: Step, round: int) -> Run | None:
    track = d.case.tracks[index]
    if sum([len(run.seats) for t in d.case.tracks for run in t.runs]) + len(step.seats) > SEATS:
        d.needs_person("too-many-seats", track, step.id)
        return None
    d.say(StepOpened, "ready", track, track_id=track.track_id, step=step.id, round=round, kind=step.kind, seats=step.roles)
    return d.case.tracks[index].runs[-1]


def _drop(d: Decision, track: Track, run: Run) -> None:
    """The circumstances that a step needs no longer hold: whoever was asked is told so, and reads no more."""
    offers = [asked for seat in run.seats for asked in offers_of(seat)]
    for asked in offers:
        d.close(asked, How.CANCELLED, "NOT_NEEDED", "when-no-longer", track)
    if offers or not run.outcome:
        d.say(StepDone, "when-no-longer", track, track_id=track.track_id, step=run.step, round=run.round, outcome=NOT_NEEDED)


def _fill(d: Decision, index: int, pathway: Pathway, step: Step, standing: Marks) -> Run:
    """Offer every vacant seat of a step to the next one in order, or put it to the desk. Returns its newest round."""
    for number in range(len(step.seats)):
        track = d.case.tracks[index]
        run = _newest(track, step)
        seat = run.seats[number]
        if seat.offer is not None or seat.code or run.outcome:
            continue
        if seat.past and seat.past[-1].how == How.DECLINED_BY_PERSON.value:
            d.needs_person("person-declined", track, step.id, number)
        elif (choice := choose(d, track, pathway, step, run, number, standing)) is not None:
            service, role, passed = choice
            if service is not None:
                offer(d, track, step, run, number, service, role, passed, "next-in-order")
            else:
                excluded = bool(passed) and all(p.reason == "EXCLUDED" for p in passed)
                d.needs_person("no-candidate", track, step.id, number, rung=2 if excluded else 0, passed=passed)
    return _newest(d.case.tracks[index], step)


def _newest(track: Track, step: Step) -> Run:
    """The newest round of a step that has begun."""
    run = latest(track, step.id)
    assert run is not None
    return run


def _finish(d: Decision, index: int, step: Step, run: Run) -> None:
    """The newest round of a step is done when its last seat is as far as the step asks."""
    track = d.case.tracks[index]
    if step.kind is StepKind.DECIDE:
        return _finish_decision(d, track, step, run)
    if step.kind is StepKind.PLACE and rank(run) >= RANK["ARRIVED"]:
        _release_older(d, track, run)
    reached = all(seat.offer for seat in run.seats) if step.kind is StepKind.NOTIFY else rank(run) >= FINAL[step.final]
    if reached and not run.outcome:
        d.say(StepDone, "seats-filled", track, track_id=track.track_id, step=step.id, round=run.round, outcome="done")
    return None


def _release_older(d: Decision, track: Track, run: Run) -> None:
    """A child that has arrived at a new place leaves the old one: never before."""
    for older in track.runs:
        if older.step == run.step and older.round < run.round:
            for seat in older.seats:
                for left in offers_of(seat):
                    d.close(left, How.RELEASED, "MOVED", "moved", track)


def _finish_decision(d: Decision, track: Track, step: Step, run: Run) -> None:
    place = {"track_id": track.track_id, "step": step.id, "round": run.round}
    codes = {seat.code for seat in run.seats}
    code = run.verdict
    if not code and "" not in codes and not run.outcome:
        code = next(iter(codes)) if len(codes) == 1 else step.on_disagreement
        if len(run.seats) > 1:
            how = Decided.AGREED if len(codes) == 1 else Decided.DISAGREED
            d.say(DecisionRecorded, "all-seats-decided", track, **place, seat=-1, code=code, how=how, by=None)
    if code and code != run.outcome:
        d.say(StepDone, "decided", track, **place, outcome=code)


def _is_over(track: Track) -> bool:
    """No round is under way, and nobody lives in a place that the track has asked for."""
    return all(run.outcome for run in newest(track).values())


def end_track(d: Decision, track: Track, outcome: str, rule: str) -> None:
    """The track ends: what was taken is completed, what was asked is cancelled, its tasks are settled."""
    for run in track.runs:
        for seat in run.seats:
            for left in offers_of(seat):
                done = RANK[left.state] >= RANK["ACCEPTED"] and left not in seat.kept
                d.close(left, How.COMPLETED if done else How.CANCELLED, "TRACK_ENDED", rule, track)
    for task in d.case.tasks:
        if task.track_id == track.track_id:
            d.settle(task, "track-ended")
    d.say(
        TrackChanged,
        rule,
        track,
        track_id=track.track_id,
        pathway=track.pathway,
        digest=track.digest,
        state=TrackState.ENDED,
        paused_by="",
        outcome=outcome,
    )


def _is_settled(d: Decision, task: Task) -> bool:
    """Whether what a seat's task was about has come right."""
    track = next((t for t in d.case.tracks if t.track_id == task.track_id), None)
    run = latest(track, task.step) if track else None
    if run is None or run.outcome or task.seat >= len(run.seats):
        return True
    seat: Seat = run.seats[task.seat]
    if task.about in VACANT:
        return seat.offer is not None
    if seat.offer is None or seat.code:
        return True
    return task.about in ("arrive-missed", "present-missed") and RANK[seat.offer.state] >= RANK["ARRIVED"]
