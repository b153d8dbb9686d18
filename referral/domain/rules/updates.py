"""Handle later changes of a case: new traits, changed consent, an actor to exclude."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from referral.domain.case import RANK, Proposal, open_offers
from referral.domain.entered_times import prolongs, times_of
from referral.domain.events import (
    ActorExcluded,
    ChangeKind,
    Consent,
    ConsentChanged,
    ConsentState,
    How,
    OfferEscalated,
    ReferralSubmitted,
    StepKind,
    Traits,
    TraitsChanged,
)
from referral.domain.rules.candidates import banned, fitting
from referral.domain.rules.conditions import case_marks, latest, track_marks
from referral.domain.rules.consent import GIVEN
from referral.domain.rules.consent_withdrawal import narrowed
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.duties import ends_duty, given, narrows, widens
from referral.domain.rules.progress import progress
from referral.domain.rules.proposals import is_desk, is_kept_away, is_live, merged, overtake, recorded, said_at_rest, seconded, settle, wait
from referral.domain.rules.referrals import allowed, confirm_exclusion, exclude, imply, open_tracks, submitted, unknown_traits
from referral.domain.rules.seats import locate
from referral.domain.rules.switching import follow_changes


def traits_changed(d: DecisionContext, body: TraitsChanged) -> None:
    """Handle changed traits. Those that would end a duty, or let a clock run longer, wait for a second party; an emergency takes effect at
    once."""
    traits = recorded(d.case, body)
    if is_kept_away(d, body.agency):
        if is_live(d) and traits.urgency == "emergency" != d.case.traits.urgency:
            _traits(d, replace(d.case.traits, urgency="emergency"), "more-urgent")
        return said_at_rest(d)
    proposal = seconded(d, ChangeKind.TRAITS, body.agency, lambda known: traits in (known.traits, merged(d.case, known)))
    if proposal is not None:
        return confirm_traits(d, proposal)
    held_back = is_live(d) and not is_desk(d, body.agency)
    if held_back and (prolongs(traits, d.case.traits) or _would_end(d, lambda trial: _traits(trial, traits, "recorded"))):
        if traits.urgency == "emergency" != d.case.traits.urgency:
            _traits(d, replace(d.case.traits, urgency="emergency"), "more-urgent")
        return wait(d, ChangeKind.TRAITS, body.agency, body.by, traits=traits)
    overtake(d, traits)
    return _traits(d, traits, "recorded")


def confirm_traits(d: DecisionContext, proposal: Proposal) -> None:
    """Apply a proposal confirmed by a second party: the proposed traits, beside those that changed meanwhile."""
    traits = merged(d.case, proposal)
    settle(d, proposal, "confirmed")
    _traits(d, traits, "confirmed")


def _traits(d: DecisionContext, traits: Traits, rule: str) -> None:
    """Apply new traits. A seat that is taken stays taken; an offer that is only open is made anew where place or age calls for other
    services."""
    before, known = case_marks(d.case, d.facts.now), times_of(d.case.traits)
    d.change(rule, traits=traits)
    imply(d)
    if not d.case.opened or d.case.closed:
        return
    unknown_traits(d)
    for index, track in enumerate(d.case.tracks):
        pathway = d.policy.pinned.get(track.digest)
        if pathway is not None and not track.outcome and not track.paused_by:
            follow_changes(d, index, pathway, track_marks(d.case, track, pathway, d.policy, d.facts.now))
    _look_again(d)
    _count_again(d, known)
    open_tracks(d, before)


def _look_again(d: DecisionContext) -> None:
    """Cancel open offers to services that were right before the change and are not now (a desk's own choice only where it is banned). A
    seat that is taken stays taken; where the procedure bans its service, a desk gets a task."""
    was = d.before or d.case
    old = {track.track_id for track in was.tracks}
    for track in d.case.tracks:
        pathway = d.policy.pinned.get(track.digest)
        if pathway is None or track.outcome or track.track_id not in old:
            continue
        before, now = track_marks(was, track, pathway, d.policy), track_marks(d.case, track, pathway, d.policy)
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


def _count_again(d: DecisionContext, known: Mapping[str, int]) -> None:
    """Shorten the limits that count from a time which has just become known, or known better, and knock once more for them. A limit that
    has passed, or would become longer, stays. known: the times before."""
    times = times_of(d.case.traits)
    for offer in open_offers(d.case):
        at = locate(d, offer.offer_id) if offer.due is not None else None
        limit = at.step.limits.get(offer.due_what) if at else None
        if at is None or limit is None or times.get(limit.since) == known.get(limit.since) or at.track.outcome:
            continue
        due = d.due_since(limit, at.track)
        if due < (offer.due or 0):
            why = d.why("time-known", at.track)
            d.emit(OfferEscalated(why=why, offer_id=offer.offer_id, rung=offer.rung, reason=None, due=due, due_what=offer.due_what))


def _would_end(d: DecisionContext, change: Callable[[DecisionContext], None]) -> bool:
    """Return True when a duty would end by this change and everything that follows from it: decided as a trial whose
    events are discarded."""
    trial = DecisionContext(d.case, d.cause, d.facts, d.policy)
    change(trial)
    progress(trial)
    return ends_duty(d.case, trial.case, d.policy)


def referred(d: DecisionContext, body: ReferralSubmitted) -> None:
    """Handle a referral. The consent in a further referral counts like one that its sender records by itself."""
    further = d.case.opened and body.referral_id not in d.case.referrals
    submitted(d, body)
    if further and body.consent is not None and not is_kept_away(d, body.agency):
        agreed(d, body.agency, body.consent)


def consent_changed(d: DecisionContext, body: ConsentChanged) -> None:
    """Handle the consent that an agency records."""
    if is_kept_away(d, body.agency):
        return said_at_rest(d)
    return agreed(d, body.agency, body.consent)


def agreed(d: DecisionContext, agency: str, consent: Consent) -> None:
    """Apply a recorded consent, or hold it back. The agency that recorded the consent may record its withdrawal, which counts at once. A
    change by another agency that ends a duty or a limit, or by an agency that would gain access, waits for a second party."""
    if (proposal := seconded(d, ChangeKind.CONSENT, agency, lambda known: known.consent == consent)) is not None:
        return confirm_consent(d, proposal)
    if is_live(d) and _needs_second(d, agency, consent):
        return wait(d, ChangeKind.CONSENT, agency, None, consent=consent)
    answers = agency == d.case.consent_by or is_desk(d, agency)
    for known in d.case.proposals:  # the new consent answers earlier proposals
        if known.kind == ChangeKind.CONSENT.value and (answers or known.agency == agency):
            settle(d, known, "overtaken")
    return _consent(d, consent, agency, "recorded")


def confirm_consent(d: DecisionContext, proposal: Proposal) -> None:
    """Apply a consent confirmed by a second party."""
    assert proposal.consent is not None
    settle(d, proposal, "confirmed")
    _consent(d, proposal.consent, proposal.agency, "confirmed")


def _needs_second(d: DecisionContext, agency: str, consent: Consent) -> bool:
    """Return True when this consent needs a second party."""
    if widens(d.case, agency, consent, d.policy, d.facts.now):
        return True
    if agency == d.case.consent_by or is_desk(d, agency):
        return False
    if narrows(d.case, consent, d.policy, d.facts.now):
        return True
    return _would_end(d, lambda trial: _consent(trial, consent, agency, "recorded"))


def _consent(d: DecisionContext, consent: Consent, agency: str, rule: str) -> None:
    """Apply a consent. Agencies that it no longer covers are asked nothing more; each procedure decides about the rest.

    An agency that repeats a consent in force does not become its recorder.
    """
    case, before = d.case, case_marks(d.case, d.facts.now)
    repeats = given(case.consent, d.facts.now) is not None and consent.state is ConsentState.GIVEN
    d.change(rule, consent=consent, consent_by=case.consent_by if repeats else agency)
    if not case.opened:
        return
    if case.closed:
        ended = any(track.outcome == "consent-withdrawn" for track in case.tracks)
        if ended and consent.state is ConsentState.GIVEN and GIVEN not in before:
            d.needs_person("consent-again")
        return
    narrowed(d)
    open_tracks(d, before)


def actor_excluded(d: DecisionContext, body: ActorExcluded) -> None:
    """Exclude an actor: it is asked nothing more and sees nothing from now on. A duty that it has taken ends when a second
    party confirms."""
    if is_kept_away(d, body.agency):
        return said_at_rest(d)
    actor = f"{body.kind.value.lower()}:{body.actor}"
    if (proposal := seconded(d, ChangeKind.EXCLUSION, body.agency, lambda known: known.actor == actor)) is not None:
        return confirm_exclusion(d, proposal)
    if actor in d.case.excluded:
        return d.ignore("REPEATED")
    if not allowed(d, (actor,), d.case.traits.found_in):
        return d.ignore("LAST_DESK")
    return exclude(d, (actor,), body.agency, body.by)
