"""Load the policy bundle in force: the newest whose publication is confirmed.

Every instance reads the same row in its own transaction.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.policy import Policy, policy
from referral.errors import Unavailable
from referral.runtime import garbage

IN_FORCE = text("SELECT max(number) FROM routing.policy WHERE confirmed IS NOT NULL")
NEWER = text("SELECT number, files FROM routing.policy WHERE number > :known AND number <= :number ORDER BY number")


class Bundle(Struct, frozen=True, kw_only=True):
    """A compiled policy bundle. number: of its activation. policy: includes the procedures of all bundles before it."""

    number: int
    policy: Policy


class CurrentPolicy(Struct, kw_only=True):
    """The policy in force, compiled once per bundle. latest: the newest compiled bundle."""

    latest: Bundle | None = None

    async def in_force(self, tx: AsyncConnection) -> Bundle:
        """Return the bundle for this batch. Unavailable: no bundle was ever activated; the inputs wait."""
        number = (await tx.execute(IN_FORCE)).scalar()
        if number is None:
            raise Unavailable("a policy in force (run `referral policy activate`)")
        known = self.latest.number if self.latest else 0
        for row in await tx.execute(NEWER, {"known": known, "number": number}) if known < number else ():
            files = msgspec.msgpack.decode(row.files, type=dict[str, bytes])
            before = self.latest.policy if self.latest else None
            self.latest = Bundle(number=row.number, policy=policy.compile(files, before))
        if known < number:
            garbage.settle()
        assert self.latest is not None
        return self.latest
