"""Log each change of the roster as an event on the notifier's topic, and make the notifier re-plan the open offers at once.

The changed rows are found by the id of this transaction, not passed by the caller, so no change can be forgotten.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import RosterChanged, RosterRow
from referral.domain.inputs import ROSTER_BOOK
from referral.runtime.keys import case_keys as keys_
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock, locks, queue
from referral.runtime.settings import Settings
from referral.wire import topics

MOST = 500
"""Rows in one event: about 75 KB of the megabyte that a record may have (ours)."""
CANARY = "canary"
"""Account of the row by which the notifier tries its channels; no change of it is logged."""
_BY = text("SELECT set_config('referral.by', :by, true)")
_MINE = "xmin = (SELECT runtime.transaction())"
_AGENCY = "coalesce((SELECT p.agency FROM notifier.person p WHERE p.account = r.account ORDER BY p.id DESC LIMIT 1), '') AS agency"
_ROWS = {
    "person": "agency, account, rungs, disabled",
    "contact": f"{_AGENCY}, account, channel",
    "weekly": "agency, account, ARRAY[rung] AS rungs, weekday, start_minute, end_minute,"
    " coalesce(since::text, '') AS since, coalesce(until::text, '') AS until",
    "single": "agency, account, ARRAY[rung] AS rungs, starts, ends",
    "absence": f"{_AGENCY}, account, starts, ends",
    "given": "agency, account, ARRAY[rung] AS rungs, starts, ends",
    "night": "agency, NULL AS account, starts, ends",
    "rule": f"{_AGENCY}, account, channel, ARRAY[loudness, after || 's'] AS rungs",
    "pause": "'' AS agency, NULL AS account",
}
"""Columns of a row by part; missing columns have their empty value."""
_EMPTY: dict[str, object] = {"rungs": (), "channel": "", "disabled": False, "weekday": -1, "start_minute": 0, "end_minute": 0}
_EMPTY |= {"since": "", "until": "", "starts": None, "ends": None}
_OPEN = text("SELECT id, case_id FROM notifier.asked WHERE agency = ANY(:agencies) AND state = 'OPEN' ORDER BY id FOR UPDATE")
_REPLAN = text("UPDATE notifier.asked SET handover = :now WHERE id = ANY(:ids)")
_ALARM = text(
    "INSERT INTO notifier.alarm AS a (case_id, partition, at) SELECT c, p, :now FROM unnest(CAST(:cases AS text[]), CAST(:parts AS int[]))"
    " AS n (c, p) ON CONFLICT (case_id) DO UPDATE SET at = least(a.at, excluded.at)"
)


def operator() -> str:
    """Return the operating-system account that runs this command."""
    return getpass.getuser()


def pseudonym(keys: Keys, name: str) -> str:
    """Return an operator's pseudonym for the log: always the same, and traceable to the name only with the master key."""
    return str(uuid.UUID(bytes=keys.hmac("operator", name.encode())[:16], version=5))


@asynccontextmanager
async def change(tx: AsyncConnection, found: Settings, by: str | None = None) -> AsyncIterator[None]:
    """Log everything that the block, a command, changes of the roster, in the caller's transaction.

    by: the operator; None: the account that runs this command.
    """
    name = operator() if by is None else by
    await begin(tx, name)
    yield
    keys = keys_.read(found)
    await log(tx, pseudonym(keys, name), lambda: keys.book(tx, ROSTER_BOOK), drill=found.drill_clock)


async def begin(tx: AsyncConnection, by: str) -> None:
    """Begin a change of the roster: nobody else changes it until this transaction ends. by: stands in the rows that it begins and ends."""
    await locks.change_roster(tx)
    await tx.execute(_BY, {"by": by})


async def log(tx: AsyncConnection, by: str, book: Callable[[], Awaitable[bytes]], *, drill: bool) -> None:
    """Log what this transaction has changed, and make the notifier look again.

    by: an operator's pseudonym, or the account of a person. book: returns the key of the roster's book.
    """
    rows = [row for part in _ROWS for row in await _changed(tx, part)]
    thrown = (await tx.execute(text(f"SELECT count(*) FROM notifier.delivery WHERE thrown AND {_MINE}"))).scalar_one()  # noqa: S608
    if not rows and not thrown:
        return
    now, key = await clock.now(tx), await book()
    await tx.execute(text("SET LOCAL search_path = notifier, runtime"))
    for first in range(0, len(rows) or 1, MOST):
        event = RosterChanged(at=now, changed_by=by, rows=tuple(rows[first : first + MOST]), thrown_away=0 if first else thrown)
        id_ = str(uuid.uuid4())  # noqa: TID251 - a change begins here
        await queue.put(tx, ROSTER_BOOK, event, id_, key, drill=drill)
    await _replan(tx, sorted({row.agency for row in rows} - {""}), now)


async def in_force(tx: AsyncConnection) -> Sequence[RosterRow]:
    """Return the rows that have not ended, but the canary's, which is no person."""
    rows = [row for part in _ROWS for row in await _rows(tx, part, "r.ended_at IS NULL")]
    return [row for row in rows if row.account != CANARY]


async def _changed(tx: AsyncConnection, part: str) -> Sequence[RosterRow]:
    """Return the rows that this transaction has begun or ended."""
    return await _rows(tx, part, f"r.{_MINE}")


async def _rows(tx: AsyncConnection, part: str, where: str) -> Sequence[RosterRow]:
    columns = f"id AS number, ended_at IS NOT NULL AS ended, {_ROWS[part]}"
    statement = text(f"SELECT {columns} FROM notifier.{part} r WHERE {where} ORDER BY id")  # noqa: S608 - the words above
    found = [{**_EMPTY, **row} for row in (await tx.execute(statement)).mappings()]
    return [RosterRow(part=part, **{**row, "rungs": tuple(row["rungs"])}) for row in found]


async def _replan(tx: AsyncConnection, agencies: Sequence[str], now: int) -> None:
    """Make the notifier re-plan the agencies' open offers now: newcomers are knocked, and people taken off are replaced."""
    if not agencies:
        return
    open_ = (await tx.execute(_OPEN, {"agencies": list(agencies)})).all()
    cases = sorted({row.case_id for row in open_})
    if cases:
        await tx.execute(_REPLAN, {"ids": [row.id for row in open_], "now": now})
        await tx.execute(_ALARM, {"cases": cases, "parts": [topics.partition(c) for c in cases], "now": now})
