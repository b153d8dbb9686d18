"""How a case stood, as text: its procedures, their steps, who was asked, and what stood at a desk."""

from __future__ import annotations

from collections.abc import Iterator

from referral.cli import show
from referral.domain.case import Case, Offer, Seat


def lines(case: Case | None, idx: int, at: int, mark: str) -> Iterator[str]:
    """at: µs UTC. mark: of all entries that it was folded from."""
    yield f"after entry {idx} ({show.moment(at)}), {mark}"
    if case is None:
        yield "nothing was decided yet"
        return
    yield f"case {case.case_id}: {'closed, ' + case.closed if case.closed else 'open'}, {case.seq} decisions' events"
    for track in case.tracks:
        yield f"  procedure {track.pathway}: {track.outcome or track.paused_by or 'under way'}"
        for run in track.runs:
            yield f"    step {run.step}: {run.outcome or 'under way'}"
            for seat in run.seats:
                yield f"      {seat.role}: {_seat(seat)}"
    for task in case.tasks:
        yield f"  at {task.desk}: {task.about}"


def _seat(seat: Seat) -> str:
    asked = [offer for offer in (seat.offer, *seat.kept) if offer is not None]
    return "; ".join(map(_offer, asked)) or "nobody is asked"


def _offer(offer: Offer) -> str:
    until = f", until {show.moment(offer.due)}" if offer.due else ""
    return f"{offer.agency} {(offer.how or offer.state).lower()}{until}"
