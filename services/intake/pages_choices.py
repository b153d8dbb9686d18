"""What the procedures in force leave to a desk at one step: whom it may ask, and what it may settle. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from referral.domain.policy import Policy
from referral.domain.procedure import Step
from services.intake.pages_task import Choices


def choices(policy: Policy, step: str, seat: int, reasons: tuple[str, ...]) -> Choices:
    """Services whose role the step's seat names (any seat where seat is -1), and the step's codes; nothing for an unknown step."""
    steps = [found for pathway in policy.current if (found := pathway.step(step))]
    roles = {role for one in steps for role in _roles(one, seat)}
    services = tuple((service.id, service.agency) for service in policy.services.values() if roles & service.roles)
    return Choices(services=services, codes=tuple(dict.fromkeys(code for one in steps for code in one.codes)), reasons=reasons)


def _roles(step: Step, seat: int) -> Iterable[str]:
    for rule in step.seats[seat : seat + 1] if seat >= 0 else step.seats:
        yield from rule.roles
        yield from rule.last_resort
    if step.placement is not None:
        yield from step.placement.until_known
        for roles in step.placement.roles.values():
            yield from roles
