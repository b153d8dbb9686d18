"""What a municipality looks like to a procedure: whom its steps may ask there, in order, with all names taken away.

Two municipalities with the same look have the same cases: `decide` compares agencies only with one another. Whoever is not for this
person is passed over everywhere, and where so many fail, nobody behind the next one is ever asked: neither is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from referral.domain.directory import Service
from referral.domain.events import Reach
from referral.domain.policy import Policy
from referral.domain.procedure import Marks, Pathway, SeatRule, Step
from referral.domain.reach_classes import Circumstance, possible
from referral.domain.standing import consent_mark, trait_marks
from referral.domain.unfit import unsuitable

Look = tuple[object, ...]
Begun = Sequence[tuple[Pathway, tuple[Step, ...]]]
MOVES = 2
"""Places that a person may hold or have left before the one that is looked for (ours): so many more are looked at."""


def look(pathways: Iterable[Pathway], policy: Policy, given: Circumstance, failing: int) -> Look:
    """Of the municipality where the person was found, for the steps that can begin at all, while so many agencies fail at most."""
    standing = {*trait_marks(given.traits), consent_mark(given.consent, 0)}
    return look_of([(pathway, tuple(possible(pathway, standing).values())) for pathway in pathways], policy, given, standing, failing)


def look_of(begun: Begun, policy: Policy, given: Circumstance, standing: Marks, failing: int) -> Look:
    """The same, where it is known which steps of each procedure can begin."""
    names: dict[str, int] = {}
    parts: list[object] = []
    for pathway, steps in begun:
        bans = {tag for tag, mark in pathway.never if tag and (not mark or mark in standing)}
        for step in steps:
            for rule in step.seats:
                parts.append(step.id)
                for roles in asked(step, rule):
                    for service, role in _first(policy, given, step, rule, roles, bans, failing):
                        parts.append((role, _service(service, rule, step, policy, names)))
                    parts.append(len(roles))
    place = policy.municipalities.get(given.traits.found_in)
    desk = place.desk if place else policy.country_desk
    return (*parts, names.get(desk, -1), bool(policy.agencies[desk].above))


def asked(step: Step, rule: SeatRule) -> list[tuple[str, ...]]:
    """The lists of roles that a seat may be put to, each in order."""
    if step.placement is None:
        return [rule.roles]
    tables = dict.fromkeys([step.placement.until_known, *step.placement.roles.values()])
    return [*tables, rule.last_resort]


def _first(
    policy: Policy, given: Circumstance, step: Step, rule: SeatRule, roles: tuple[str, ...], bans: set[str], failing: int
) -> Iterator[tuple[Service, str]]:
    """Those that may ever be asked of one list: one agency more than may fail, and for a place as many more as a person may have had."""
    left = failing + 1 + (MOVES if step.placement is not None else 0)
    seen: set[str] = set()
    for service, role in policy.order(roles, rule.areas, given.traits.found_in):
        if unsuitable(given.traits, rule, service) or not bans.isdisjoint(service.tags) or service.places == 0:
            continue
        yield service, role
        seen.add(service.agency)
        if not (step.is_urgent and policy.agencies[service.agency].hours):
            left -= 1
            if len(seen) > failing and left <= 0:
                return


def _service(service: Service, rule: SeatRule, step: Step, policy: Policy, names: dict[str, int]) -> object:
    """All that decides how it is asked. names: a number for every agency and service, in order of appearance."""
    agency = policy.agencies[service.agency]
    rungs = sum(1 for rung in rule.ladder if rung in agency.ladder) or len(agency.ladder)
    locks = step.placement is not None and bool(service.roles & step.placement.secure)
    places = service.places if service.places is None else min(service.places, 2)
    hours = agency.hours if step.is_urgent else None
    by_phone = agency.reach is Reach.PHONE
    return names.setdefault(service.id, len(names)), names.setdefault(agency.id, len(names)), locks, places, rungs, hours, by_phone
