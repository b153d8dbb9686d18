"""Who must be kept away is asked nothing and sees nothing from now on. A duty that it has taken stands until a second party has spoken."""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.case import Proposal, find, open_offers, seats
from referral.domain.climbing import knock_anew
from referral.domain.decision import TOP, Decision
from referral.domain.duties import TAKEN, duties
from referral.domain.eligible import choose
from referral.domain.events import ChangeKind, How
from referral.domain.located import locate
from referral.domain.marks import marks
from referral.domain.proposing import is_desk, settle, wait
from referral.domain.standing import RANK
from referral.domain.taking import recall_decisions


def allowed(d: Decision, actors: Collection[str], found_in: str) -> tuple[str, ...]:
    """Those of these that may be kept away: of the desk, the supervising body and oversight one is left, so that somebody looks."""
    found: list[str] = []
    for actor in dict.fromkeys(actors):
        away = {*d.case.excluded, *found, actor}
        if not {f"agency:{desk}" for desk in d.chain_at(found_in)} <= away:
            found.append(actor)
    return tuple(found)


def exclude(d: Decision, actors: Collection[str], agency: str, by: str | None) -> None:
    """Keep these away, as kind:id; none of them was before. agency, by: who says so.

    A desk that is among them loses its tasks to the one above.
    """
    alone = not is_desk(d, agency)
    d.change("recorded", excluded=(*d.case.excluded, *actors))
    for actor in sorted(actors):
        by_duty = any(f"agency:{offer.agency}" == actor for _, _, _, _, offer in duties(d.case, d.policy))
        _end(d, actor, spare=alone)
        if alone and by_duty and not d.case.closed:
            wait(d, ChangeKind.EXCLUSION, agency, by, actor=actor)
    knock_anew(d)
    if alone:
        confirm_desks(d, actors, agency, by)
    for task in d.case.tasks:
        if f"agency:{task.desk}" in actors:
            d.tell_again(task)
    for _, track, run, _ in tuple(seats(d.case)):
        pathway = d.policy.pinned.get(track.digest)
        step = pathway.step(run.step) if pathway else None
        if step is not None and run.outcome and step.forbid.get(run.outcome) in actors:
            d.needs_person("decision-forbidden", track, run.step)


def confirm_desks(d: Decision, actors: Collection[str], agency: str, by: str | None) -> None:
    """That a desk of the case is kept away must be confirmed by the one above it, which has its tasks now."""
    for rung, desk in enumerate(dict.fromkeys(d.chain)):
        actor = f"agency:{desk}"
        if actor in actors and not d.case.closed and not any(p.actor == actor for p in d.case.proposals):
            wait(d, ChangeKind.EXCLUSION, agency, by, actor=actor, rung=min(rung + 1, TOP))


def confirm_exclusion(d: Decision, proposal: Proposal) -> None:
    """A second party says so too: what the actor has taken ends, and others are asked."""
    settle(d, proposal, "confirmed")
    _end(d, proposal.actor, spare=False)


def lift(d: Decision, actor: str, rule: str) -> None:
    """Keep an actor away no longer."""
    d.change(rule, excluded=tuple(one for one in d.case.excluded if one != actor), lifted=(actor,))


def _end(d: Decision, actor: str, *, spare: bool) -> None:
    """End what is open with an agency that is kept away. spare: all but duties that it has taken, or that nobody else can be asked for."""
    kept = _spared(d, actor) if spare else frozenset()
    for offer in open_offers(d.case):
        found = find(d.case, offer.offer_id)
        if f"agency:{offer.agency}" == actor and offer.offer_id not in kept and found is not None and not found[4].how:
            place, track, run, seat, _ = found
            d.close(offer, How.CANCELLED, "EXCLUDED", "actor-excluded", track)
            if offer is seat.next:
                d.needs_person("transfer-failed", track, run.step)
            recall_decisions(d, track.track_id, run.step, place[2], offer.service)


def _spared(d: Decision, actor: str) -> frozenset[str]:
    found = set()
    for _, _, _, _, offer in duties(d.case, d.policy):
        if f"agency:{offer.agency}" == actor and (RANK[offer.state] >= TAKEN or not _another(d, offer.offer_id)):
            found.add(offer.offer_id)
    return frozenset(found)


def _another(d: Decision, offer_id: str) -> bool:
    """Whether somebody else can be asked for the seat of this offer."""
    at = locate(d, offer_id)
    if at is None or at.track.paused_by:
        return False
    standing = marks(d.case, at.track, at.pathway, d.policy, d.facts.now)
    choice = choose(d, at.track, at.pathway, at.step, at.run, at.place[2], standing)
    return choice is not None and choice[0] is not None
