"""Append an entry for each reading of the log, before it happens. A reader asks in `audit.reading` and waits for the entry's index."""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.errors import Malformed, Rejected, Unavailable
from referral.proof import reading
from referral.proof.entry import Kind
from referral.runtime.loop import lease
from referral.runtime.loop.units import ALL
from referral.runtime.observe import log, where
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from services.audit import news
from services.audit.handle import Audit
from services.audit.ingest import Says

IDLE_S = 1.0
"""Seconds between two looks without a notification (ours): a listener may miss one, and a reader waits five."""
AGAIN_S = 1.0
"""Seconds until a lost database is tried again (ours)."""
MOST = 100
"""Readings of one transaction (ours); a person opens one."""
WAITING = text("SELECT id, value FROM audit.reading WHERE idx IS NULL ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED")
DONE = text("UPDATE audit.reading SET idx = :idx WHERE id = :id")
DROP = text("DELETE FROM audit.reading WHERE id = :id")


class Readings:
    """Readings of one process. Only the owner of the log appends them."""

    def __init__(self, engine: AsyncEngine, settings: Settings, audit: Audit) -> None:
        self._engine, self._settings, self._audit = engine, settings, audit

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                async with news.listening(self._engine, "audit_reading") as heard:
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
        """Append the readings that wait. Malformed, Rejected: nothing may be appended."""
        async with self._engine.begin() as tx:
            if await lease.held(tx, self._settings.instance, ALL) is None:
                return
            waiting = [
                (row.id, value) for row in await tx.execute(WAITING, {"most": MOST}) if (value := await _valid(tx, row.id, row.value))
            ]
            if not waiting:
                return
            await clock.check(tx, self._settings)
            read = await self._audit.append(tx, await clock.now(tx), (), [Says(Kind.READING, value) for _, value in waiting])
            logged = [entry.idx for entry in read.entries if entry.kind is Kind.READING]
            for (id_, _), idx in zip(waiting, logged, strict=True):
                await tx.execute(DONE, {"id": id_, "idx": idx})


async def _valid(tx: AsyncConnection, id_: int, value: bytes) -> bytes | None:
    """Return a value that the log may hold for ever; drop another, whose reader then gets nothing."""
    try:
        reading.parse(value)
    except Malformed as error:
        log().error("no reading", service="audit", reason="malformed", hint=str(error))
        await tx.execute(DROP, {"id": id_})
        return None
    return value
