"""Append an entry for each reading of the log, before it happens, and for each act of an administrator, after it was committed.

A reader asks in `audit.reading` and waits for the entry's index. A command leaves its act in `audit.act`, in the transaction of the change.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.errors import Malformed, Rejected, Unavailable
from referral.proof import act, reading
from referral.proof.entry import Kind
from referral.runtime.loop import lease
from referral.runtime.loop.units import ALL
from referral.runtime.observe import log, where
from referral.runtime.postgres import bells, clock, database, security_events
from referral.runtime.settings import Settings
from referral.wire import security_event
from referral.wire.security_event import Event
from referral.wire.security_event import Kind as EventKind
from services.audit import news
from services.audit.handle import Audit
from services.audit.ingest import Says

IDLE_S = 2.0
"""Seconds between two looks without a notification (ours): a listener may miss one, and a reader waits five."""
AGAIN_S = 1.0
"""Seconds until a lost database is tried again (ours)."""
MOST = 100
"""Readings, and acts, of one transaction (ours); a person opens one."""
WAITING = text("SELECT id, value FROM audit.reading WHERE idx IS NULL ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED")
WAITS = text("SELECT EXISTS (SELECT FROM audit.reading WHERE idx IS NULL) OR EXISTS (SELECT FROM audit.act WHERE idx IS NULL)")
DONE = text("UPDATE audit.reading SET idx = :idx WHERE id = :id")
ACTS = text("SELECT id, value FROM audit.act WHERE idx IS NULL AND NOT id = ANY(CAST(:bad AS bigint[])) ORDER BY id LIMIT :most FOR UPDATE")
KEPT = text("UPDATE audit.act SET idx = :idx WHERE id = :id")
DROP = text("DELETE FROM audit.reading WHERE id = :id")


class Readings:
    """Readings and acts of one process. Only the owner of the log appends them."""

    def __init__(self, engine: AsyncEngine, settings: Settings, audit: Audit) -> None:
        self._engine, self._settings, self._audit = engine, settings, audit
        self._looking = database.single(engine)
        self._bad: list[int] = []
        """Rows of acts that no command has written: they stay, `referral doctor` counts them, and no entry holds them."""

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                async with news.listening(self._engine, bells.READING) as heard:
                    while heard.alive:
                        heard.clear()
                        await self.turn()
                        await heard.wait(IDLE_S)
            except (Malformed, Rejected) as error:  # the tree is damaged, or the clock was moved: readiness and the loop report it
                log().error("no reading", service="audit", kind=type(error).__name__, hint=str(error))
            except Exception as error:
                if not (database.away(error) or isinstance(error, Unavailable)):
                    raise
                log().error("no reading", service="audit", reason="database away", kind=type(error).__name__, where=where(error))
            await asyncio.sleep(AGAIN_S)

    async def turn(self) -> None:
        """Append the readings and acts that wait. Malformed, Rejected: nothing may be appended."""
        async with self._looking.connect() as tx:  # before the lease, which is locked in a write
            if not (await tx.execute(WAITS)).scalar_one():
                return
        async with self._engine.begin() as tx:
            if await lease.held(tx, self._settings.instance, ALL) is None:
                return
            read = [(row.id, value) for row in await tx.execute(WAITING, {"most": MOST}) if (value := await _valid(tx, row.id, row.value))]
            acts = [
                (row.id, row.value) for row in await tx.execute(ACTS, {"most": MOST, "bad": self._bad}) if self._wanted(row.id, row.value)
            ]
            if not read and not acts:
                return
            await clock.check(tx, self._settings)
            says = [Says(Kind.READING, value) for _, value in read] + [Says(Kind.ADMINISTRATION, value) for _, value in acts]
            grown = await self._audit.append(tx, await clock.now(tx), (), says)
            await security_events.put(tx, *(_event(value) for _, value in read))
            for rows, kind, done in ((read, Kind.READING, DONE), (acts, Kind.ADMINISTRATION, KEPT)):
                logged = [entry.idx for entry in grown.entries if entry.kind is kind]
                for (id_, _), idx in zip(rows, logged, strict=True):
                    await tx.execute(done, {"id": id_, "idx": idx})

    def _wanted(self, id_: int, value: bytes) -> bool:
        """Return whether the log may hold an act for ever; say so once of another."""
        try:
            act.parse(value)
        except Malformed as error:
            log().error("no act", service="audit", reason="malformed", hint=str(error))
            self._bad.append(id_)
            return False
        return True


def _event(value: bytes) -> Event:
    """Return the security event of a reading."""
    told = reading.parse(value)
    return Event(kind=EventKind.LOG_READ, who=security_event.office(told.reader), detail=told.how.lower())


async def _valid(tx: AsyncConnection, id_: int, value: bytes) -> bytes | None:
    """Return a value that the log may hold for ever; drop another, whose reader then gets nothing."""
    try:
        reading.parse(value)
    except Malformed as error:
        log().error("no reading", service="audit", reason="malformed", hint=str(error))
        await tx.execute(DROP, {"id": id_})
        return None
    return value
