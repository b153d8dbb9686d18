"""What becomes known later: other circumstances, consent, somebody who must be kept away."""

from __future__ import annotations

from referral.domain.consent import GIVEN
from referral.domain.decision import Decision
from referral.domain.eligible import fitting
from referral.domain.events import ActorExcluded, CaseChanged, ConsentChanged, ConsentState, How, StepKind, TraitsChanged
from referral.domain.excluding import exclude
from referral.domain.marks import marks
from referral.domain.referrals import change_case, open_tracks, unknown_traits
from referral.domain.standing import RANK, case_marks, latest
from referral.domain.switching import follow_changes
from referral.domain.unfit import banned
from referral.domain.withdrawing import narrowed


def traits_changed(d: Decision, body: TraitsChanged) -> None:
    """What is taken stays taken. What is only asked is asked anew where the place or age calls for other people."""
    before = case_marks(d.case, d.facts.now)
    change_case(d, "recorded", traits=body.traits)
    if not d.case.opened or d.case.closed:
        return
    unknown_traits(d)
    for index, track in enumerate(d.case.tracks):
        pathway = d.policy.pinned.get(track.digest)
        if pathway is not None and not track.outcome and not track.paused_by:
            follow_changes(d, index, pathway, marks(d.case, track, pathway, d.policy, d.facts.now))
    _look_again(d)
    open_tracks(d, before)


def _look_again(d: Decision) -> None:
    """Take back what is asked of a service that was right before the change and is not now (a desk's own choice only where it is
    banned). What a service has taken stays taken; where it may never have it, a person looks."""
    was = d.before or d.case
    old = {track.track_id for track in was.tracks}
    for track in d.case.tracks:
        pathway = d.policy.pinned.get(track.digest)
        if pathway is None or track.outcome or track.track_id not in old:
            continue
        before, now = marks(was, track, pathway, d.policy), marks(d.case, track, pathway, d.policy)
        for run in track.runs:
            step = pathway.step(run.step)
            if step is None or step.kind is StepKind.DECIDE or run is not latest(track, run.step):
                continue
            for seat, rule in zip(run.seats, step.seats, strict=True):
                for offer in (seat.offer, seat.next):
                    if offer is None or offer.how:
                        continue
                    service = d.policy.services.get(offer.service)
                    forbidden = service is None or banned(d, pathway, step, service, now)
                    if RANK[offer.state] >= RANK["ACCEPTED"]:
                        if forbidden == "NEVER":
                            d.needs_person("place-forbidden", track, run.step)
                    elif forbidden or (
                        fitting(d.policy, was, track, step, run, rule, before, offer.service)
                        and not fitting(d.policy, d.case, track, step, run, rule, now, offer.service)
                    ):
                        d.close(offer, How.CANCELLED, "TRAITS_CHANGED", "other-place", track)
                        if offer is seat.next:
                            d.needs_person("transfer-failed", track, run.step)


def consent_changed(d: Decision, body: ConsentChanged) -> None:
    """What holds from now on. Whom the person agrees to no longer is asked nothing more; what else ends is for each procedure."""
    case, before = d.case, case_marks(d.case, d.facts.now)
    d.say(CaseChanged(why=d.why("recorded"), traits=case.traits, consent=body.consent, excluded=case.excluded))
    if not case.opened:
        return
    if case.closed:
        ended = any(track.outcome == "consent-withdrawn" for track in case.tracks)
        if ended and body.consent.state is ConsentState.GIVEN and GIVEN not in before:
            d.needs_person("consent-again")
        return
    narrowed(d)
    open_tracks(d, before)


def actor_excluded(d: Decision, body: ActorExcluded) -> None:
    """The actor is asked nothing and sees nothing from now on, whatever it has accepted."""
    actor = f"{body.kind.value.lower()}:{body.actor}"
    if actor in d.case.excluded:
        return d.ignore("REPEATED")
    return exclude(d, (actor,))
