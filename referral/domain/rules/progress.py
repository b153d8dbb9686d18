"""Emit everything that follows from the state of a case: open steps, offer vacant seats, finish steps, end tracks, so that no case is ever
parked.

Three parts: `progress` repeats passes over the tracks until nothing changes; `advance` is one pass over one track; the last part computes
the rounds of steps that repeat by the calendar (reviews, monitoring visits).
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from referral.domain.case import RANK, Run, Seat, Task, Track, awaits, comes_due, offers_of, unbegun
from referral.domain.entered_times import times_of
from referral.domain.events import CaseClosed, How, ResponseSubmitted, StepOpened
from referral.domain.inputs import Due
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.rules.conditions import NOT_NEEDED, is_vacant, latest, newest, rank, run_marks, secure_allowed, track_marks
from referral.domain.rules.consent import MISSING, agrees, is_withdrawn
from referral.domain.rules.consent_withdrawal import honour, settle_missing
from referral.domain.rules.context import COMPLAINTS, DecisionContext
from referral.domain.rules.offers import TIME_MISSING, fill
from referral.domain.rules.persons import DIFFER
from referral.domain.rules.switching import follow_changes
from referral.domain.rules.tracks import drop, end_track, finish, is_over, seals, stop_waiting

PASSES = 32
"""Passes over one case in one decision; only a procedure of 32 steps in a row would need as many."""
BOUND = "too-many-events"
VACANT = ("no-candidate", "person-declined")


def progress(d: DecisionContext) -> None:
    """Emit everything that follows, until a pass emits nothing more.

    An alarm always makes a pass, because a place may have become free. After an answer or an alarm a pass evaluates only the steps that it
    concerns; any other input, and the changes of a pass itself, may concern every step.
    """
    pass_needed, before = _needs_pass(d)
    for _ in range(PASSES):
        if not pass_needed and not d.moved:
            break
        seen, pass_needed, d.moved, tracks = len(d.events), False, False, d.case.tracks
        for index in range(len(tracks)):
            track = d.case.tracks[index]
            if not track.outcome and (not track.paused_by or stop_waiting(d, track) or _ends_paused(d, track)):
                advance(d, index, before[index] if index < len(before) else None)
        if len(d.events) == seen:
            break
        before = tracks
    else:
        d.needs_person(BOUND)
    for task in d.case.tasks:
        if task.offer_id:
            continue  # the answer to the offer settles it, whenever it comes
        if task.seat >= 0 and _is_settled(d, task):
            d.settle(task, "done")
        elif task.about == MISSING:
            settle_missing(d, task)
        elif task.about == DIFFER and not _differ_still(d, task):
            d.settle(task, "done")
    case = d.case
    if case.closed or any(task.about not in COMPLAINTS for task in case.tasks):
        return
    if case.opened and awaits(replace(case, tasks=()) if case.tasks else case):
        return
    if not case.opened:
        d.needs_person("record-lost")
    elif case.tracks and all(track.outcome for track in case.tracks):
        d.emit(CaseClosed(why=d.why("all-tracks-ended"), outcome="done", sealed=seals(d)))
    else:
        d.needs_person("standing-still")


def _needs_pass(d: DecisionContext) -> tuple[bool, tuple[Track, ...]]:
    """Return whether a pass is needed, and the tracks at the last full pass; empty when unknown, so that every step is evaluated."""
    case, body = d.before, d.cause.body
    pass_needed = not d.events or isinstance(body, Due)
    if case is None:
        return pass_needed, ()
    if comes_due(case, case.at, d.facts.now):
        return True, ()
    if isinstance(body, ResponseSubmitted):
        return pass_needed, case.tracks
    known = isinstance(body, Due) and case.bundle == d.facts.bundle and not any(task.about == BOUND for task in case.tasks)
    return pass_needed, case.tracks if known else ()


def _ends_paused(d: DecisionContext, track: Track) -> bool:
    """Apply a withdrawal of consent in a paused track too; nothing else happens there. Returns False: the track stays paused."""
    pathway = d.policy.pinned.get(track.digest)
    if pathway is not None and pathway.consent.needed:
        honour(d, track, pathway, track_marks(d.case, track, pathway, d.policy, d.facts.now))
    return False


def _is_settled(d: DecisionContext, task: Task) -> bool:
    """Return True when the reason of a seat's task no longer exists."""
    track = next((t for t in d.case.tracks if t.track_id == task.track_id), None)
    run = latest(track, task.step) if track else None
    if track is not None and task.about == "complete-missed" and _holds(track, task):
        return False
    if run is None or run.outcome or task.seat >= len(run.seats):
        return True
    seat: Seat = run.seats[task.seat]
    if task.about == TIME_MISSING:
        return _times_known(d, track, task.step)
    if task.about in VACANT:
        return seat.offer is not None
    if seat.offer is None or seat.code:
        return True
    return task.about in ("arrive-missed", "present-missed") and RANK[seat.offer.state] >= RANK["ARRIVED"]


