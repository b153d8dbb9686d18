"""A case goes on after its end: a new track under the procedure that is in force now. What was sealed stays sealed."""

from __future__ import annotations

from referral.domain.decision import Decision
from referral.domain.events import InstructionGiven
from referral.domain.referrals import TRACKS, open_track, open_tracks

ABOUT_CLOSED = ("referral-for-closed-case", "no-pathway", "consent-again")
"""What a desk has answered when it reopens."""


def reopen(d: Decision, body: InstructionGiven) -> None:
    """A new track of the procedure that the order names, or of those that apply; a track that runs is not begun a second time."""
    before = len(d.case.tracks)
    if body.target:
        pathway = next((p for p in d.policy.current if p.id == body.target), None)
        if pathway is None:
            return d.ignore("UNKNOWN_PATHWAY")
        if any(t.pathway == pathway.id and not t.outcome for t in d.case.tracks):
            return d.ignore("NOTHING_TO_REOPEN")
        if before >= TRACKS:
            return d.needs_person("too-many-tracks")
        open_track(d, pathway, "instruction")
    elif d.case.closed:
        open_tracks(d, rule="instruction")
    if len(d.case.tracks) == before:
        return d.ignore("NOTHING_TO_REOPEN") if not d.events else None
    for task in d.case.tasks:
        if task.about in ABOUT_CLOSED:
            d.settle(task, "reopened")
    return None
