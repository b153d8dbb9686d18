"""Store open questions and planned knocks in PostgreSQL, for the handler. All writes are bulk, one statement per kind of row."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import KnockFailed, KnockSent
from services.notifier.blame import OURS
from services.notifier.plan import Knock, Question, Told

_FIELDS = ", ".join(Question.__dataclass_fields__)
# FOR UPDATE: the sender may be marking a rung as failed right now. In the order of ids, so that there is no deadlock.
_LOAD = text(f"SELECT {_FIELDS} FROM asked WHERE case_id = ANY(:cases) AND state <> 'CLOSED' ORDER BY id FOR UPDATE")  # noqa: S608 - field names
_SAVE = text(
    f"INSERT INTO asked ({_FIELDS}, closed_at) SELECT {_FIELDS}, CASE state WHEN 'CLOSED' THEN runtime.clock() END"  # noqa: S608 - field names
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id text, case_id text, task boolean, agency text, ladder text[], rung integer,"
    " drill boolean, once boolean, system boolean, skip text[], state text, rounds integer[], next_at bigint, due bigint, failed integer,"
    " handover bigint, away boolean,"
    " taken boolean, cannot text[])"
    " ON CONFLICT (id) DO UPDATE SET agency = excluded.agency, rung = excluded.rung, skip = excluded.skip, state = excluded.state,"
    " rounds = excluded.rounds, next_at = excluded.next_at, due = excluded.due, failed = excluded.failed,"
    " handover = excluded.handover, away = excluded.away, taken = excluded.taken, cannot = excluded.cannot,"
    " closed_at = excluded.closed_at WHERE asked.state <> 'CLOSED'"
)
_KNOCKS = (
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r"
    " (asked text, case_id text, task boolean, rung integer, again integer, person text, channel text, drill boolean,"
    " at bigint)"
)
# A knock that was dropped because its recipient went off duty is planned again at the return, under a new id, so that no late result of
# the old one can end it.
_MAKE_ROOM = text(
    f"DELETE FROM delivery d USING (SELECT * {_KNOCKS}) AS r WHERE d.state = 'DROPPED'"  # noqa: S608 - the words above
    " AND (d.asked, d.rung, d.again, d.person, d.channel) = (r.asked, r.rung, r.again, r.person, r.channel)"
)
_ADD = text(
    "INSERT INTO delivery (asked, case_id, task, rung, again, person, channel, drill, planned_at, due_at)"  # noqa: S608 - the words above
    f" SELECT r.asked, r.case_id, r.task, r.rung, r.again, r.person, r.channel, r.drill, r.at, r.at {_KNOCKS}"
    " WHERE NOT EXISTS (SELECT FROM delivery d WHERE (d.asked, d.rung, d.person, d.channel) = (r.asked, r.rung, r.person, r.channel)"
    " AND d.state = 'WAITING' AND (d.reason IS NOT NULL OR EXISTS (SELECT FROM pause WHERE ended_at IS NULL)))"
    " ON CONFLICT (asked, rung, again, person, channel) DO NOTHING"
)
_TOLD = text(
    "SELECT d.asked, array_agg(DISTINCT d.person) FILTER (WHERE d.state <> 'FAILED' OR d.reason = ANY(:ours)) AS people,"
    " array_agg(DISTINCT d.person || ' ' || d.channel) FILTER (WHERE d.state = 'FAILED' AND d.reason <> ALL(:ours)) AS lost"
    " FROM delivery d JOIN asked a ON a.id = d.asked AND a.rung = d.rung"
    " WHERE d.asked = ANY(:ids) AND d.state IN ('WAITING', 'SENT', 'FAILED') GROUP BY d.asked"
)
# No message was ever sent to anybody of the agency, by our fault: an attempt failed, or a pause holds the message back.
_UNTOLD = text(
    "SELECT a.id FROM asked a WHERE a.id = ANY(:ids) AND NOT EXISTS (SELECT FROM delivery d WHERE d.asked = a.id AND d.state = 'SENT')"
    " AND EXISTS (SELECT FROM delivery d WHERE (d.asked, d.rung) = (a.id, a.rung) AND d.state IN ('WAITING', 'FAILED')"
    " AND (d.reason = ANY(:ours) OR EXISTS (SELECT FROM pause WHERE ended_at IS NULL))) ORDER BY a.id"
)
_SAID = text(
    "INSERT INTO delivery AS d (asked, case_id, task, rung, again, person, channel, drill, reference, state, planned_at, due_at,"
    " ended_at) SELECT r.asked, r.case_id, r.task, r.rung, r.again, r.person, r.channel, false, r.reference, r.state, r.at, r.at, r.at"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (asked text, case_id text, task boolean, rung integer, again integer, person text,"
    " channel text, reference text, state text, at bigint)"
    " ON CONFLICT (asked, rung, again, person, channel) DO UPDATE SET state = excluded.state, ended_at = excluded.ended_at"
    " WHERE d.state = 'WAITING' AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())"
)
_DROP = text(
    "UPDATE delivery d SET state = 'DROPPED', ended_at = :now FROM asked a"
    " WHERE a.id = d.asked AND d.asked = ANY(:ids) AND d.state = 'WAITING' AND d.lease_until IS NULL"
    " AND (a.state <> 'OPEN' OR a.rung <> d.rung)"
    " RETURNING d.asked, d.task, d.rung, d.again, d.person, d.channel, d.attempt, d.reason"
)
_SILENCE = text(
    "WITH dropped AS (UPDATE delivery SET state = 'DROPPED', ended_at = :now"
    " WHERE case_id = :case AND person = ANY(:accounts) AND state = 'WAITING' AND lease_until IS NULL)"
    " SELECT DISTINCT d.asked FROM delivery d JOIN asked a ON a.id = d.asked AND a.rung = d.rung AND a.state = 'OPEN'"
    " WHERE d.case_id = :case AND d.person = ANY(:accounts) AND d.state IN ('WAITING', 'SENT') ORDER BY d.asked"
)
_BARRED = text("SELECT case_id, accounts FROM barred WHERE case_id = ANY(:cases)")
_BAR = text(
    "INSERT INTO barred (case_id, accounts) VALUES (:case_id, :accounts)"
    " ON CONFLICT (case_id) DO UPDATE SET accounts = ARRAY(SELECT DISTINCT unnest(barred.accounts || excluded.accounts))"
)


async def load(tx: AsyncConnection, cases: Iterable[str]) -> dict[str, Question]:
    """Return all offers and tasks of these cases that are not closed, by id, locked until the transaction ends."""
    rows = await tx.execute(_LOAD, {"cases": list(cases)})
    return {row.id: msgspec.convert(dict(row._mapping), Question) for row in rows}


async def save(tx: AsyncConnection, asked: Iterable[Question]) -> None:
    """Write the present state. A closed row stays closed."""
    if rows := list(asked):
        await tx.execute(_SAVE, {"rows": _json(rows)})


async def add(tx: AsyncConnection, knocks: Iterable[Knock]) -> None:
    """Plan deliveries. A delivery that is planned or sent already stays as it is.

    No repeat is planned beside a delivery that failed an attempt and waits.
    """
    if rows := list(knocks):
        await tx.execute(_MAKE_ROOM, {"rows": _json(rows)})
        await tx.execute(_ADD, {"rows": _json(rows)})


async def told(tx: AsyncConnection, asked: Iterable[str]) -> dict[str, Told]:
    """Return, for each offer or task, the people who were knocked, or have a knock waiting, at its present rung."""
    if not (ids := list(asked)):
        return {}
    rows = await tx.execute(_TOLD, {"ids": ids, "ours": list(OURS)})
    return {row.asked: Told(frozenset(row.people or ()), frozenset(tuple(one.split(" ")) for one in row.lost or ())) for row in rows}


async def untold(tx: AsyncConnection, ids: Iterable[str]) -> list[str]:
    """Return those of these offers for which no message was sent, for a reason that is our fault."""
    if not (listed := list(ids)):
        return []
    return [row.id for row in await tx.execute(_UNTOLD, {"ids": listed, "ours": list(OURS)})]


async def said(tx: AsyncConnection, spoken: Iterable[tuple[str, KnockSent | KnockFailed]]) -> None:
    """Write (case, knock) pairs of our own topic as deliveries.

    After a rebuild from the log this prevents a second message; otherwise it changes nothing.
    """
    rows = {}
    for case_id, event in spoken:
        if event.person is not None:
            asked = event.offer_id or event.task_id
            sent = isinstance(event, KnockSent)
            rows[(asked, event.rung, event.again, event.person, event.channel)] = {
                "asked": asked,
                "case_id": case_id,
                "task": event.offer_id is None,
                "rung": event.rung,
                "again": event.again,
                "person": event.person,
                "channel": event.channel,
                "reference": event.reference if isinstance(event, KnockSent) else "",
                "state": "SENT" if sent else "FAILED",
                "at": event.at,
            }
    if rows:
        await tx.execute(_SAID, {"rows": _json(list(rows.values()))})


async def drop(tx: AsyncConnection, asked: Iterable[Question], now: int) -> list[KnockFailed]:
    """End deliveries whose question is no longer open at their rung.

    Return events for those that had failed attempts: the log must record them. A sender ends a message that is under way, or whose sender
    died.
    """
    ids = [a.id for a in asked]
    rows = await tx.execute(_DROP, {"ids": ids, "now": now}) if ids else ()
    return [
        KnockFailed(
            offer_id=None if row.task else row.asked,
            task_id=row.asked if row.task else None,
            rung=row.rung,
            person=row.person,
            channel=row.channel,
            again=row.again,
            at=now,
            reason=row.reason,
            attempts=row.attempt,
        )
        for row in rows
        if row.attempt and row.reason
    ]


async def barred(tx: AsyncConnection, cases: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return case → accounts that must not hear of it."""
    rows = await tx.execute(_BARRED, {"cases": list(cases)})
    return {row.case_id: tuple(row.accounts) for row in rows}


async def silence(tx: AsyncConnection, case_id: str, accounts: Iterable[str], now: int) -> list[str]:
    """Drop waiting deliveries of these people.

    Return the open offers and tasks for which one of them was knocked, or had a knock waiting.
    """
    rows = await tx.execute(_SILENCE, {"case": case_id, "accounts": list(accounts), "now": now})
    return [row.asked for row in rows]


async def bar(tx: AsyncConnection, case_id: str, accounts: tuple[str, ...]) -> None:
    """Store accounts that must not hear of a case; none is ever removed."""
    await tx.execute(_BAR, {"case_id": case_id, "accounts": list(accounts)})


async def forget(tx: AsyncConnection, cases: Iterable[str]) -> None:
    """Delete all rows of erased cases."""
    ids = list(cases)
    for table in ("delivery", "asked", "barred"):
        await tx.execute(text(f"DELETE FROM {table} WHERE case_id = ANY(:cases)"), {"cases": ids})  # noqa: S608 - the three names above


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()
