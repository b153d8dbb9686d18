"""One look at one track: which steps begin or end, and whom their vacant seats are offered to."""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.case import Run, Track, offers_of
from referral.domain.decision import Decision
from referral.domain.eligible import choose
from referral.domain.events import How, StepDone, StepOpened
from referral.domain.finishing import end_track, finish, is_over
from referral.domain.marks import marks
from referral.domain.offering import offer
from referral.domain.procedure import Marks, Pathway, Step
from referral.domain.standing import NOT_NEEDED, RANK, latest, newest, rank, run_marks

SEATS = 200
"""Seats of one case, over all rounds (DESIGN 11)."""


def advance(d: Decision, index: int, before: Track | None) -> None:
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
            finish(d, index, step, run)
    track = d.case.tracks[index]
    if pathway.is_settled(standing) and is_over(track):
        end_track(d, track, "done", "close-when")


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
    """Whether a round stands otherwise for anybody who looks. Who has decided has completed, so a last decision shows in the rank."""
    if rank(old) != rank(run) or old.outcome != run.outcome or old.verdict != run.verdict:
        return True
    return any(was.missed != seat.missed or len(was.past) != len(seat.past) for was, seat in zip(old.seats, run.seats, strict=True))


def _opens(step: Step, track: Track, run: Run | None, standing: Marks) -> bool:
    """Whether a step that is wanted begins, or begins another round: after an outcome that is newer than its last round."""
    if run is None or run.outcome == NOT_NEEDED:
        return step.is_ready(standing)
    if not step.again or not _may_repeat(step, run, standing):
        return False
    newer = track.runs[track.runs.index(run) :]
    return any(not step.again.isdisjoint(run_marks(other)) for other in newer)


def _may_repeat(step: Step, run: Run, standing: Marks) -> bool:
    """A place is asked for anew while the child has one: where another kind is called for, or where the table knows no kinds."""
    if step.placement is None:
        return bool(run.outcome)
    return f"{step.id}.misplaced" in standing or (not step.placement.by and rank(run) >= RANK[step.there])


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
        run = round_of(track, step)
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
    return round_of(d.case.tracks[index], step)


def round_of(track: Track, step: Step) -> Run:
    """The newest round of a step that has begun."""
    run = latest(track, step.id)
    assert run is not None
    return run
