"""Read the roster of one agency for intake's pages: people, shifts, who is on duty, holes and open swaps. Never an address."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import DAY_US
from referral.errors import Malformed
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import clock
from referral.wire.roster import Ask, Contact, Hole, Member, Overview, Row, Span, Swap
from services.notifier import roster
from services.notifier.duty import Roster, rungs_of
from services.notifier.gaps import gaps
from services.notifier.spans import spans

LONGEST = 100 * DAY_US
"""Longest window of one question (ours): the shifts of three months, for a calendar."""
CODE_US = 15 * 60 * 1_000_000
"""Time for which a code is taken (P)."""
_OF = "(SELECT account FROM person WHERE agency = :agency)"
_BY_AGENCY = "SELECT count(*) + count(ended_at) AS n FROM {} WHERE agency = :agency"
_BY_ACCOUNT = f"SELECT count(*) + count(ended_at) AS n FROM {{}} WHERE account IN {_OF}"  # noqa: S608 - the words above
_COUNTS = (
    *(_BY_AGENCY.format(part) for part in ("person", "weekly", "single", "given", "night")),
    *(_BY_ACCOUNT.format(part) for part in ("contact", "absence")),
    "SELECT count(*) + count(decided_at) AS n FROM swap WHERE agency = :agency",
)
VERSION = text(f"SELECT sum(n)::bigint FROM ({' UNION ALL '.join(_COUNTS)}) AS rows")  # noqa: S608 - the words above
"""The version of an agency's roster: rows begin and end, and never vanish, so it only grows."""
_ROWS = text(
    "SELECT 'weekly' AS part, id AS number, account, rung, weekday, start_minute AS start, end_minute AS \"end\","  # noqa: S608 - the words above
    " coalesce(since::text, '') AS since, coalesce(until::text, '') AS until, 0 AS starts, 0 AS ends"
    " FROM weekly WHERE agency = :agency AND ended_at IS NULL"
    " UNION ALL SELECT part, number, account, rung, -1, 0, 0, '', '', starts, ends FROM ("
    " SELECT 'single' AS part, id AS number, account, rung, starts, ends, ended_at FROM single WHERE agency = :agency"
    " UNION ALL SELECT 'given', id, account, rung, starts, ends, ended_at FROM given WHERE agency = :agency"
    f" UNION ALL SELECT 'absence', id, account, '', starts, ends, ended_at FROM absence WHERE account IN {_OF}"
    ") AS once WHERE ended_at IS NULL AND ends > :since ORDER BY part, rung, weekday, start, starts, number"
)
_CONTACTS = text(
    "SELECT c.account, c.channel, c.address, false AS waits, c.until, c.ends FROM contact c JOIN person p USING (account)"
    " WHERE p.agency = :agency AND p.ended_at IS NULL AND c.ended_at IS NULL AND c.address IS NOT NULL"
    " UNION ALL SELECT u.account, u.channel, u.address, true, NULL, false FROM unconfirmed u JOIN person p USING (account)"
    " WHERE p.agency = :agency AND p.ended_at IS NULL AND u.at > :fresh ORDER BY account, channel, waits"
)
_TESTS = text(
    "SELECT DISTINCT ON (n.account, n.channel) n.account, n.channel, n.planned_at, n.state, n.reason"
    " FROM note n JOIN person p USING (account) WHERE n.kind = 'test' AND p.agency = :agency AND p.ended_at IS NULL"
    " ORDER BY n.account, n.channel, n.id DESC"
)
SWAPS = text(
    "SELECT id, rung, giver, taker, starts, ends FROM swap WHERE agency = :agency AND state = 'OPEN' AND ends > :now ORDER BY starts, id"
)


async def overview(tx: AsyncConnection, keys: Keys, ask: Ask, channels: Iterable[str]) -> Overview:
    """Return the roster of the asked agency. channels: those that have a lane."""
    now = await clock.now(tx)
    known = await roster.load(tx, [ask.agency])
    begins, ends = ask.begins, min(ask.ends, ask.begins + LONGEST)
    values = {"agency": ask.agency}
    return Overview(
        version=(await tx.execute(VERSION, values)).scalar_one(),
        now=now,
        people=tuple(await _people(tx, keys, ask.agency, known, now)),
        rows=tuple(Row(**row) for row in (await tx.execute(_ROWS, {**values, "since": min(now, begins)})).mappings()),
        spans=tuple(
            Span(rung=rung, begins=s.begins, ends=s.ends, people=s.people)
            for rung in rungs_of(known, ask.agency)
            for s in spans(known, ask.agency, rung, begins, ends)
        ),
        holes=tuple(Hole(rung=g.rung, begins=g.begins, ends=g.ends, kind=g.kind) for g in gaps(known, ask.agency, begins, ends)),
        swaps=tuple(Swap(**row) for row in (await tx.execute(SWAPS, {**values, "now": now})).mappings()),
        channels=tuple(sorted(channels)),
        nights=tuple((night.starts, night.ends) for night in known.nights if night.ends > now),
    )


async def _people(tx: AsyncConnection, keys: Keys, agency: str, known: Roster, now: int) -> list[Member]:
    box, contacts = keys.box(CONTACT_BOX), dict[str, list[Contact]]()
    tests = {(t.account, t.channel): t for t in await tx.execute(_TESTS, {"agency": agency})}
    for row in await tx.execute(_CONTACTS, {"agency": agency, "fresh": now - CODE_US}):
        try:
            tail = ends_in(row.channel, box.open(row.address, contact_context(row.account, row.channel)).decode())
        except Malformed:
            continue
        test = None if row.waits else tests.get((row.account, row.channel))
        outcome = {} if test is None else {"tested_at": test.planned_at, "outcome": test.state, "reason": test.reason or ""}
        contacts.setdefault(row.account, []).append(
            Contact(channel=row.channel, tail=tail, waits=row.waits, until=row.until, ends=row.ends, **outcome)
        )
    return [
        Member(account=p.account, rungs=p.rungs, disabled=p.disabled, contacts=tuple(contacts.get(p.account, ()))) for p in known.people
    ]


def ends_in(channel: str, address: str) -> str:
    """Return what a page may display of an address: the last two digits of a number, the part of an e-mail address after the @."""
    return address.rpartition("@")[2] if channel == "email" else address[-2:]
