"""What the doors show of a case now, once they know everything that routing has decided: for the demo's stories, beside a local stack."""

from __future__ import annotations

import asyncio

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import clock, database
from referral.runtime.settings import Settings

SAME = text(
    "SELECT r.seq = i.seq AND NOT EXISTS (SELECT 1 FROM intake.queue WHERE case_id = :case AND NOT sent)"
    " AND coalesce((SELECT seq FROM routing.seen WHERE case_id = :case AND topic = 'referral-intake'), 0)"
    " = coalesce((SELECT seq FROM intake.seen WHERE case_id = :case AND topic = 'referral-intake'), 0)"
    " FROM routing.seen r JOIN intake.seen i USING (case_id, topic) WHERE case_id = :case AND topic = 'referral-routing'"
)
OPEN = text(
    "SELECT offer_id, agency, step, round, kind, words, codes, needs, state, arrived, due_what FROM intake.offer"
    " WHERE case_id = :case AND closed_at IS NULL AND kind <> 'NOTIFY' ORDER BY opened_at, offer_id"
)
CLOSED = text("SELECT closed_at IS NOT NULL FROM intake.casefile WHERE case_id = :case")
ALARM = text("SELECT at FROM routing.alarm WHERE case_id = :case")


class Asked(Struct, frozen=True, kw_only=True):
    """An open offer. due_what: the limit that runs, empty where none does."""

    offer_id: str
    agency: str
    step: str
    round: int
    kind: str
    words: tuple[str, ...]
    codes: tuple[str, ...]
    needs: tuple[str, ...]
    state: str
    arrived: bool
    due_what: str


class Now(Struct, frozen=True, kw_only=True):
    """How a case stands. at: the stack's clock. due: the case's alarm. Both µs UTC."""

    at: int
    due: int | None
    closed: bool
    open: tuple[Asked, ...]


def look(settings: Settings, case_id: str) -> Now | None:
    """None: the doors are behind, or something that was sent is not decided yet."""
    return asyncio.run(_look(settings, case_id))


async def _look(settings: Settings, case_id: str) -> Now | None:
    engine = database.admin(settings)
    try:
        async with engine.connect() as tx:
            return await _read(tx, case_id)
    finally:
        await engine.dispose()


async def _read(tx: AsyncConnection, case_id: str) -> Now | None:
    of = {"case": case_id}
    if not (await tx.execute(SAME, of)).scalar():
        return None
    rows = [dict(row._mapping) for row in await tx.execute(OPEN, of)]
    lists = ("words", "codes", "needs")
    return Now(
        at=await clock.now(tx),
        due=(await tx.execute(ALARM, of)).scalar(),
        closed=bool((await tx.execute(CLOSED, of)).scalar()),
        open=tuple(Asked(**{**row, **{name: tuple(row[name]) for name in lists}}) for row in rows),
    )
