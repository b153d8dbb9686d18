"""What there is to look at: for every procedure the classes of circumstances and municipalities that it cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, structs

from referral.domain.events import Consent, Traits
from referral.domain.policy import Policy
from referral.domain.procedure import Pathway
from referral.domain.reach_classes import Circumstance, circumstances, opened, residue, said
from referral.domain.reach_directory import look
from referral.domain.standing import trait_marks


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
"""Whose procedures are looked at with two failures when it shall be deep."""


def tasks(
    policy: Policy, failing: int, *, deep: bool = False, pathways: tuple[str, ...] = (), places: tuple[str, ...] = ()
) -> tuple[Task, ...]:
    """All of them, for so many agencies that fail, and where it shall be deep for two in trafficking.

    Only for these pathways and municipalities, where any are named.
    """
    where = [id for id in policy.municipalities if not places or id in places]
    found: list[Task] = []
    for pathway in policy.current:
        if not pathways or pathway.id in pathways:
            pairs = deep and any(PAIRS in group for group in pathway.applies)
            found += _of(pathway, policy, where, 2 if pairs else failing)
    return tuple(found)


def every(pathway: Pathway, policy: Policy, places: tuple[str, ...]) -> Iterator[Task]:
    """The same without merging: every circumstance in every municipality, each by itself. For tests of the merging."""
    for given in circumstances(pathway, policy):
        for place in places:
            yield Task(pathway.id, structs.replace(given.traits, found_in=place), given.consent, (place,))


def alike(pathway: Pathway, policy: Policy, given: Circumstance, place: str, failing: int) -> object:
    """What a procedure can tell of a circumstance in a municipality: where this is the same, so are the ways."""
    here = given._replace(traits=structs.replace(given.traits, found_in=place))
    begun = opened(policy, here.traits)
    return residue(begun, here), look(begun, policy, here, failing)


def _of(pathway: Pathway, policy: Policy, places: list[str], failing: int) -> Iterator[Task]:
    """Circumstances with the same residue, age and sex have the same look everywhere, so they are looked at once."""
    seen: set[object] = set()
    members: dict[object, dict[str, Circumstance]] = {}
    by_place = any(mark.startswith("found_in=") for mark in said(pathway))
    for given in circumstances(pathway, policy):
        begun = opened(policy, given.traits)
        standing = trait_marks(given.traits)
        bans = tuple(mark in standing for one in begun for _, mark in one.never if mark)
        key = (residue(begun, given), bans, given.traits.age, given.traits.age_band, given.traits.sex)
        if key in seen and not by_place:
            continue
        seen.add(key)
        for place in places:
            here = given._replace(traits=structs.replace(given.traits, found_in=place))
            members.setdefault(alike(pathway, policy, here, place, max(failing, 1)), {}).setdefault(place, here)
    for found in members.values():
        example = next(iter(found.values()))
        yield Task(pathway.id, example.traits, example.consent, tuple(found), failing)