def _differ_still(d: DecisionContext, task: Task) -> bool:
    """Return True while a step waits for the desk's word, because the persons who decide it have said different things."""
    track = next((t for t in d.case.tracks if t.track_id == task.track_id), None)
    run = latest(track, task.step) if track else None
    return run is not None and not run.outcome and all(seat.code for seat in run.seats)


def _times_known(d: DecisionContext, track: Track | None, id: str) -> bool:
    """Return True when every time from which a limit of the step counts is known."""
    pathway = d.policy.pinned.get(track.digest) if track else None
    step = pathway.step(id) if pathway else None
    return step is None or all(limit.since in ("", *times_of(d.case.traits)) for limit in step.limits.values())


def _holds(track: Track, task: Task) -> bool:
    """Return True while an offer of an earlier round of the seat is open: a child lives on in a place where no other is needed."""
    earlier = [run for run in track.runs if run.step == task.step and task.seat < len(run.seats)][:-1]
    return any(True for run in earlier for _ in offers_of(run.seats[task.seat]))


SEATS = 200
"""Seats of one case, over all rounds (DESIGN 11)."""
CONFIRM = "confirm-default"


def advance(d: DecisionContext, index: int, before: Track | None) -> None:
    """Make one pass over one track: evaluate every step that it may concern, in the order of the procedure, on the marks
    set at the start."""
    track = d.case.tracks[index]
    pathway = d.policy.pinned.get(track.digest)
    if pathway is None:
        d.needs_person("procedure-unknown", track)
        return
    concerned = _concerned(pathway, track, before)
    if not concerned:
        return
    marks = track_marks(d.case, track, pathway, d.policy, d.facts.now)
    if honour(d, track, pathway, marks) or (pathway.changes and follow_changes(d, index, pathway, marks)):
        return
    emitted = len(d.events)
    _steps(d, index, pathway, concerned, marks)
    if emitted == len(d.events) or not pathway.has_rounds:  # a step that has just been done may open a further round
        _close(d, d.case.tracks[index], pathway, marks)


def _steps(d: DecisionContext, index: int, pathway: Pathway, concerned: Collection[str], marks: set[str]) -> None:
    """Evaluate the concerned steps in order: open, drop, fill or finish each."""
    track = d.case.tracks[index]
    runs, agreed = newest(track), agrees(pathway, marks)
    keeps = agreed or (is_withdrawn(pathway, marks) and pathway.consent.on_withdrawal == "continue")
    for step in pathway.asking:
        if step.id not in concerned:
            continue
        run = runs.get(step.id)
        if run is None:
            if not step.is_ready(marks):
                continue
        elif run.outcome and step.is_plain and run.outcome != NOT_NEEDED and run.verdict in ("", run.outcome):
            continue
        wanted = step.is_wanted(marks)
        if wanted and (agreed or step.without_consent) and _opens(d, step, track, run, marks):
            run = _open_step(d, index, step, 0 if run is None else run.round + 1)
            marks.discard(f"{step.id}.misplaced")
        if run is None or (run.outcome and step.is_plain and run.verdict in ("", run.outcome)):
            continue
        if not wanted:
            drop(d, track.track_id, step.id, "NOT_NEEDED", "when-no-longer")
        elif run.starts is not None and is_early(run, d.facts.now):
            if not step.until.isdisjoint(marks):
                drop(d, track.track_id, step.id, "NOT_NEEDED", "repetition-ended")
        elif not run.outcome or run.verdict:
            if step.placement is not None:
                run = _unlock(d, index, step, run, marks)
            if not run.verdict and (keeps or step.without_consent) and is_vacant(run):
                run = fill(d, index, pathway, step, marks)
            finish(d, index, step, run)


def _unlock(d: DecisionContext, index: int, step: Step, run: Run, marks: Marks) -> Run:
    """Cancel what was asked of a facility that locks a child up, where the decisions that allow it no longer stand and the child is not
    there yet. Return the round as it is then."""
    placement = step.placement
    if placement is None or not placement.secure or secure_allowed(placement, marks):
        return run
    track = d.case.tracks[index]
    for seat in run.seats:
        for asked in offers_of(seat):
            service = d.policy.services.get(asked.service)
            if service is not None and service.roles & placement.secure and RANK[asked.state] < RANK[step.there]:
                d.close(asked, How.CANCELLED, "TRAITS_CHANGED", "other-place", track)
                if asked is seat.next:
                    d.needs_person("transfer-failed", track, step.id)
    return latest(d.case.tracks[index], step.id) or run


