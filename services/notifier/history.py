"""Report who was on duty by the roster of that time, and who had changed it: `python -m services.notifier.history [AGENCY [AT]]`.

`referral duty` and `referral doctor` run it, so that there is one answer. AT: µs UTC; without it, now.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import DAY_US
from referral.runtime.postgres import clock, database
from referral.runtime.settings import load
from services.notifier import roster
from services.notifier.duty import Roster, covers, has_rota, on_duty, rungs_of, shifts_of

"""µs of changes that are reported (ours): a rota is changed by the week."""
_AGENCIES = text("SELECT DISTINCT agency FROM person ORDER BY agency")
_WHAT = {
    "person": "array_to_string(rungs, ', ') || CASE WHEN disabled THEN ' (disabled)' ELSE '' END",
    "contact": "channel",
    "rule": "loudness || ' ' || channel || ' after ' || after || ' s'",
    "weekly": "rung",
    "single": "rung",
    "absence": "''",
    "given": "rung",
    "night": "agency",
    "pause": "''",
}
OF_NOBODY = {"pause": "", "night": "AND agency = :agency"}
"""Parts that belong to no person, with the condition on whose they are."""


def rungs(known: Roster, agency: str, at: int) -> Iterator[dict[str, Any]]:
    """Yield every rung for which somebody is registered or has a shift.

    bare: it has shifts, but they name nobody who can be knocked now. ran_out: bare, and no weekly rota is in force that might leave a hole
    on purpose.
    """
    for rung in rungs_of(known, agency):
        shifts = shifts_of(known, agency, rung)
        named = {s.account for s in shifts if covers(s.time, at)}
        people = [p.account for p in on_duty(known, agency, rung, at).people]
        by_rota = bool(named & set(people))
        if not people:
            source = "a hole in the rota: the next rung is asked at once" if has_rota(shifts, at) else "nobody may be knocked"
        elif by_rota:
            source = "by the rota"
        else:
            source = (
                "no shift names anybody now: everybody of the rung is knocked" if shifts else "no rota: everybody of the rung is knocked"
            )
        bare = bool(shifts) and not by_rota
        ran_out = bare and not has_rota(shifts, at)
        yield {"agency": agency, "rung": rung, "people": people, "said": source, "bare": bare, "ran_out": ran_out}


async def changes(tx: AsyncConnection, agency: str, at: int) -> list[dict[str, Any]]:
    """Return the begins and ends of the week before, newest first. by: the operating system's account of the operator."""
    rows = []
    for part, what in _WHAT.items():
        account = "NULL" if part in OF_NOBODY else "account"
        of = OF_NOBODY.get(part, "AND account IN (SELECT account FROM person WHERE agency = :agency)")
        for did, when, by in (("began", "added_at", "added_by"), ("ended", "ended_at", "ended_by")):
            statement = text(
                f"SELECT {when} AS at, {by} AS by, '{did}' AS did, '{part}' AS part, {account} AS account, {what} AS what FROM {part}"  # noqa: S608
                f" WHERE {when} BETWEEN :at - {7 * DAY_US} AND :at {of}"
            )
            rows += [dict(row) for row in (await tx.execute(statement, {"agency": agency, "at": at})).mappings()]
    return sorted(rows, key=lambda row: (row["at"], row["did"], row["part"]), reverse=True)


async def answer(agency: str | None = None, at: int | None = None) -> dict[str, Any]:
    """Report one agency at an instant with its changes, or all agencies now."""
    engine = database.engine(load(), "notifier", size=1)
    try:
        async with engine.connect() as tx:
            names = list((await tx.execute(_AGENCIES)).scalars()) if agency is None else [agency]
            known, moment = await roster.load(tx, names, at), await clock.now(tx) if at is None else at
            levels = [row for name in names for row in rungs(known, name, moment)]
            changed = [] if agency is None or at is None else await changes(tx, agency, at)
            return {"at": moment, "rungs": levels, "changes": changed}
    finally:
        await engine.dispose()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    given = (arguments[0] if arguments else None, int(arguments[1]) if len(arguments) > 1 else None)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(answer(*given))))
