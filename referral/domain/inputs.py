"""What a referral, a change of circumstances, an exclusion or a loss does to a case."""

from __future__ import annotations

from msgspec.structs import replace

from referral.domain.answers import recall_decisions
from referral.domain.case import find, open_offers, seats
from referral.domain.decision import Decision
from referral.domain.eligible import banned, fitting
from referral.domain.events import (
    ActorExcluded,
    CaseChanged,
    CaseOpened,
    CaseRaised,
    Consent,
    ConsentChanged,
    How,
    ReferralAttached,
    ReferralSubmitted,
    ReferralWithdrawn,
    StepKind,
    TrackChanged,
    TrackState,
    Traits,
    TraitsChanged,
)
from referral.domain.procedure import Marks
from referral.domain.record import RecordLost
from referral.domain.standing import RANK, latest, marks, trait_marks

TRACKS = 20
"""Tracks of one case (DESIGN 11)."""
LISTS = {"found_in": "municipality", "home": "municipality", "age_band": "age-band"}


def submitted(d: Decision, body: ReferralSubmitted) -> None:
    """The first referral opens the case; a further one is attached, and can only make it more urgent by itself."""
    case = d.case
    if not case.opened:
        return _open(d, body.referral_id, body.agency, body.traits, body.consent)
    if body.referral_id in case.referrals:
        return d.ignore("REPEATED", referral_id=body.referral_id)
    d.say(ReferralAttached, "same-case", referral_id=body.referral_id, agency=body.agency)
    if case.closed:
        return d.needs_person("referral-for-closed-case")
    if body.traits.urgency == "emergency" != case.traits.urgency:
        _change(d, "more-urgent", traits=replace(case.traits, urgency="emergency"))
    if replace(body.traits, urgency="") != replace(case.traits, urgency=""):
        d.needs_person("traits-differ")
    return None


def raised(d: Decision, body: CaseRaised) -> None:
    """A case that another case has raised."""
    if d.case.opened:
        return d.ignore("REPEATED", referral_id=d.cause.id)
    return _open(d, d.cause.id, d.policy.oversight, body.traits, None)


def _open(d: Decision, referral_id: str, agency: str, traits: Traits, consent: Consent | None) -> None:
    d.say(CaseOpened, "new-case", referral_id=referral_id, agency=agency, traits=traits, consent=consent, drill=d.cause.drill)
    _open_tracks(d)
    _unknown_traits(d)
    if not d.case.tracks:
        d.needs_person("no-pathway", rung=2 if traits.concern == "rights-violation" else 0)


def _open_tracks(d: Decision, before: Marks = frozenset()) -> None:
    """Every procedure in force that applies and does not run yet; one that has ended only if it did not apply before."""
    standing = trait_marks(d.case.traits)
    for pathway in d.policy.current:
        tracks = [t for t in d.case.tracks if t.pathway == pathway.id]
        ran = bool(tracks) and all(group & before for group in pathway.applies)
        if ran or any(not t.outcome for t in tracks) or not all(group & standing for group in pathway.applies):
            continue
        if len(d.case.tracks) >= TRACKS:
            return d.needs_person("too-many-tracks")
        d.say(
            TrackChanged,
            "applies",
            track_id=d.new_id("track"),
            pathway=pathway.id,
            digest=pathway.digest,
            state=TrackState.OPENED,
            paused_by="",
            outcome="",
        )
    return None


def _unknown_traits(d: Decision) -> None:
    """Help starts with what is known; a code that this policy does not know is for a person."""
    traits = d.case.traits
    one = ("concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum")
    said = [(LISTS.get(name, name), getattr(traits, name)) for name in one]
    said += [("language", word) for word in traits.languages] + [("flag", flag) for flag in traits.flags]
    if any(code not in d.policy.codes.get(name, ()) for name, code in said):
        d.needs_person("unknown-traits")


