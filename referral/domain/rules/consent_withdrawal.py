"""Ask a desk for consent that is missing, and end offers and tracks when consent is refused, withdrawn or expired."""

from __future__ import annotations

from referral.domain.case import Task, Track, find, open_offers
from referral.domain.events import How
from referral.domain.policy.procedure import Marks, Pathway
from referral.domain.rules.conditions import consent_mark
from referral.domain.rules.consent import MISSING, NOT_YET, agrees, is_barred, is_withdrawn
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.seats import recall_decisions
from referral.domain.rules.tracks import drop, end_track


def honour(d: DecisionContext, track: Track, pathway: Pathway, marks: Marks) -> bool:
    """Ask a desk for missing consent, or end what may not go on without it, in paused tracks too. Return True when the track has ended."""
    if agrees(pathway, marks):
        return False
    if not is_withdrawn(pathway, marks):
        d.needs_person(MISSING, track, repeat=d.policy.stopped)
        return False
    match pathway.consent.on_withdrawal:
        case "stop":
            end_track(d, track, "consent-withdrawn", "consent-withdrawn", taken=How.CANCELLED, reason="CONSENT_WITHDRAWN")
            return True
        case "anonymous":
            for step in pathway.asking:
                if not step.without_consent:
                    drop(d, track.track_id, step.id, "CONSENT_WITHDRAWN", "consent-withdrawn")
    return False


def settle_missing(d: DecisionContext, task: Task) -> None:
    """Settle a task that asks for consent, by any answer."""
    if consent_mark(d.case.consent, d.facts.now) not in NOT_YET:
        d.settle(task, "done")


def narrowed(d: DecisionContext) -> None:
    """Cancel the offers of agencies that the person no longer consents to, whatever they have accepted."""
    for asked in open_offers(d.case):
        found = find(d.case, asked.offer_id)
        if found is None or found.offer.how:  # closed in this loop: it depended on another seat that was lost
            continue
        (_, _, number), track, run, offer = found.ref, found.track, found.run, found.offer
        pathway = d.policy.pinned.get(track.digest)
        step, service = pathway.step(run.step) if pathway else None, d.policy.services.get(offer.service)
        if pathway is None or step is None or service is None or track.outcome:
            continue
        if is_barred(pathway, step, d.case.consent, service):
            d.close(offer, How.CANCELLED, "CONSENT_WITHDRAWN", "consent-withdrawn", track)
            recall_decisions(d, track.track_id, run.step, number, offer.service)
