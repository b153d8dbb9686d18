"""Where the things stand that events name, and a case with one of them exchanged."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec.structs import replace

from referral.domain.case import Case, Offer, Place, Run, Seat, Track, find

T = TypeVar("T")


Changes = dict[str, Any]
"""New values of fields of the case."""


def put(case: Case, place: Place, seat: Seat, outcome: str | None = None) -> Changes:
    """This seat at its place. outcome: of its round from now on, where that changes."""
    t, r, s = place
    track = case.tracks[t]
    run = track.runs[r]
    changed = replace(run, seats=replaced(run.seats, s, seat), outcome=run.outcome if outcome is None else outcome)
    return {"tracks": replaced(case.tracks, t, replace(track, runs=replaced(track.runs, r, changed)))}


def put_run(case: Case, t: int, r: int, run: Run) -> Changes:
    track = case.tracks[t]
    return {"tracks": replaced(case.tracks, t, replace(track, runs=replaced(track.runs, r, run)))}


def put_track(case: Case, t: int, track: Track) -> Changes:
    return {"tracks": replaced(case.tracks, t, track)}


def replaced(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    """The same items, and this one in its place."""
    if len(items) == 1:
        return (item,)
    listed = list(items)
    listed[index] = item
    return tuple(listed)


def without(offers: tuple[Offer, ...], left: Offer) -> tuple[Offer, ...]:
    return tuple(offer for offer in offers if offer is not left)


def track_at(case: Case, track_id: str) -> int:
    for t, track in enumerate(case.tracks):
        if track.track_id == track_id:
            return t
    raise LookupError(f"no track {track_id}")


def run_at(case: Case, event: Any) -> tuple[int, int]:
    """Where the run stands that the event names."""
    t, step, round = track_at(case, event.track_id), event.step, event.round
    runs = case.tracks[t].runs
    r = len(runs)
    for run in reversed(runs):
        r -= 1
        if run.step == step and run.round == round:
            return t, r
    raise LookupError(f"no round {round} of {step}")


def offer_at(case: Case, event: Any) -> tuple[Place, Track, Run, Seat, Offer]:
    """Where the offer stands that the event names."""
    found = find(case, event.offer_id)
    if found is None:
        raise LookupError(f"no offer {event.offer_id}")
    return found
