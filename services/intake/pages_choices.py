"""What the procedures in force leave to a desk at one step: whom it may ask, and what it may settle. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.procedure import Step
from services.intake.lists import Lists
from services.intake.pages_task import Choices

TOLD = (StepKind.NOTIFY, StepKind.FEED)


def choices(policy: Policy, lists: Lists, pathway: str, step: str, seat: int) -> Choices:
    """Services whose role the step's seat names (any seat where seat is -1), and the step's codes; nothing for an unknown step.

    pathway: of the task's track; empty: any.
    """
    every = [found for one in policy.current if pathway in ("", one.id) and (found := one.step(step))]
    roles = {role for one in every for role in _roles(one, seat)}
    return Choices(
        services=tuple((service.id, service.agency) for service in policy.services.values() if roles & service.roles),
        codes=tuple(dict.fromkeys(code for one in every for code in one.codes)),
        reasons=lists.codes.get("instruction-reason", ()),
        pathways=lists.codes.get("procedure", ()),
        links=lists.codes.get("linking", ()),
        acts=any(one.kind is not StepKind.DECIDE and one.kind not in TOLD for one in every),
    )


def _roles(step: Step, seat: int) -> Iterable[str]:
    for rule in step.seats[seat : seat + 1] if seat >= 0 else step.seats:
        yield from rule.roles
        yield from rule.last_resort
    if step.placement is not None:
        yield from step.placement.until_known
        for roles in step.placement.roles.values():
            yield from roles
