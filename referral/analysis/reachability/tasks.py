"""List the tasks of the model check: for every procedure, the kinds of cases that it can tell apart.

Tasks with the same residue are a *family*: they differ only in whom the person finds in the municipality (`look`), and most ways read so
little of that that the whole family shares them (`explore`).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, structs

from referral.analysis.reachability.classes import Circumstance, Residue, applies, circumstances, opened, residue, tested_marks
from referral.analysis.reachability.look import Look, People, Person
from referral.domain.events import Consent, Traits
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway


class Task(Struct, frozen=True):
    """One kind of case of one pathway. traits and consent: of its example. places: municipalities that have children of this kind.

    depth: how many agencies fail at most.
    """

    pathway: str
    traits: Traits
    consent: Consent | None
    places: tuple[str, ...]
    depth: int = 1


Family = tuple[Task, ...]

PAIRS = "concern=trafficking"
"""Procedures of this concern are checked with two failures when the check is deep."""


def families(
    policy: Policy, failing: int, *, deep: bool = False, pathways: tuple[str, ...] = (), places: tuple[str, ...] = ()
) -> tuple[Family, ...]:
    """Return all families. failing: how many agencies fail; deep: two in trafficking.

    pathways, places: only these, where any are named.
    """
    where = [id for id in policy.municipalities if not places or id in places]
    if not where:
        return ()
    found: list[Family] = []
    people = People(policy)
    for pathway in policy.current:
        if not pathways or pathway.id in pathways:
            pairs = deep and any(PAIRS in group for group in pathway.applies)
            found += _of(pathway, policy, where, 2 if pairs else failing, people)
    return tuple(found)


def every(pathway: Pathway, policy: Policy, places: tuple[str, ...]) -> Iterator[Task]:
    """Yield every circumstance in every municipality as a task, without merging them into kinds. For tests of the merging."""
    for given in circumstances(pathway, policy):
        for place in places:
            traits = structs.replace(given.traits, found_in=place)
            if applies(pathway, traits):
                yield Task(pathway.id, traits, given.consent, (place,))


def look_of(task: Task, policy: Policy, people: People) -> Look:
    """Return what the person of a task finds."""
    _, person = alike(policy, people, task.pathway, Circumstance(task.traits, task.consent))
    return person.look(task.traits.found_in)


def alike(policy: Policy, people: People, pathway: str, given: Circumstance) -> tuple[Residue, Person]:
    """Return everything that a procedure can tell of a circumstance: with equal values, cases in one municipality go alike."""
    begun = opened(policy, given.traits) or tuple(one for one in policy.current if one.id == pathway)
    return residue(begun, given), people.person(begun, given)


def _of(pathway: Pathway, policy: Policy, places: list[str], failing: int, people: People) -> Iterator[Family]:
    """Yield the families of one pathway."""
    named = {*tested_marks(pathway), *(mark for group in pathway.applies for mark in group)}
    by_place = any(mark.startswith("found_in=") for mark in named)
    members: dict[Residue, dict[tuple[Person, str], Task]] = {}
    for given in circumstances(pathway, policy):
        for some in [[place] for place in places] if by_place else [places]:
            traits = structs.replace(given.traits, found_in=some[0])
            if by_place and not applies(pathway, traits):
                continue
            left, person = alike(policy, people, pathway.id, given._replace(traits=traits))
            family = members.setdefault(left, {})
            for place in some if (person, some[0]) not in family else ():
                family[person, place] = Task(pathway.id, structs.replace(traits, found_in=place), given.consent, (place,), failing)
    for family in members.values():
        yield tuple(family.values())
