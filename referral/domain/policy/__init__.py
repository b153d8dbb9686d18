"""The written policy: procedures, directory, calendars and limits, as values that decisions read."""

from referral.domain.policy.policy import ENGINE, Order, Policy, PolicyErrors, compile

__all__ = ["ENGINE", "Order", "Policy", "PolicyErrors", "compile"]
