"""What is asked while the person's agreement is missing, and what ends when it is refused, taken back or has run out."""

from __future__ import annotations

from referral.domain.case import Task, Track, offers_of
from referral.domain.consent import MISSING, NOT_YET, agrees, is_barred, is_withdrawn
from referral.domain.decision import Decision
from referral.domain.events import How
from referral.domain.finishing import drop, end_track
from referral.domain.procedure import Marks, Pathway
from referral.domain.standing import consent_mark
from referral.domain.taking import recall_decisions


def honour(d: Decision, track: Track, pathway: Pathway, standing: Marks) -> bool:
    """Ask a desk for what is missing, end what may not go on. Whether the track has ended. A track that is paused is heard too."""
    if agrees(pathway, standing):
        return False
    if not is_withdrawn(pathway, standing):
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


def settle_missing(d: Decision, task: Task) -> None:
    """A task that asks for consent is settled by the answer, whatever it is."""
    if consent_mark(d.case.consent, d.facts.now) not in NOT_YET:
        d.settle(task, "done")


def narrowed(d: Decision) -> None:
    """Agencies to which the person no longer agrees are asked nothing more, whatever they have accepted."""
    for track in d.case.tracks:
        pathway = d.policy.pinned.get(track.digest)
        if pathway is None or track.outcome or not pathway.consent.needed:
            continue
        for run in track.runs:
            step = pathway.step(run.step)
            for number, seat in enumerate(run.seats):
                for offer in offers_of(seat):
                    service = d.policy.services.get(offer.service)
                    if step is not None and service is not None and is_barred(pathway, step, d.case.consent, service):
                        d.close(offer, How.CANCELLED, "CONSENT_WITHDRAWN", "consent-withdrawn", track)
                        recall_decisions(d, track.track_id, run.step, number, offer.service)
