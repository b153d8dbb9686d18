"""Who must be kept away is asked nothing and sees nothing from now on, whatever it has taken."""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.case import find, open_offers, seats
from referral.domain.decision import Decision
from referral.domain.events import CaseChanged, How
from referral.domain.taking import recall_decisions


def exclude(d: Decision, actors: Collection[str]) -> None:
    """Keep these away, as kind:id; none of them was before. A desk that is among them loses its tasks to the one above."""
    case = d.case
    d.say(CaseChanged(why=d.why("recorded"), traits=case.traits, consent=case.consent, excluded=(*case.excluded, *actors)))
    for offer in open_offers(d.case):
        found = find(d.case, offer.offer_id)
        if f"agency:{offer.agency}" in actors and found is not None and not found[4].how:
            place, track, run, seat, _ = found
            d.close(offer, How.CANCELLED, "EXCLUDED", "actor-excluded", track)
            if offer is seat.next:
                d.needs_person("transfer-failed", track, run.step)
            recall_decisions(d, track.track_id, run.step, place[2], offer.service)
    for task in d.case.tasks:
        if f"agency:{task.desk}" in actors:
            d.tell_again(task)
    for _, track, run, _ in tuple(seats(d.case)):
        pathway = d.policy.pinned.get(track.digest)
        step = pathway.step(run.step) if pathway else None
        if step is not None and run.outcome and step.forbid.get(run.outcome) in actors:
            d.needs_person("decision-forbidden", track, run.step)
