"""The policy of this checkout, compiled."""

from __future__ import annotations

from functools import cache

from referral.domain.policy import Policy, policy
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest


@cache
def compiled() -> Policy:
    """Return it; it is compiled once for a process."""
    return policy.compile(policy_digest.read(CHECKOUT / "policy"))
