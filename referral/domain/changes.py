"""What becomes known later: other circumstances, consent, somebody who must be kept away."""

from __future__ import annotations

from referral.domain.case import find, open_offers, seats
from referral.domain.decision import Decision
from referral.domain.eligible import fitting
from referral.domain.events import ActorExcluded, CaseChanged, ConsentChanged, How, StepKind, TraitsChanged
from referral.domain.marks import marks
from referral.domain.referrals import change_case, open_tracks, unknown_traits
from referral.domain.standing import RANK, latest, trait_marks
from referral.domain.taking import recall_decisions
from referral.domain.unfit import banned


def traits_changed(d: Decision, body: TraitsChanged) -> None:
    """What is taken stays taken. What is only asked is asked anew where the place or age calls for other people."""
    before = trait_marks(d.case.traits)
    change_case(d, "recorded", traits=body.traits)
    if not d.case.opened or d.case.closed:
        return
    unknown_traits(d)
    after = trait_marks(body.traits)
    for track in d.case.tracks:
        pathway = d.policy.pinned.get(track.digest)
        for change in pathway.changes if pathway and not track.outcome else ():
            if all(group & after for group in change.when) and not all(group & before for group in change.when):
                d.needs_person("other-pathway", track)
    _look_again(d)
    open_tracks(d, before)


def _look_again(d: Decision) -> None:
    """Take back what is asked of a service that was right before the change and is not now (a desk's own choice only where it is
    banned). What a service has taken stays taken; where it may never have it, a person looks."""
    was = d.before or d.case
    for track in d.case.tracks:
        pathway = d.policy.pinned.get(track.digest)
        if pathway is None:
            continue
        before, now = marks(was, track, pathway, d.policy), marks(d.case, track, pathway, d.policy)
        for run in track.runs:
            step = pathway.step(run.step)
            if step is None or step.kind is StepKind.DECIDE or run is not latest(track, run.step):
                continue
            for seat, rule in zip(run.seats, step.seats, strict=True):
                offer = seat.offer
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


def consent_changed(d: Decision, body: ConsentChanged) -> None:
    """Help for a child rests on a duty, so a withdrawal ends no track; what a recipient may read is the door's matter."""
    case = d.case
    d.say(CaseChanged, "recorded", traits=case.traits, consent=body.consent, excluded=case.excluded)


def actor_excluded(d: Decision, body: ActorExcluded) -> None:
    """The actor is asked nothing and sees nothing from now on, whatever it has accepted."""
    actor = f"{body.kind.value.lower()}:{body.actor}"
    if actor in d.case.excluded:
        return d.ignore("REPEATED")
    change_case(d, "recorded", excluded=(*d.case.excluded, actor))
    for offer in open_offers(d.case):
        found = find(d.case, offer.offer_id)
        if actor == f"agency:{offer.agency}" and found is not None and not found[4].how:
            place, track, run, _, _ = found
            d.close(offer, How.CANCELLED, "EXCLUDED", "actor-excluded", track)
            if offer is found[3].next:
                d.needs_person("transfer-failed", track, run.step)
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
