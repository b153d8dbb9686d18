"""Several procedures for one case: one that takes another's place, opens it beside itself, or waits for it."""

from __future__ import annotations

from referral.domain.carrying import carry_over
from referral.domain.case import Track
from referral.domain.decision import Decision
from referral.domain.events import How, TrackState
from referral.domain.finishing import end_track
from referral.domain.marks import marks
from referral.domain.pausing import pause as wait_for
from referral.domain.policy import Policy
from referral.domain.procedure import Change, Marks, Pathway, met
from referral.domain.referrals import TRACKS, open_track


def follow_changes(d: Decision, index: int, pathway: Pathway, standing: Marks) -> bool:
    """Begin what the marks of a track call for. Whether the track has ended or waits."""
    for change in pathway.changes:
        if not met(change.when, standing):
            continue
        track = d.case.tracks[index]
        other = _in_force(d.policy, change.switch_to or change.also_open)
        if other is None:
            if not _stood(d, track, pathway, change):
                d.needs_person("other-pathway", track)
        elif change.switch_to:
            if _switch(d, track, pathway, other):
                return True
        elif _open_beside(d, track, other, pause=change.pause):
            return True
    return False


def _stood(d: Decision, track: Track, pathway: Pathway, change: Change) -> bool:
    """Whether this was so before the input: a desk is told once."""
    was = next((t for t in d.before.tracks if t.track_id == track.track_id), None) if d.before is not None else None
    if was is None or d.before is None:
        return False
    return met(change.when, marks(d.before, was, pathway, d.policy))


def _switch(d: Decision, track: Track, pathway: Pathway, other: Pathway) -> bool:
    """The other begins, takes over who is there, and only then this one ends."""
    new = _running(d, other.id) or _begin(d, other, "switched", track.track_id)
    if new is None:
        return False
    carry_over(d, track, pathway, new.track_id, other)
    unsure = [t for t in d.case.tasks if t.about == "confirm-default" and t.track_id == track.track_id and other.step(t.step) is None]
    end_track(d, track, "switched", "switched", TrackState.SWITCHED, taken=How.RELEASED)
    if unsure:  # silence has decided that another procedure applies: a person must say whether that stands
        d.needs_person("other-pathway", new)
    return True


def _open_beside(d: Decision, track: Track, other: Pathway, *, pause: bool) -> bool:
    """The other begins unless it has run since this one began; with pause this one waits for it, once."""
    if pause and other.id in track.waited:
        return False
    known = any(t.pathway == other.id and (not t.outcome or t.ended > track.began) for t in d.case.tracks)
    if not known and _begin(d, other, "also-opens", track.track_id) is None:
        return False
    if pause and _running(d, other.id) is not None:
        wait_for(d, track, "waits-for", other.id)
        return True
    return False


def _in_force(policy: Policy, id: str) -> Pathway | None:
    """The procedure of this id that new tracks run under."""
    return next((pathway for pathway in policy.current if pathway.id == id), None)


def _running(d: Decision, pathway: str) -> Track | None:
    return next((track for track in d.case.tracks if track.pathway == pathway and not track.outcome), None)


def _begin(d: Decision, pathway: Pathway, rule: str, opened_by: str) -> Track | None:
    """A track of this procedure begins; None, and a desk knows, when the case has too many."""
    if len(d.case.tracks) >= TRACKS:
        d.needs_person("too-many-tracks")
        return None
    open_track(d, pathway, rule, opened_by)
    return d.case.tracks[-1]
