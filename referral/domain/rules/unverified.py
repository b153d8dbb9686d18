"""Hold a referral that nobody vouches for until a desk has confirmed it: no procedure begins while the task `confirm-referral` is open.

The open task is the whole state: while it stands, the case waits; once it is settled, the case is as any other
(docs/decisions/0033-the-public-door.md). Meanwhile the files of policy/unverified/ may ask somebody to look after the person
(docs/decisions/0097-danger-before-confirmation.md). What they saw is told to the desk, which still confirms or refuses.
"""

from __future__ import annotations

from referral.domain.case import Case, Task, Track
from referral.domain.policy import Policy
from referral.domain.rules.context import TOP, UNCONFIRMED, DecisionContext

NOT_CONFIRMED = "not-confirmed"
"""Outcome of a case that a desk refused to confirm, and the rule that ends it."""
UNVERIFIED = "unverified"
"""Rule of an offer that the order of services makes before a desk has confirmed the referral, and of a desk's call about such an offer: the
notifier tells them so, and many as one. An offer that a desk chose keeps its rule: a person has read it."""
LOOKED = "looked"
"""Rule by which the desk's task is told again: somebody has looked after the person, and answered."""
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


def is_check(policy: Policy, track: Track) -> bool:
    """Return True when a track is none of a procedure: it asks somebody to look before the referral is confirmed."""
    pathway = policy.pinned.get(track.digest)
    return pathway is not None and pathway.unverified


def looked(d: DecisionContext, track: Track) -> None:
    """Tell the desk again, at the same rung, what it has to confirm: somebody has looked, and has answered what they saw."""
    task = unconfirmed(d.case)
    if task is not None and is_check(d.policy, track):
        d.tell_again(task, LOOKED)
