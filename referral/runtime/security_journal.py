"""Collect the security events that strangers cause, so that a flood of them fills no disk and holds no connection.

The first of its kind is in the table within a second. The rest of WINDOW_S is one row with the count. What somebody whom we know has done
(a sign-in, a reading) does not come here: it is written in its own transaction (`security_events.put`).
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime import observe
from referral.runtime.postgres import security_events
from referral.wire import security_event
from referral.wire.security_event import OTHERS, Event, Kind

WINDOW_S = 600.0
"""Seconds in which equal events make two rows at most (ours)."""
MOST = 20
"""Different events of one kind that have rows of their own in a window (ours); the others are counted together. With WINDOW_S: an attack
that never ends adds a gigabyte a year for each service."""
FLUSH_S = 1.0
"""Seconds until an event is in the table (ours): that much is lost if the process is killed."""
LAST_S = 2.0
"""Seconds that the end of a process waits for its last events (ours): nobody waits longer for a restart."""


@dataclass(slots=True)
class Journal:
    """The journal of one process. service: its name."""

    service: str
    _written: set[Event] = field(default_factory=set)
    _waiting: Counter[Event] = field(default_factory=Counter)
    _begun: float = 0.0

    def note(self, kind: Kind, who: str, detail: str = "", place: str = "") -> None:
        """Count an event."""
        event = Event(kind=kind, who=who, detail=security_event.word(detail), place=place)
        if event not in self._written and event not in self._waiting:
            several = sum(one.kind == kind for one in self._written | self._waiting.keys())
            event = event if several < MOST else Event(kind=kind, who=OTHERS)
        self._waiting[event] += 1

    def refused(self, account: str, detail: str, place: str, *, throttled: bool = False) -> None:
        """Log and count a sign-in that was refused. account: its id; empty: nobody has this login. place: a digest of the address."""
        observe.signed(self.service, "throttled" if throttled else "refused", account, place)
        self.note(Kind.THROTTLED if throttled else Kind.REFUSED, security_event.account(account), detail, place)

    def due(self, now: float) -> list[Event]:
        """Return the rows to write now, and begin a new window when this one is over. now: seconds of a monotonic clock."""
        over = now - self._begun >= WINDOW_S
        rows = [event for event in self._waiting if over or event not in self._written]
        found = [structs.replace(event, times=self._waiting.pop(event)) for event in rows]
        if over:
            self._written, self._begun = set(), now
        self._written |= set(rows)
        return found

    async def flush(self, engine: AsyncEngine, now: float) -> None:
        """Write what is due. What the database does not take waits for the next time: no service stops for its journal."""
        rows = self.due(now)
        try:
            if rows:
                async with engine.begin() as tx:
                    await security_events.put(tx, *rows)
        except Exception as error:
            for row in rows:
                once = structs.replace(row, times=1)
                self._waiting[once] += row.times
                self._written.discard(once)
            observe.log().error("security events wait", service=self.service, count=len(rows), kind=type(error).__name__)

    async def run(self, engine: AsyncEngine) -> None:
        """Write until cancelled, and then what still waits."""
        try:
            while True:
                await self.flush(engine, asyncio.get_running_loop().time())
                await asyncio.sleep(FLUSH_S)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_S):
                    await self.flush(engine, math.inf)
