"""Read the roster of some agencies from PostgreSQL. Commands and `roster_door` write it, by `referral.roster`."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.rota import Single, Weekly
from referral.runtime.postgres import locks
from services.notifier.duty import Absence, Given, Loudness, Night, Person, Roster, Rule, Shift

_HELD = "added_at <= coalesce(:at, added_at) AND (ended_at IS NULL OR ended_at > :at)"
"""A row holds from the moment it was added until it was ended; :at is null for the rows that hold now."""
_PEOPLE = text(
    "SELECT account, agency, rungs, disabled, ARRAY(SELECT channel FROM contact c WHERE c.account = p.account"  # noqa: S608
    f" AND {_HELD.replace('added_at', 'c.added_at').replace('ended_at', 'c.ended_at')} ORDER BY channel) AS channels"
    f" FROM person p WHERE agency = ANY(:agencies) AND {_HELD} ORDER BY account"
)
_RULES = text(f"SELECT account, loudness, channel, after FROM rule WHERE account = ANY(:accounts) AND {_HELD} ORDER BY after, channel")  # noqa: S608
_WEEKLY = text(
    "SELECT account, agency, rung, weekday, start_minute, end_minute, since, until FROM weekly"  # noqa: S608 - the words above
    f" WHERE agency = ANY(:agencies) AND {_HELD} ORDER BY id"
)
_SINGLE = text(f"SELECT account, agency, rung, starts, ends FROM single WHERE agency = ANY(:agencies) AND {_HELD} ORDER BY id")  # noqa: S608
_ABSENCES = text(f"SELECT account, starts, ends FROM absence WHERE account = ANY(:accounts) AND {_HELD} ORDER BY id")  # noqa: S608

_NIGHTS = text(f"SELECT agency, starts, ends FROM night WHERE agency = ANY(:agencies) AND {_HELD} ORDER BY id")  # noqa: S608
_GIVEN = text(f"SELECT account, agency, rung, starts, ends FROM given WHERE agency = ANY(:agencies) AND {_HELD} ORDER BY id")  # noqa: S608


async def share(tx: AsyncConnection) -> None:
    """Take the roster's lock shared until this transaction ends.

    No change of the roster reads the open questions meanwhile, so the batch and the change cannot miss each other.
    """
    await locks.share_roster(tx)


async def load(tx: AsyncConnection, agencies: Iterable[str], at: int | None = None) -> Roster:
    """Return people, shifts, absences, given hours and nights of these agencies. at: as recorded at that instant, µs UTC; None is now."""
    names = {"agencies": sorted(set(agencies)), "at": at}
    staff = (await tx.execute(_PEOPLE, names)).all()
    rules: dict[str, list[Rule]] = {}
    for row in await tx.execute(_RULES, {"accounts": [r.account for r in staff], "at": at}) if staff else ():
        rules.setdefault(row.account, []).append(Rule(Loudness(row.loudness), row.channel, row.after))
    people = [Person(r.account, r.agency, tuple(r.rungs), tuple(r.channels), r.disabled, tuple(rules.get(r.account, ()))) for r in staff]
    shifts = [Shift(account, agency, rung, Weekly(*time)) for account, agency, rung, *time in await tx.execute(_WEEKLY, names)]
    shifts += [Shift(account, agency, rung, Single(*time)) for account, agency, rung, *time in await tx.execute(_SINGLE, names)]
    absent = await tx.execute(_ABSENCES, {"accounts": [p.account for p in people], "at": at})
    given = tuple(Given(*row) for row in await tx.execute(_GIVEN, names))
    nights = tuple(Night(*row) for row in await tx.execute(_NIGHTS, names))
    return Roster(tuple(people), tuple(shifts), tuple(Absence(*row) for row in absent), given, nights)
