"""Tell an agency's heads of the holes in its rota: once a day, by day, by a quiet note, and only while there is a hole."""

from __future__ import annotations

from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.durations import DAY_US
from referral.domain.local_time import local
from referral.runtime.background import every
from referral.runtime.postgres import clock
from services.notifier import roster
from services.notifier.duty import local_day
from services.notifier.gaps import Kind, gaps
from services.notifier.notes import notes

FROM_HOUR, TO_HOUR = 9, 18
"""Hours of the wall clock between which heads are told (P): a hole is filled by telephone, by day."""
DAYS = 14
"""Days that are looked at (P)."""
LOOK_SECONDS = 60.0
"""Seconds between two looks (ours): an agency is looked at once a day."""
AT_ONCE = 20
"""Agencies in one transaction (ours): some 30 ms."""
_TURN = text(  # agencies whose head can be told, and that nobody has looked at today
    "SELECT DISTINCT p.agency FROM person p JOIN intake.account a ON a.id = p.account AND a.head AND NOT a.disabled"
    " WHERE p.ended_at IS NULL AND NOT p.disabled AND NOT EXISTS (SELECT FROM gap_told t WHERE t.agency = p.agency AND t.day >= :today)"
    " ORDER BY p.agency LIMIT :most"
)
_TOLD = text(
    "INSERT INTO gap_told (agency, day) VALUES (:agency, :today) ON CONFLICT (agency) DO UPDATE SET day = excluded.day"
    " WHERE gap_told.day < excluded.day RETURNING agency"
)
_HEADS = text(
    "SELECT p.account FROM person p JOIN intake.account a ON a.id = p.account AND a.head AND NOT a.disabled"
    " WHERE p.agency = :agency AND p.ended_at IS NULL AND NOT p.disabled"
)


async def run(engine: AsyncEngine) -> None:
    """Look until cancelled."""
    await every(LOOK_SECONDS, partial(_look_at_all, engine), "holes of rotas not told", service="notifier")


async def _look_at_all(engine: AsyncEngine) -> None:
    while await look(engine):
        pass


async def look(engine: AsyncEngine) -> int:
    """Look at the next agencies. Return how many; 0: it is night, or all were looked at today."""
    async with engine.begin() as tx:
        now = await clock.now(tx)
        if not FROM_HOUR <= local(now).hour < TO_HOUR:
            return 0
        today = local_day(now)
        names = list((await tx.execute(_TURN, {"today": today, "most": AT_ONCE})).scalars())
        for agency in names:
            if (await tx.execute(_TOLD, {"agency": agency, "today": today})).one_or_none() is not None:
                await _tell(tx, agency, now)
        return len(names)


async def _tell(tx: AsyncConnection, agency: str, now: int) -> None:
    known = await roster.load(tx, [agency])
    if any(gap.kind is Kind.NOBODY for gap in gaps(known, agency, now, now + DAYS * DAY_US)):
        heads = set((await tx.execute(_HEADS, {"agency": agency})).scalars())
        for person in known.people:
            if person.account in heads:
                await notes.tell(tx, person, "gaps")
