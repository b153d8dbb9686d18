"""One look at one track: which steps begin or end, and whom their vacant seats are offered to."""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.case import Run, Track
from referral.domain.consent import agrees, is_withdrawn
from referral.domain.decision import Decision
from referral.domain.events import StepOpened
from referral.domain.filling import fill
from referral.domain.finishing import drop, end_track, finish, is_over
from referral.domain.marks import marks
from referral.domain.procedure import Marks, Pathway, Step
from referral.domain.rounds import goes_on, is_early, next_start
from referral.domain.standing import NOT_NEEDED, RANK, is_vacant, newest, rank, run_marks
from referral.domain.switching import follow_changes
from referral.domain.withdrawing import honour

SEATS = 200
"""Seats of one case, over all rounds (DESIGN 11)."""
CONFIRM = "confirm-default"


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
    standing = marks(d.case, track, pathway, d.policy, d.facts.now)
    if honour(d, track, pathway, standing) or (pathway.changes and follow_changes(d, index, pathway, standing)):
        return
    said = len(d.events)
    _steps(d, index, pathway, concerned, standing)
    if said == len(d.events) or not pathway.has_rounds:  # what has just been done may be followed by more
        _close(d, d.case.tracks[index], pathway, standing)


def _steps(d: Decision, index: int, pathway: Pathway, concerned: Collection[str], standing: set[str]) -> None:
    track = d.case.tracks[index]
    runs, agreed = newest(track), agrees(pathway, standing)
    keeps = agreed or (is_withdrawn(pathway, standing) and pathway.consent.on_withdrawal == "continue")
    for step in pathway.asking:
        if step.id not in concerned:
            continue
        run = runs.get(step.id)
        if run is None:
            if not step.is_ready(standing):
                continue
        elif run.outcome and step.is_plain and run.outcome != NOT_NEEDED and run.verdict in ("", run.outcome):
            continue
        wanted = step.is_wanted(standing)
        if wanted and (agreed or step.without_consent) and _opens(d, step, track, run, standing):
            run = _open_step(d, index, step, 0 if run is None else run.round + 1)
            standing.discard(f"{step.id}.misplaced")
        if run is None or (run.outcome and step.is_plain and run.verdict in ("", run.outcome)):
            continue
        if not wanted:
            drop(d, track.track_id, step.id, "NOT_NEEDED", "when-no-longer")
        elif run.starts is not None and is_early(run, d.facts.now):
            if not step.until.isdisjoint(standing):
                drop(d, track.track_id, step.id, "NOT_NEEDED", "repetition-ended")
        elif not run.outcome or run.verdict:
            if not run.verdict and (keeps or step.without_consent) and is_vacant(run):
                run = fill(d, index, pathway, step, standing)
            finish(d, index, step, run)


def _close(d: Decision, track: Track, pathway: Pathway, standing: Marks) -> None:
    """The track ends when its procedure says so: not while consent is missing, and not while a default waits for a person's word."""
    withdrawn = is_withdrawn(pathway, standing)
    if not pathway.is_settled(standing, withdrawn) or not is_over(track) or not (withdrawn or agrees(pathway, standing)):
        return
    if not any(task.about == CONFIRM and task.track_id == track.track_id for task in d.case.tasks):
        end_track(d, track, "done", "close-when")


def _concerned(pathway: Pathway, track: Track, before: Track | None) -> Collection[str]:
    """Ids of the steps that may have something new to do since the track stood as before."""
    if before is None or before.paused_by != track.paused_by:
        return pathway.by_id
    found: set[str] = set()
    for old, run in zip(before.runs, track.runs, strict=False):
        if run is not old and _has_news(old, run):
            found |= pathway.readers[run.step]
        elif not run.outcome:
            for seat in run.seats:
                if seat.offer is None:  # a vacant seat looks for somebody at every input
                    found.add(run.step)
    for run in track.runs[len(before.runs) :]:
        found |= pathway.readers[run.step]
    return found


def _has_news(old: Run, run: Run) -> bool:
    """Whether a round stands otherwise for anybody who looks. Who has decided has completed, so a last decision shows in the rank."""
    if rank(old) != rank(run) or old.outcome != run.outcome or old.verdict != run.verdict:
        return True
    return any(was.missed != seat.missed or len(was.past) != len(seat.past) for was, seat in zip(old.seats, run.seats, strict=True))


def _opens(d: Decision, step: Step, track: Track, run: Run | None, standing: Marks) -> bool:
    """Whether a step that is wanted begins, or begins another round: by the calendar, or after an outcome that is newer than its last."""
    if step.repeats:
        return goes_on(step, track, run, standing, d.facts.now)
    if run is None or run.outcome == NOT_NEEDED:
        return step.is_ready(standing)
    if not step.again or not _may_repeat(step, run, standing):
        return False
    for other in reversed(track.runs):
        if not step.again.isdisjoint(run_marks(other)):
            return True
        if other is run:
            return False
    return False


def _may_repeat(step: Step, run: Run, standing: Marks) -> bool:
    """A place is asked for anew while the child has one: where another kind is called for, or where there is no table of kinds."""
    if step.placement is None:
        return bool(run.outcome)
    if step.placement.by:
        return f"{step.id}.misplaced" in standing
    return bool(run.outcome) or rank(run) >= RANK[step.there]


def _open_step(d: Decision, index: int, step: Step, round: int) -> Run | None:
    track = d.case.tracks[index]
    if sum([len(run.seats) for t in d.case.tracks for run in t.runs]) + len(step.seats) > SEATS:
        d.needs_person("too-many-seats", track, step.id)
        return None
    starts = next_start(step, track, d.facts.now) if step.repeats else None
    d.say(
        StepOpened(
            why=d.why("next-round" if round and step.repeats else "ready", track),
            track_id=track.track_id,
            step=step.id,
            round=round,
            kind=step.kind,
            seats=step.roles,
            starts=starts,
        )
    )
    return d.case.tracks[index].runs[-1]
