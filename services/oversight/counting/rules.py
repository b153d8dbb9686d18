"""Define, for each event, the facts that it adds to a child on a procedure (reasons: docs/decisions/0018-measures.md).

A rule that cannot decide returns a word, which is counted; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from sys import intern
from typing import Any

from referral.domain import events as e
from referral.domain.rules.telephone import NOT_CALLED, NOT_TOLD
from services.oversight.counting.state import NEVER, Case, Offer, Run, Stay

UNKNOWN_OFFER, UNKNOWN_TRACK, UNKNOWN_VALUE = "unknown-offer", "unknown-track", "unknown-value"
DECLINED = frozenset({e.How.DECLINED_BY_AGENCY, e.How.DECLINED_BY_PERSON})
UNTOLD = frozenset({NOT_CALLED, NOT_TOLD})
PLANNED = frozenset({"interview", "plan"})
"""Ids of steps, the same in every procedure, for which the wait of a child is measured."""


def told(case: Case, body: e.CaseOpened | e.CaseChanged, at: int) -> None:
    """Store the child's municipality, sex and age band as last known."""
    traits = body.traits
    case.traits = (intern(traits.found_in), intern(traits.sex), intern(traits.age_band))


def track(case: Case, body: e.TrackChanged, at: int) -> str | None:
    """Begin a run when a procedure opens; record its stage when it ends."""
    if body.state is e.TrackState.OPENED:
        run = next((run for run in case.runs if run.pathway == body.pathway), None)
        if run is None:
            run = Run(case, body.pathway, at)
            case.runs = (*case.runs, run)
        if case.tracks is None:
            case.tracks = {}
        case.tracks[body.track_id] = run
    elif body.state in (e.TrackState.ENDED, e.TrackState.SWITCHED):
        if (run := (case.tracks or {}).get(body.track_id)) is None:
            return UNKNOWN_TRACK
        done = body.state is e.TrackState.ENDED and body.outcome == "done"
        run.so("stage:completed" if done else "stage:ended", at)
    return UNKNOWN_VALUE if body.state is e.TrackState.UNKNOWN else None


def step_done(case: Case, body: e.StepDone, at: int) -> str | None:
    """Record the end of the wait for a planned step."""
    if body.step in PLANNED and body.outcome == "done":
        if (run := (case.tracks or {}).get(body.track_id)) is None:
            return UNKNOWN_TRACK
        run.waited(body.step, at)
    return None


def reopened(case: Case, offer: Offer, body: e.OfferReopened, at: int) -> None:
    """Forget the end of the wait for a planned step, where it is the answer that was taken back."""
    if body.step in PLANNED and body.done_at is not None:
        offer.run.forget(f"wait:{body.step}", body.done_at)


def opened(case: Case, body: e.OfferOpened, at: int) -> str | None:
    """Store a new offer, take its place, and record its rung."""
    if (run := (case.tracks or {}).get(body.track_id)) is None:
        return UNKNOWN_TRACK
    if case.offers is None:
        case.offers = {}
    offer = case.offers[body.offer_id] = Offer(run, body)
    if offer.beds:
        _takes(case, offer, body.service, at)
    _on_rung(run, body.rung, at)
    return UNKNOWN_VALUE if body.kind is e.OfferKind.UNKNOWN else None


def escalated(case: Case, offer: Offer, body: e.OfferEscalated, at: int) -> None:
    """Record the rung of an offer."""
    _on_rung(offer.run, body.rung, at)


def acknowledged(case: Case, offer: Offer, body: e.OfferAcknowledged | e.OfferAccepted, at: int) -> None:
    """Record an acknowledgement; an acceptance is one too. A notice asks for no answer."""
    offer.answered = True
    if not offer.notice:
        offer.run.so("stage:acknowledged", at)
        offer.run.waited("acknowledged", at)


def accepted(case: Case, offer: Offer, body: e.OfferAccepted, at: int) -> None:
    """Record an acceptance. If the procedure asks for no arrival, the place is taken now."""
    acknowledged(case, offer, body, at)
    offer.run.so("stage:accepted", at)
    offer.run.waited("accepted", at)
    if offer.beds:
        if not offer.arrives:
            offer.run.waited("bed", at)
        if (last := case.stays[offer.stay]).until != NEVER:  # a late acceptance: the place is held again
            _takes(case, offer, last.service, at)


