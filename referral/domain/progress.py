"""What follows from how a case stands: steps open, vacant seats are offered, steps are done, tracks end, nothing is ever parked."""

from __future__ import annotations

from referral.domain.advancing import advance
from referral.domain.case import Seat, Task, Track, awaits, comes_due
from referral.domain.consent import MISSING
from referral.domain.decision import Decision
from referral.domain.events import CaseClosed, ResponseSubmitted
from referral.domain.finishing import seals
from referral.domain.marks import marks
from referral.domain.pausing import stop_waiting
from referral.domain.record import Due
from referral.domain.standing import RANK, latest
from referral.domain.withdrawing import honour, settle_missing

PASSES = 32
"""Rounds of looking at one case in one decision; a procedure of 32 steps in a row would need as many."""
BOUND = "too-many-events"
VACANT = ("no-candidate", "person-declined")


def progress(d: Decision) -> None:
    """Say everything that follows, until nothing more does.

    An alarm always looks, because a place may have become free. After an answer or an alarm only the steps that it concerns are looked
    at; any other input (and what a look has changed by itself) may concern every one.
    """
    looks, before = _looks_at(d)
    for _ in range(PASSES):
        if not looks and not d.moved:
            break
        seen, looks, d.moved, tracks = len(d.events), False, False, d.case.tracks
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
            continue  # the answer settles it, whenever it comes
        if task.seat >= 0 and _is_settled(d, task):
            d.settle(task, "done")
        elif task.about == MISSING:
            settle_missing(d, task)
    case = d.case
    if case.closed or case.tasks or (case.opened and awaits(case)):
        return
    if not case.opened:
        d.needs_person("record-lost")
    elif case.tracks and all(track.outcome for track in case.tracks):
        d.say(CaseClosed(why=d.why("all-tracks-ended"), outcome="done", sealed=seals(d)))
    else:
        d.needs_person("standing-still")


def _looks_at(d: Decision) -> tuple[bool, tuple[Track, ...]]:
    """Whether there is anything to look at, and the tracks as they stood when everything was looked at; none: nobody knows."""
    case, body = d.before, d.cause.body
    looks = not d.events or isinstance(body, Due)
    if case is None:
        return looks, ()
    if comes_due(case, case.at, d.facts.now):
        return True, ()
    if isinstance(body, ResponseSubmitted):
        return looks, case.tracks
    known = isinstance(body, Due) and case.bundle == d.facts.bundle and not any(task.about == BOUND for task in case.tasks)
    return looks, case.tracks if known else ()


def _ends_paused(d: Decision, track: Track) -> bool:
    """Consent is honoured in a track that stands still too; nothing else happens there."""
    pathway = d.policy.pinned.get(track.digest)
    if pathway is not None and pathway.consent.needed:
        honour(d, track, pathway, marks(d.case, track, pathway, d.policy, d.facts.now))
    return False


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
