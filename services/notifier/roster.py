"""The roster of some agencies, read from PostgreSQL. It is written by `referral duty` and `referral staff`."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.duty import Absence, Person, Roster, Single, Weekly

_PEOPLE = text(
    "SELECT account, agency, rungs, language, disabled, ARRAY(SELECT channel FROM contact c WHERE c.account = p.account ORDER BY channel)"
    " AS channels FROM person p WHERE agency = ANY(:agencies) ORDER BY account"
)
_WEEKLY = text(
    "SELECT account, agency, rung, weekday, start_minute, end_minute, since, until FROM weekly WHERE agency = ANY(:agencies) ORDER BY id"
)
_SINGLE = text("SELECT account, agency, rung, starts, ends FROM single WHERE agency = ANY(:agencies) ORDER BY id")
_ABSENCES = text("SELECT account, starts, ends FROM absence WHERE account = ANY(:accounts) ORDER BY id")


async def load(tx: AsyncConnection, agencies: Iterable[str]) -> Roster:
    """Everybody, every shift and every absence of these agencies."""
    names = {"agencies": sorted(set(agencies))}
    people = [
        Person(r.account, r.agency, tuple(r.rungs), r.language, tuple(r.channels), r.disabled) for r in await tx.execute(_PEOPLE, names)
    ]
    weekly = [Weekly(*row) for row in await tx.execute(_WEEKLY, names)]
    single = [Single(*row) for row in await tx.execute(_SINGLE, names)]
    absent = await tx.execute(_ABSENCES, {"accounts": [p.account for p in people]})
    return Roster(tuple(people), tuple(weekly), tuple(single), tuple(Absence(*row) for row in absent))
