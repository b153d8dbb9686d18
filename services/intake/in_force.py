"""The policy in force as this process sees it: followed on its topic, compiled once for each bundle, off the event loop."""

from __future__ import annotations

import asyncio

from referral.domain import policy
from referral.domain.policy import Policy, PolicyErrors
from referral.errors import Unavailable
from referral.runtime import garbage, observe
from referral.runtime.bundles import Bundles
from services.intake import lists
from services.intake.lists import Lists


class InForce:
    """Give `follow` to the service's background work."""

    def __init__(self, bundles: Bundles) -> None:
        self._bundles = bundles
        self._now: tuple[Policy, Lists] | None = None

    @property
    def policy(self) -> Policy:
        """Unavailable: none was ever activated, or the broker has not told us yet."""
        return self._both()[0]

    @property
    def lists(self) -> Lists:
        """Its words, for the door. Unavailable as above."""
        return self._both()[1]

    async def follow(self) -> None:
        """Until cancelled. A bundle that this program cannot compile is passed over aloud: the policy before it stays in force."""
        number, before = 0, None
        while True:
            await self._bundles.wait(number + 1)
            for bundle in self._bundles.all[number:]:
                number = bundle.number
                try:
                    before = await asyncio.to_thread(policy.compile, bundle.files, before)
                except PolicyErrors:
                    observe.POLICY_PASSED_OVER.labels("policy-errors").inc()
                    observe.log().error("policy passed over", number=number, reason="policy-errors")
                else:
                    self._now = before, lists.of(before, number)
            garbage.settle()

    def _both(self) -> tuple[Policy, Lists]:
        if self._now is None:
            raise Unavailable("the policy")
        return self._now
