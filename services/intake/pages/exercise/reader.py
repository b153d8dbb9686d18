"""Decide who may see and start exercises, and where: heads in their agency's municipality, and the people of its coordinator."""

from __future__ import annotations

from dataclasses import dataclass

from referral.domain.policy import Policy
from referral.errors import Rejected
from services.intake.accounts.store import Account


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of these pages. places: municipalities in which they may start one. desks: those whose exercises they see, too."""

    places: tuple[str, ...]
    desks: tuple[str, ...]


def reader(policy: Policy, who: Account) -> Reader:
    """Return what an account may do. Rejected 404, as for a page that does not exist: nothing."""
    coordinated = tuple(id for id, place in policy.municipalities.items() if place.coordinator == who.agency)
    agency = policy.agencies.get(who.agency)
    if agency is None or not (who.head or coordinated):
        raise Rejected("unknown-page", "path", "there is no such page", status=404)
    own = (agency.municipality,) if agency.municipality in policy.municipalities else ()
    desks = {policy.municipalities[place].desk for place in coordinated} | ({who.agency} if who.desk else set())
    return Reader(coordinated or own, tuple(sorted(desks)))
