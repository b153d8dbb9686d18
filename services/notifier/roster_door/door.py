"""Answer intake's signed requests about an agency's roster: a question, or a change."""

from __future__ import annotations

import asyncio
import hmac

from sqlalchemy.ext.asyncio import AsyncEngine

from referral.errors import Rejected
from referral.runtime.keys.case_keys import Keys
from referral.wire import roster as wire
from referral.wire.roster import Ask, Refused
from services.notifier.roster_door import changes
from services.notifier.roster_door.overview import overview

AT_ONCE = 2
"""Transactions at once (ours), of the six connections of a notifier: pages wait for one another, and the sender goes on."""


class RosterDoor:
    """The answers. channels: those by which this stack can send. drill: the database belongs to a drill."""

    def __init__(self, engine: AsyncEngine, keys: Keys, channels: frozenset[str], *, drill: bool) -> None:
        self._engine, self._keys, self._channels, self._drill = engine, keys, channels, drill
        self._turns = asyncio.Semaphore(AT_ONCE)

    def knows(self, token: str, request: bytes) -> bool:
        """Return whether a holder of the master key asks exactly this."""
        return hmac.compare_digest(token.encode(), self._keys.roster(request).encode())

    async def answer(self, request: bytes) -> bytes:
        """Return the encoded answer. Malformed: no request."""
        asked = wire.requested(request)
        if isinstance(asked, Ask):
            async with self._turns, self._engine.connect() as tx:
                return wire.answer(await overview(tx, self._keys, asked, self._channels))
        try:
            async with self._turns, self._engine.begin() as tx:
                return wire.answer(await changes.make(tx, self._keys, asked, self._channels, drill=self._drill))
        except Rejected as why:
            return wire.answer(Refused(code=why.code, where=why.where))
