"""Load the policy bundle in force: the newest whose publication is confirmed, if two signers signed it.

Every instance reads the same row in its own transaction, and checks the signatures again: whoever can write the table decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.policy import Policy, PolicyErrors, policy
from referral.errors import Unavailable
from referral.runtime import garbage, observe, policy_feed
from referral.runtime.policy_feed import Chain
from referral.runtime.postgres import database
from referral.wire.signed.policy_signature import Trusted

LOOK_S = 5.0
"""Seconds (ours) between two looks for a bundle that came into force: a batch that comes sooner compiles it itself."""
IN_FORCE = text("SELECT max(number) FROM routing.policy WHERE confirmed IS NOT NULL")
NEWER = text(
    "SELECT number, digest, files, activated, valid_from, before, signatures FROM routing.policy"
    " WHERE number > :known AND number <= :number ORDER BY number"
)


class Bundle(Struct, frozen=True, kw_only=True):
    """A compiled policy bundle. number: of its activation. policy: includes the procedures of all bundles before it."""

    number: int
    policy: Policy

    def free(self, held: Mapping[str, int]) -> dict[str, int]:
        """Return service id → free places, less than none where more are held than there are. held: by routing's rows.

        The capacities are those that two signers signed: those of the rows are for people who look, and whoever changes one by SQL changes
        no decision (docs/decisions/0084).
        """
        return {service: places - held[service] for service, places in self.policy.capacities().items() if service in held}


class CurrentPolicy:
    """The policy in force, compiled once per bundle: by `follow`, or by the first batch that needs it. latest: the newest compiled one."""

    def __init__(self, trusted: Trusted) -> None:
        self.latest: Bundle | None = None
        self._chain, self._refused, self._tried = Chain(trusted), (0, ""), 0
        self._taking = asyncio.Lock()

    async def follow(self, engine: AsyncEngine) -> None:
        """Compile each bundle soon after it comes into force, until cancelled. It takes a fifth of a second, for which the first records
        of a process would wait, and those behind them."""
        while True:
            try:
                async with engine.connect() as connection:
                    await self.in_force(connection)
            except Exception as error:
                if not (database.away(error) or isinstance(error, Unavailable)):
                    raise
                if database.away(error):  # without any policy /readyz says so
                    observe.log().warning("policy not looked at", service="routing", kind=type(error).__name__, where=observe.where(error))
            await asyncio.sleep(LOOK_S)

    async def in_force(self, tx: AsyncConnection) -> Bundle:
        """Return the bundle for this batch. Unavailable: no bundle was ever activated; the inputs wait."""
        return await self.compiled(tx, (await tx.execute(IN_FORCE)).scalar())

    async def compiled(self, tx: AsyncConnection, number: int | None) -> Bundle:
        """Return the bundle of `in_force` for a caller who has read the number already."""
        if number is None:
            raise Unavailable("a policy in force (run `referral policy activate`)")
        async with self._taking:
            if (known := len(self._chain.known)) < number:
                for row in await tx.execute(NEWER, {"known": known, "number": number}):
                    if not self._take(row):
                        break
            await self._compile()
        if self.latest is None:
            raise Unavailable("a policy in force that two signers signed (`referral doctor` names what is wrong)")
        return self.latest

    def _take(self, row: Row[Any]) -> bool:
        """Take the bundle of the next row. Return False if it is not believed: until the true one is there, the one before is in force."""
        body = policy_feed.stored(row)
        if reason := self._chain.add(body):
            if self._refused != (row.number, row.digest):
                observe.POLICY_PASSED_OVER.labels(reason).inc()
                observe.log().error("policy passed over", number=row.number, reason=reason)
            self._refused = row.number, row.digest
            return False
        return True

    async def _compile(self) -> None:
        """Compile what was taken, in a thread: leases are renewed meanwhile, however many bundles there are. Pass over an unfit one, as
        intake does."""
        tried, replaced = self._tried, self.latest is not None
        for number in range(tried + 1, len(self._chain.known) + 1):
            before = self.latest.policy if self.latest else None
            try:
                compiled = await asyncio.to_thread(policy.compile, self._chain.known[number].files, before)
            except PolicyErrors:
                observe.POLICY_PASSED_OVER.labels("policy-errors").inc()
                observe.log().error("policy passed over", number=number, reason="policy-errors")
            else:
                self.latest = Bundle(number=number, policy=compiled)
            self._tried = number
        if tried < self._tried:
            garbage.settle() if replaced else garbage.keep()
