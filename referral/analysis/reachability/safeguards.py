"""Find what a procedure for children must never leave to one person, one agency, a night or a wrong house, from its words alone.

The numbers are those of the invariants that the project wrote for its procedures: 13 who decides does not review, 14 nobody decides
gravely alone, 18 nobody leaves because days have ended, 20 a bed is a bed, and no institution for who may be under three. They are asked
of a policy that is proposed; a bundle that was in force is read as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from referral.analysis.reachability.findings import Finding
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.policy.directory import GRAVE, HOME, JUDGES, LOCKED, SLEEPS
from referral.domain.policy.procedure import Pathway, Step

INSTITUTION = "residential-institution"
YOUNGEST = frozenset({"age_band=0-2", "age_band=unknown"})
"""Marks under which a child may be under three."""


def safeguards(policy: Policy) -> Iterator[Finding]:
    """Yield what the procedures for children leave unguarded."""
    for pathway in policy.current:
        if pathway.applies and not any(group == {"age=adult"} for group in pathway.applies):
            yield from _reviews(policy, pathway)
            yield from _alone(policy, pathway)
            yield from _leaves(policy, pathway)
            yield from _beds(policy, pathway)


def _reviews(policy: Policy, pathway: Pathway) -> Iterator[Finding]:
    """13: whoever may end that a child is locked up is another agency than those that agreed to it."""
    for place in pathway.placements:
        assert place.placement is not None
        if not place.placement.secure & policy.properties.get(LOCKED, frozenset()):
            continue
        agreed = {seat for mark in place.placement.needs for seat in _holders(pathway.by_id.get(mark.partition(".")[0]))}
        ends = {mark.partition(".")[0] for mark in place.placement.ends}
        if not ends:
            said = f"{place.id} may lock a child up, and no decision ends it"
            yield Finding("safeguard", pathway.id, place.id, "13", said, "name the decision of a review under secure_ends")
        for step in sorted(ends):
            for seat in _holders(pathway.by_id.get(step)):
                apart = set(pathway.by_id[seat[0]].seats[seat[1]].not_same_as)
                alike = {one for one in agreed if _roles(pathway, one) & _roles(pathway, seat)}
                if alike - apart:
                    said = f"{step} reviews whether a child stays locked up, and the same agency may have agreed to it"
                    names = ", ".join(sorted(one[0] for one in alike - apart))
                    do = f"let another seat decide it, with not_same_as: [{names}]"
                    yield Finding("safeguard", pathway.id, step, "13", said, do)


def _holders(step: Step | None) -> list[tuple[str, int]]:
    return [] if step is None else [rule.holder for rule in step.seats if rule.holder is not None]


def _roles(pathway: Pathway, seat: tuple[str, int]) -> frozenset[str]:
    return frozenset(pathway.by_id[seat[0]].seats[seat[1]].roles)


def _alone(policy: Policy, pathway: Pathway) -> Iterator[Finding]:
    """14: what takes a child away, locks it up or sends it back is decided by two people, by two agencies, or by a court."""
    grave, judges = policy.properties.get(GRAVE, frozenset()), policy.properties.get(JUDGES, frozenset())
    for step in pathway.steps:
        codes = [code for code in step.codes if code in grave]
        court = step.seats and all(rule.roles and judges >= set(rule.roles) for rule in step.seats)
        if codes and not step.two_persons and len(step.seats) < 2 and not court:
            said = f"{step.id} decides {', '.join(codes)}, and one person alone may decide it"
            yield Finding("safeguard", pathway.id, step.id, "14", said, "write agree: two-persons, or name two seats under who")
        for word, code in (("on_silence", step.on_silence), ("on_disagreement", step.on_disagreement)):
            if code in grave:
                yield Finding("safeguard", pathway.id, step.id, f"14 {word}", f"{word} of {step.id} decides {code}", "write keep-place")


def _leaves(policy: Policy, pathway: Pathway) -> Iterator[Finding]:
    """18: a stay that is limited in time needs a decision on where the child goes, which every child in that place comes to."""
    grave = policy.properties.get(GRAVE, frozenset())
    needed = {mark for place in pathway.placements if place.placement is not None for mark in place.placement.needs}
    decides = [
        step
        for step in pathway.steps
        if step.kind is StepKind.DECIDE
        and f"{step.id}.done" in pathway.close_when
        and any(code in grave and f"{step.id}.{code}" not in needed for code in step.codes)
    ]
    for place in pathway.placements:
        if "complete" in place.limits and not any(_follows(place, step) for step in decides):
            said = f"the stay of {place.id} ends after {place.limits['complete']}, and nobody decides where the child goes"
            yield Finding("safeguard", pathway.id, place.id, "18", said, "add a decision about it to close_when, for every child")


def _follows(place: Step, decision: Step) -> bool:
    """Return True when the decision asks for nothing that the place does not ask for: whoever may get the place comes to the decision."""
    return all(any(group <= wanted for group in place.when) for wanted in decision.when) and decision.unless <= place.unless


def _beds(policy: Policy, pathway: Pathway) -> Iterator[Finding]:
    """20: every place is one to sleep in, for children, and no institution is asked for a child who may be under three."""
    beds = policy.properties.get(HOME, frozenset()) | policy.properties.get(SLEEPS, frozenset())
    for place in pathway.placements:
        for role in sorted(place.places_asked):
            having = [service for service in policy.services.values() if role in service.roles]
            if role not in beds:
                said = f"{place.id} asks {role} for a place, where nobody sleeps"
                yield Finding(
                    "safeguard", pathway.id, place.id, f"20 {role}", said, "ask another role, or give it home: true or sleeps: true"
                )
            if having and all(service.ages[0] >= 18 for service in having):
                said = f"{place.id} asks {role}, which takes only adults"
                yield Finding("safeguard", pathway.id, place.id, f"20 {role} ages", said, "ask another role")
            if any(INSTITUTION in service.tags for service in having) and not _spared(pathway):
                said = f"{place.id} may ask an institution for a child under three"
                yield Finding("safeguard", pathway.id, place.id, "20 under three", said, "write never: [institution-under-three]")


def _spared(pathway: Pathway) -> bool:
    """Return True when a ban keeps who may be under three from institutions."""
    return any(ban.tag == INSTITUTION and all(group >= YOUNGEST for group in ban.when) for ban in pathway.never)