def _close(d: DecisionContext, track: Track, pathway: Pathway, marks: Marks) -> None:
    """End the track when its procedure says so: not while consent is missing, and not while a desk has a default by silence to confirm."""
    withdrawn = is_withdrawn(pathway, marks)
    if not pathway.is_settled(marks, withdrawn) or not is_over(d, track, pathway) or not (withdrawn or agrees(pathway, marks)):
        return
    if not any(task.about == CONFIRM and task.track_id == track.track_id for task in d.case.tasks):
        end_track(d, track, "done", "close-when")


def _concerned(pathway: Pathway, track: Track, before: Track | None) -> Collection[str]:
    """Return the ids of the steps that may have something new to do since the track was in state `before`."""
    if before is None or before.paused_by != track.paused_by:
        return pathway.by_id
    found: set[str] = set()
    for old, run in zip(before.runs, track.runs, strict=False):
        if run is not old and _has_news(old, run):
            found |= pathway.readers[run.step]
        elif not run.outcome:
            for seat in run.seats:
                if seat.offer is None:  # a vacant seat is offered again at every input
                    found.add(run.step)
    for run in track.runs[len(before.runs) :]:
        found |= pathway.readers[run.step]
    return found


def _has_news(old: Run, run: Run) -> bool:
    """Return True when a round changed in a way that another step may test. A seat that has decided is COMPLETED, so the last decision
    changes the rank."""
    if rank(old) != rank(run) or old.outcome != run.outcome or old.verdict != run.verdict:
        return True
    return any(was.missed != seat.missed or len(was.past) != len(seat.past) for was, seat in zip(old.seats, run.seats, strict=True))


def _opens(d: DecisionContext, step: Step, track: Track, run: Run | None, marks: Marks) -> bool:
    """Return True when a wanted step begins, or begins another round: by the calendar, or after an outcome that is newer than its last
    round."""
    if step.at_most and run is not None and _is_spent(step, track):
        return False
    if step.repeats:
        return goes_on(step, track, run, marks, d.facts.now)
    if run is None or run.outcome == NOT_NEEDED:
        return step.is_ready(marks)
    if not step.again or not _may_repeat(step, run, marks):
        return False
    for other in reversed(track.runs):
        if not step.again.isdisjoint(run_marks(other)):
            return True
        if other is run:
            return False
    return False


def _is_spent(step: Step, track: Track) -> bool:
    """Return True when the step has had as many rounds as it may have. A round that nobody came to does not count."""
    rounds = [run for run in track.runs if run.step == step.id]
    return sum([run.outcome not in ("", NOT_NEEDED) or rank(run) >= RANK["ARRIVED"] for run in rounds]) >= step.at_most


def _may_repeat(step: Step, run: Run, marks: Marks) -> bool:
    """Return True when a further round may open. A child that has a place gets another only where the marks ask for another kind of place,
    or where the step has no table of kinds."""
    if step.placement is None:
        return bool(run.outcome)
    if step.placement.by:
        return f"{step.id}.misplaced" in marks
    return bool(run.outcome) or rank(run) >= RANK[step.there]


def _open_step(d: DecisionContext, index: int, step: Step, round: int) -> Run | None:
    """Open a round of a step; None, with a desk task, when the case has too many seats."""
    track = d.case.tracks[index]
    if sum([len(run.seats) for t in d.case.tracks for run in t.runs]) + len(step.seats) > SEATS:
        d.needs_person("too-many-seats", track, step.id)
        return None
    starts = next_start(step, track, d.facts.now) if step.repeats else None
    d.emit(
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


def next_start(step: Step, track: Track, now: int) -> int | None:
    """Return the start of the next round of a repeated step; None when the last round has been.

    The times of `at` count from the moment at which the first round was opened, `then_every` from now.
    """
    done = sum([run.step == step.id and run.outcome != NOT_NEEDED for run in track.runs])
    if done < len(step.at):
        first = next((run.starts for run in track.runs if run.step == step.id and run.starts is not None), None)
        return (now if first is None else first - step.at[0].micros) + step.at[done].micros
    if step.then_every is None:
        return None
    return now + step.then_every.micros if done else now


def goes_on(step: Step, track: Track, run: Run | None, marks: Marks, now: int) -> bool:
    """Return True when another round opens: the first when the step is ready, a further one when the last is done, none after `until`."""
    if not step.until.isdisjoint(marks):
        return False
    ready = step.is_ready(marks) if run is None or run.outcome == NOT_NEEDED else bool(run.outcome)
    return ready and next_start(step, track, now) is not None


def is_early(run: Run, now: int) -> bool:
    """Return True when this round has not begun yet."""
    starts = unbegun(run)
    return starts is not None and starts > now