def _change(d: Decision, rule: str, *, traits: Traits | None = None, excluded: tuple[str, ...] | None = None) -> None:
    case = d.case
    d.say(
        CaseChanged,
        rule,
        traits=traits or case.traits,
        consent=case.consent,
        excluded=case.excluded if excluded is None else excluded,
    )


def traits_changed(d: Decision, body: TraitsChanged) -> None:
    """What is taken stays taken. What is only asked is asked anew where the place or age calls for other people."""
    before = trait_marks(d.case.traits)
    _change(d, "recorded", traits=body.traits)
    if not d.case.opened or d.case.closed:
        return
    _unknown_traits(d)
    after = trait_marks(body.traits)
    for track in d.case.tracks:
        pathway = d.policy.pinned.get(track.digest)
        for change in pathway.changes if pathway and not track.outcome else ():
            if all(group & after for group in change.when) and not all(group & before for group in change.when):
                d.needs_person("other-pathway", track)
    _look_again(d)
    _open_tracks(d, before)


def _look_again(d: Decision) -> None:
    """Take back what is asked of a service that was right before the change and is not now (a desk's own choice only where it is
    banned). What a service has taken stays taken; where it may never have it, a person looks."""
    for _, track, run, seat in tuple(seats(d.case)):
        offer, pathway = seat.offer, d.policy.pinned.get(track.digest)
        step = pathway.step(run.step) if pathway else None
        if offer is None or offer.how or step is None or pathway is None or run is not latest(track, run.step):
            continue
        if step.kind is StepKind.DECIDE:
            continue
        service, rule = d.policy.services.get(offer.service), step.seats[run.seats.index(seat)]
        forbidden = service is None or banned(d, pathway, step, service, marks(d.case, track, pathway, d.policy))
        if RANK[offer.state] >= RANK["ACCEPTED"]:
            if forbidden == "NEVER":
                d.needs_person("place-forbidden", track, run.step)
            continue
        fitted, fits = (fitting(d.policy, case, track, pathway, step, run, rule, offer.service) for case in (d.before or d.case, d.case))
        if forbidden or (fitted and not fits):
            d.close(offer, How.CANCELLED, "TRAITS_CHANGED", "other-place", track)


def consent_changed(d: Decision, body: ConsentChanged) -> None:
    """Help for a child rests on a duty, so a withdrawal ends no track; what a recipient may read is the door's matter."""
    case = d.case
    d.say(CaseChanged, "recorded", traits=case.traits, consent=body.consent, excluded=case.excluded)


def actor_excluded(d: Decision, body: ActorExcluded) -> None:
    """The actor is asked nothing and sees nothing from now on, whatever it has accepted."""
    actor = f"{body.kind.value.lower()}:{body.actor}"
    if actor in d.case.excluded:
        return d.ignore("REPEATED")
    _change(d, "recorded", excluded=(*d.case.excluded, actor))
    for offer in open_offers(d.case):
        found = find(d.case, offer.offer_id)
        if actor == f"agency:{offer.agency}" and found is not None and not found[4].how:
            place, track, run, _, _ = found
            d.close(offer, How.CANCELLED, "EXCLUDED", "actor-excluded", track)
            recall_decisions(d, track.track_id, run.step, place[2], offer.service)
    for task in d.case.tasks:
        if actor == f"agency:{task.desk}":
            d.tell_again(task)
    for _, track, run, _ in tuple(seats(d.case)):
        pathway = d.policy.pinned.get(track.digest)
        step = pathway.step(run.step) if pathway else None
        if step is not None and run.outcome and step.forbid.get(run.outcome) == actor:
            d.needs_person("decision-forbidden", track, run.step)
    return None


def withdrawn(d: Decision, body: ReferralWithdrawn) -> None:
    """A sender's withdrawal ends nothing for a child; a desk decides what it means."""
    if body.referral_id not in d.case.referrals:
        return d.ignore("UNKNOWN_REFERRAL", referral_id=body.referral_id)
    return d.needs_person("referral-withdrawn")


def lost(d: Decision, body: RecordLost) -> None:
    """A record of this case will never be read: a person must find out what it said."""
    d.needs_person("record-lost")
