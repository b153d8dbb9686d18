"""What a referral, its withdrawal or a lost record does to a case, and which procedures begin."""

from __future__ import annotations

from msgspec.structs import replace

from referral.domain.consent import GIVEN
from referral.domain.decision import Decision
from referral.domain.events import (
    CaseOpened,
    CaseRaised,
    Consent,
    ReferralAttached,
    ReferralSubmitted,
    ReferralWithdrawn,
    TrackChanged,
    TrackState,
    Traits,
)
from referral.domain.excluding import allowed, confirm_desks, exclude
from referral.domain.procedure import Marks, Pathway, met
from referral.domain.record import RecordLost
from referral.domain.standing import case_marks

TRACKS = 20
"""Tracks of one case (DESIGN 11)."""
LISTS = {"found_in": "municipality", "home": "municipality", "age_band": "age-band"}


def submitted(d: Decision, body: ReferralSubmitted) -> None:
    """The first referral opens the case; a further one is attached, and can only make it more urgent by itself."""
    case = d.case
    if not case.opened:
        kept_away = allowed(d, body.excludes, body.traits.found_in)
        _open(d, body.referral_id, body.agency, body.traits, body.consent, kept_away)
        return confirm_desks(d, kept_away, body.agency, None)
    if body.referral_id in case.referrals:
        return d.ignore("REPEATED", referral_id=body.referral_id)
    d.say(ReferralAttached(why=d.why("same-case"), referral_id=body.referral_id, agency=body.agency))
    if new := allowed(d, [actor for actor in body.excludes if actor not in case.excluded], case.traits.found_in):
        exclude(d, new, body.agency, None)
    if case.closed:
        return d.needs_person("referral-for-closed-case")
    if body.traits.urgency == "emergency" != case.traits.urgency:
        d.change("more-urgent", traits=replace(case.traits, urgency="emergency"))
    if replace(body.traits, urgency="") != replace(case.traits, urgency=""):
        d.needs_person("traits-differ")
    return None


def raised(d: Decision, body: CaseRaised) -> None:
    """A case that another case has raised."""
    if d.case.opened:
        return d.ignore("REPEATED", referral_id=d.cause.id)
    return _open(d, d.cause.id, d.policy.oversight, body.traits, None, body.excluded)


def _open(d: Decision, referral_id: str, agency: str, traits: Traits, consent: Consent | None, excluded: tuple[str, ...]) -> None:
    kept_away = tuple(dict.fromkeys((*d.case.excluded, *excluded)))
    d.say(
        CaseOpened(
            why=d.why("new-case"),
            referral_id=referral_id,
            agency=agency,
            traits=traits,
            consent=consent or d.case.consent,
            excluded=kept_away,
            drill=d.cause.drill,
        )
    )
    open_tracks(d)
    unknown_traits(d)
    if not d.case.tracks:
        d.needs_person("no-pathway", rung=2 if traits.concern == "rights-violation" else 0)


def open_tracks(d: Decision, before: Marks = frozenset(), rule: str = "applies") -> None:
    """Every procedure in force that applies and does not run yet; one that has ended only if it did not apply before."""
    standing = case_marks(d.case, d.facts.now)
    for pathway in d.policy.current:
        tracks = [t for t in d.case.tracks if t.pathway == pathway.id]
        ran = bool(tracks) and met(pathway.applies, before)
        if ran and tracks[-1].outcome == "consent-withdrawn":
            ran = GIVEN not in standing or GIVEN in before
        if ran or any(not t.outcome for t in tracks) or not met(pathway.applies, standing):
            continue
        if len(d.case.tracks) >= TRACKS:
            return d.needs_person("too-many-tracks")
        open_track(d, pathway, rule)
    return None


def open_track(d: Decision, pathway: Pathway, rule: str, opened_by: str | None = None) -> None:
    """One more track, under this procedure as it is in force now."""
    d.say(
        TrackChanged(
            why=d.why(rule),
            track_id=d.new_id("track"),
            pathway=pathway.id,
            digest=pathway.digest,
            state=TrackState.OPENED,
            paused_by="",
            outcome="",
            opened_by=opened_by,
        )
    )


def unknown_traits(d: Decision) -> None:
    """Help starts with what is known; a code that this policy does not know is for a person."""
    traits = d.case.traits
    one = ("concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum")
    said = [(LISTS.get(name, name), getattr(traits, name)) for name in one]
    said += [("language", word) for word in traits.languages] + [("flag", flag) for flag in traits.flags]
    if any(code not in d.policy.codes.get(name, ()) for name, code in said):
        d.needs_person("unknown-traits")


def withdrawn(d: Decision, body: ReferralWithdrawn) -> None:
    """A sender's withdrawal ends nothing for a child; a desk decides what it means."""
    if body.referral_id not in d.case.referrals:
        return d.ignore("UNKNOWN_REFERRAL", referral_id=body.referral_id)
    return d.needs_person("referral-withdrawn")


def lost(d: Decision, body: RecordLost) -> None:
    """A record of this case will never be read: a person must find out what it said."""
    d.needs_person("record-lost")
