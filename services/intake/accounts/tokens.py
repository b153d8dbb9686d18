"""Authenticate agencies by bearer token: stored as SHA-256 of 256 random bits, several for each agency, each revocable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from referral.errors import Rejected
from referral.runtime.postgres import security_events, tokens
from referral.runtime.postgres.tokens import AGENCIES
from referral.wire import security_event
from referral.wire.security_event import UNKNOWN, Kind
from services.intake.context import IntakeContext

REMEMBERED_S = 1.0
"""Seconds for which a valid token is cached (ours): a revoked one is refused after a second at most."""
CROWD = 1000
"""Valid tokens cached at once (ours); there are a few hundred agencies."""


class Tokens:
    """The check of agencies' tokens, with a cache. tick: seconds of a monotonic clock."""

    def __init__(self, door: IntakeContext, tick: Callable[[], float]) -> None:
        self._door, self._tick = door, tick
        self._known: dict[bytes, tuple[str, float]] = {}
        self._asking: dict[bytes, asyncio.Task[str]] = {}

    def remembered(self, authorization: str) -> str:
        """Return the agency of a cached token; empty where the database must be asked. Rejected 401: no token at all."""
        agency, until = self._known.get(_digest(authorization), ("", 0.0))
        return agency if self._tick() < until else ""

    async def agency(self, authorization: str, who: str = UNKNOWN, place: str = "") -> str:
        """Return the agency of an Authorization header. Rejected 401: any other header.

        who: whose certificate was shown. place: a digest of the address. Both are for the security event of a token that is refused.
        """
        digest = _digest(authorization)
        asking = self._asking.get(digest)
        if asking is None:  # concurrent requests with the same token share one query
            asking = self._asking[digest] = asyncio.create_task(self._ask(digest, who, place))
            asking.add_done_callback(lambda task: self._asked(digest, task))
        return await asyncio.shield(asking)

    def _asked(self, digest: bytes, task: asyncio.Task[str]) -> None:
        self._asking.pop(digest, None)
        if not task.cancelled():
            task.exception()  # no request may be left to read it; Python would log an unread error

    async def _ask(self, digest: bytes, who: str, place: str) -> str:
        """Query the agency of a token. A token that was valid before does not wait among those of unknown callers."""
        async with (self._door.begin if digest in self._known else self._door.stranger)() as tx:
            holder = await AGENCIES.holder(tx, digest)
            former = "" if holder else await AGENCIES.former(tx, digest)
            honey = holder is None and not former and await security_events.touched(tx, digest, who, place)
        if holder is None:
            self._known.pop(digest, None)
            if former:  # of an agency's, which an operator has ended: somebody kept a copy
                self._door.journal.note(Kind.REFUSED, security_event.agency(former), "ended-token", place)
            elif not honey:
                self._door.journal.note(Kind.REFUSED, who, "token", place)
            raise Rejected("wrong-token", "Authorization", "this token is unknown or revoked; ask an operator for another", status=401)
        if len(self._known) >= CROWD:
            self._known.clear()
        self._known[digest] = holder.name, self._tick() + REMEMBERED_S
        return holder.name


def _digest(authorization: str) -> bytes:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Rejected("no-token", "Authorization", "send Authorization: Bearer and your agency's token", status=401)
    return tokens.digest(token.strip())
