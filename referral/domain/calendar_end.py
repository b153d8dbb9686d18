"""Whether the calendar reaches far enough from today: what working days mean after its last year nobody has written down."""

from __future__ import annotations

from datetime import date

from referral.domain.deadline import Limit, countable
from referral.domain.policy import Policy

EPOCH = date(1970, 1, 1).toordinal()


def run_out(policy: Policy, now: int) -> tuple[str, ...]:
    """One line for each procedure with a limit that, begun now (µs UTC), the calendar could not count to its end."""
    last = date.fromordinal(EPOCH + min(policy.calendar.ends, 3_000_000) - 1).year
    return tuple(
        f"calendars/{policy.calendar.id}.yaml:1:1: ends with {last}, and {amount} {unit} of step {step} of {pathway} would run past it; "
        f"`referral policy calendar refresh --years …` writes further years"
        for pathway, step, amount, unit in _beyond(policy, now)
    )


def _beyond(policy: Policy, now: int) -> list[tuple[str, str, int, str]]:
    found = []
    for pathway in policy.current:
        for step in pathway.steps:
            worst: Limit | None = max(
                (limit for limit in step.limits.values() if not countable(limit, now, policy.calendar)),
                key=lambda x: x.amount,
                default=None,
            )
            if worst is not None:
                found.append((pathway.id, step.id, worst.amount, worst.unit))
                break
    return found
