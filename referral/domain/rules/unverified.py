"""Hold a referral that nobody vouches for until a desk has confirmed it: no procedure begins while the task `confirm-referral` is open.

The open task is the whole state: while it stands, the case waits; once it is settled, the case is as any other
(docs/decisions/0033-the-public-door.md).
"""

from __future__ import annotations

from referral.domain.case import Case, Task
from referral.domain.rules.context import TOP, UNCONFIRMED, DecisionContext

NOT_CONFIRMED = "not-confirmed"
"""Outcome of a case that a desk refused to confirm, and the rule that ends it."""
COMPLAINTS = ("rights-violation",)
"""Concerns that go to oversight at once: the desk below may be what they are about."""


def unconfirmed(case: Case) -> Task | None:
    """Return the open task of a case that waits to be confirmed; None for any other case."""
    return next((task for task in case.tasks if task.about == UNCONFIRMED), None)


def is_unverified(d: DecisionContext, agency: str) -> bool:
    """Return True when the policy does not vouch for what this agency refers."""
    known = d.policy.agencies.get(agency)
    return known is not None and known.unverified


def ask(d: DecisionContext) -> None:
    """Open the task that asks a desk to call back and confirm."""
    rung = TOP if d.case.traits.concern in COMPLAINTS else 0
    d.needs_person(UNCONFIRMED, rung=rung, repeat=d.patience(UNCONFIRMED))
