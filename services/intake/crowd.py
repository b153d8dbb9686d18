"""Count the referrals of each agency: warn the operator of many, and refuse routine ones above a limit. Urgent and emergency referrals are
never refused.

The count is in the memory of one instance and begins anew after a restart. The notifier groups the knocks (decision 0023).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from prometheus_client import Counter

from referral.errors import Rejected
from referral.runtime import observe

WINDOW_S = 600.0
"""Seconds for which a referral counts (P)."""
MANY = 20
"""Referrals of one agency within WINDOW_S that are normal (P): as many as the country has in a year. At this count, and after each further
MANY, an operator is warned."""
ORDINARY = 2000
"""Referrals of one agency within WINDOW_S above which a routine one is refused for LATER_S (P): four full files, which no agency has."""
LATER_S = 60
"""Seconds after which the sender may send a refused referral again (ours)."""
HURRIED = ("urgent", "emergency")
"""Urgencies that no limit refuses."""
WARNINGS = Counter("referral_many_referrals", "Times that one agency had sent another MANY referrals within WINDOW_S.")
# Worry above 0: call the agency that the log line `many referrals` names.


class Crowd:
    """The recent referrals of each agency. tick: seconds of a monotonic clock."""

    def __init__(self, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._taken: dict[str, deque[float]] = {}

    def refuses(self, agency: str, urgency: str) -> Rejected | None:
        """Return the refusal of a new referral; None when it is accepted."""
        if urgency in HURRIED or len(self._recent(agency)) < ORDINARY:
            return None
        hint = (
            f"{ORDINARY} referrals of yours came within {WINDOW_S / 60:g} minutes: send this routine one again after {LATER_S} s, "
            "under the same key; urgent and emergency ones are always taken"
        )
        return Rejected("too-many", "$.traits.urgency", hint, status=429)

    def took(self, agency: str) -> None:
        """Count a new referral, and warn the operator at every multiple of MANY."""
        taken = self._recent(agency)
        taken.append(self._tick())
        if len(taken) % MANY == 0:
            WARNINGS.inc()
            observe.log().warning("many referrals", service="intake", agency=agency, count=len(taken), seconds=WINDOW_S)

    def _recent(self, agency: str) -> deque[float]:
        taken = self._taken.setdefault(agency, deque())
        while taken and taken[0] <= self._tick() - WINDOW_S:
            taken.popleft()
        return taken
