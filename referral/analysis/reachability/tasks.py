"""List the tasks of the model check: for every procedure, the classes of circumstances and municipalities that it cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, structs

from referral.analysis.reachability.classes import (
    Circumstance,
    Look,
    applies,
    circumstances,
    look,
    look_of,
    opened,
    possible,
    residue,
    tested_marks,
)
from referral.domain.events import Consent, Traits
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from referral.domain.rules.conditions import consent_mark, trait_marks


class Task(Struct, frozen=True):
    """One class of one pathway. traits and consent: of its example. places: municipalities that have children of this class.

    depth: how many agencies fail at most.
    """

    pathway: str
    traits: Traits
    consent: Consent | None
    places: tuple[str, ...]
    depth: int = 1


PAIRS = "concern=trafficking"
"""Procedures of this concern are checked with two failures when the check is deep."""


def tasks(
    policy: Policy, failing: int, *, deep: bool = False, pathways: tuple[str, ...] = (), places: tuple[str, ...] = ()
) -> tuple[Task, ...]:
    """Return all tasks. failing: how many agencies fail; deep: two in trafficking.

    pathways, places: only these, where any are named.
    """
    where = [id for id in policy.municipalities if not places or id in places]
    found: list[Task] = []
    for pathway in policy.current:
        if not pathways or pathway.id in pathways:
            pairs = deep and any(PAIRS in group for group in pathway.applies)
            found += _of(pathway, policy, where, 2 if pairs else failing)
    return tuple(found)


def every(pathway: Pathway, policy: Policy, places: tuple[str, ...]) -> Iterator[Task]:
    """Yield every circumstance in every municipality as a task, without merging them into classes. For tests of the merging."""
    for given in circumstances(pathway, policy):
        for place in places:
            traits = structs.replace(given.traits, found_in=place)
            if applies(pathway, traits):
                yield Task(pathway.id, traits, given.consent, (place,))


def alike(pathway: Pathway, policy: Policy, given: Circumstance, place: str, failing: int) -> object:
    """Return everything that a procedure can tell of a circumstance in a municipality: equal values lead to equal ways."""
    here = given._replace(traits=structs.replace(given.traits, found_in=place))
    begun = opened(policy, here.traits)
    return residue(begun, here), look(begun, policy, here, failing)


def _of(pathway: Pathway, policy: Policy, places: list[str], failing: int) -> Iterator[Task]:
    """Yield the tasks of one pathway. Circumstances with the same possible steps, age, sex and bans have the same look everywhere."""
    members: dict[object, dict[str, Circumstance]] = {}
    looks: dict[object, Look] = {}
    seen: set[object] = set()
    named = {*tested_marks(pathway), *(mark for group in pathway.applies for mark in group)}
    by_place = any(mark.startswith("found_in=") for mark in named)
    for given in circumstances(pathway, policy):
        begun = opened(policy, given.traits) or (pathway,)
        marks = trait_marks(given.traits) | {consent_mark(given.consent, 0)}
        bans = tuple(mark in marks for one in begun for _, mark in one.never if mark)
        left = residue(begun, given)
        person = (given.traits.age, given.traits.age_band, given.traits.sex, bans)
        if (left, person) in seen and not by_place:
            continue
        seen.add((left, person))
        opening = [(one, tuple(possible(one, marks).values())) for one in begun]
        steps = tuple(step.id for _, some in opening for step in some)
        for place in places:
            here = given._replace(traits=structs.replace(given.traits, found_in=place))
            if by_place and not applies(pathway, here.traits):
                continue
            if by_place:
                key = alike(pathway, policy, here, place, max(failing, 1))
            else:
                if (steps, person, place) not in looks:
                    looks[steps, person, place] = look_of(opening, policy, here, marks, max(failing, 1))
                key = (left, looks[steps, person, place])
            members.setdefault(key, {}).setdefault(place, here)
    for found in members.values():
        example = next(iter(found.values()))
        yield Task(pathway.id, example.traits, example.consent, tuple(found), failing)