def arrived(case: Case, offer: Offer, body: e.OfferArrived, at: int) -> None:
    """Record an arrival."""
    offer.answered = True
    offer.run.so("stage:arrived", at)
    if offer.beds:
        offer.run.waited("bed", at)


def held(case: Case, offer: Offer, body: e.OfferHeld, at: int) -> None:
    """Record a hold. Without an end it counts as a decline by an agency that has a duty."""
    offer.answered = True
    if body.due is None and body.reason:
        offer.run.so(f"declined:{body.reason}", at)


def closed(case: Case, offer: Offer, body: e.OfferClosed, at: int) -> str | None:
    """Record the end of an offer. Keep an expired and a completed one: a late answer, or an answer taken back, may undo it."""
    if offer.beds:
        case.stays[offer.stay].until = at
    if body.how in DECLINED and body.reason:
        offer.run.so(f"declined:{body.reason}", at)
    if body.how not in (e.How.EXPIRED, e.How.COMPLETED) and case.offers:
        del case.offers[body.offer_id]
    return UNKNOWN_VALUE if body.how is e.How.UNKNOWN else None


def late(case: Case, offer: Offer, body: e.DeadlinePassed, at: int) -> None:
    """Record a passed deadline, unless nobody had reached the agency: the desk did not call, or our messages did not arrive."""
    if body.why.rule not in UNTOLD:
        offer.run.so(f"late:{offer.agency}", at)
    if not offer.answered:
        offer.run.so("unanswered", at)


def ended(case: Case, body: e.CaseClosed, at: int) -> None:
    """Close all tracks and offers; a reopened case begins new tracks."""
    case.tracks = case.offers = None


def linked(case: Case, body: e.CaseLinked, at: int) -> None:
    """Record that the case was joined with another case of the same person."""
    if body.how == "same-person":
        case.joined = min(case.joined or at, at)


def raised(case: Case, body: e.CaseRaised, at: int) -> None:
    """Store a case that was raised about the same child."""
    case.raised = (*case.raised, body.new_case_id)


def withdrawn(case: Case, body: e.ReferralWithdrawn, at: int) -> None:
    """Record the withdrawal of the referral."""
    case.withdrawn = min(case.withdrawn or at, at)


def agreement(case: Case, body: e.ConsentChanged, at: int) -> str | None:
    """Record the withdrawal of consent."""
    if body.consent.state is e.ConsentState.WITHDRAWN:
        case.withdrawn = min(case.withdrawn or at, at)
    return UNKNOWN_VALUE if body.consent.state is e.ConsentState.UNKNOWN else None


def _on_rung(run: Run, rung: int, at: int) -> None:
    if rung:
        run.so(f"rung:{rung}", at)


def _takes(case: Case, offer: Offer, service: str, at: int) -> None:
    offer.stay = len(case.stays)
    case.stays = (*case.stays, Stay(service, at))


@dataclass(frozen=True, slots=True)
class OfferRule:
    """The rule of an event that may name an offer. apply: gets the case, that offer, the event and its time."""

    apply: Callable[[Case, Offer, Any, int], str | None]

    def __call__(self, case: Case, body: Any, at: int) -> str | None:
        """Apply the rule to the offer that the event names. Return the reason if that is unknown."""
        if (id := body.offer_id) is None:
            return None
        offer = case.offers.get(id) if case.offers else None
        return UNKNOWN_OFFER if offer is None else self.apply(case, offer, body, at)


MEANING: dict[type, Callable[[Case, Any, int], str | None]] = {
    e.CaseOpened: told,
    e.CaseChanged: told,
    e.TrackChanged: track,
    e.StepDone: step_done,
    e.OfferOpened: opened,
    e.OfferEscalated: OfferRule(escalated),
    e.OfferAcknowledged: OfferRule(acknowledged),
    e.OfferAccepted: OfferRule(accepted),
    e.OfferArrived: OfferRule(arrived),
    e.OfferHeld: OfferRule(held),
    e.OfferClosed: OfferRule(closed),
    e.OfferReopened: OfferRule(reopened),
    e.DeadlinePassed: OfferRule(late),
    e.CaseClosed: ended,
    e.CaseLinked: linked,
    e.CaseRaised: raised,
    e.ReferralWithdrawn: withdrawn,
    e.ConsentChanged: agreement,
}
"""Rule by type of event. Events without influence on a figure have no rule."""
