"""Compare an exercise with the directory: which agencies of a municipality it should reach, and which of them it has not asked. Pure."""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.policy import Policy
from referral.domain.policy.procedure import Step


def expected(policy: Policy, municipality: str) -> tuple[str, ...]:
    """Return the agencies that sit in a municipality and that some procedure in force may ask there, with its desk; by id.

    An agency that only passes referrals on, and one whose services no step names, is not among them.
    """
    place = policy.municipalities[municipality]
    areas = {municipality, *place.covers, "country"}
    roles = {role for pathway in policy.every for step in pathway.steps for role in _roles(step)}
    asked = {service.agency for service in policy.services.values() if service.roles & roles and service.covers & areas}
    return tuple(sorted(id for id, agency in policy.agencies.items() if agency.municipality == municipality and id in {*asked, place.desk}))


def _roles(step: Step) -> frozenset[str]:
    return step.places_asked | {role for seat in step.seats for role in (*seat.roles, *seat.last_resort)}


def missed(policy: Policy, municipality: str, asked: Collection[str]) -> tuple[str, ...]:
    """Return the expected agencies that an exercise has not asked. asked: agencies and desks of its report."""
    return tuple(agency for agency in expected(policy, municipality) if agency not in asked)
