"""Store open questions and planned knocks in PostgreSQL, for the handler. All writes are bulk, one statement per kind of row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.channels import Word
from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent
from services.notifier.blame import OURS
from services.notifier.caps import HELD
from services.notifier.deliveries import alarm
from services.notifier.plan import Knock, Question, Told, answer
from services.notifier.recall import Answered

Spoken = KnockSent | KnockFailed | KnockDelivered | KnockAnswered
"""Events of our own topic about one knock."""

_FIELDS = ", ".join(Question.__dataclass_fields__)
# FOR UPDATE: the sender may be marking a rung as failed right now. In the order of ids, so that there is no deadlock.
_LOAD = text(f"SELECT {_FIELDS} FROM asked WHERE case_id = ANY(:cases) AND state <> 'CLOSED' ORDER BY id FOR UPDATE")  # noqa: S608 - field names
_REOPEN = text("UPDATE asked SET state = 'ANSWERED', closed_at = NULL WHERE id = ANY(:ids) AND state = 'CLOSED'")
_SAVE = text(
    f"INSERT INTO asked ({_FIELDS}, closed_at) SELECT {_FIELDS}, CASE state WHEN 'CLOSED' THEN runtime.clock() END"  # noqa: S608 - field names
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id text, case_id text, task boolean, agency text, ladder text[], rung integer,"
    " drill boolean, once boolean, system boolean, skip text[], state text, rounds integer[], next_at bigint, due bigint, failed integer,"
    " handover bigint, away boolean,"
    " taken boolean, cannot text[], crowd boolean, holder text, track text, stopped boolean, arrived integer, reached integer)"
    " ON CONFLICT (id) DO UPDATE SET agency = excluded.agency, rung = excluded.rung, skip = excluded.skip, state = excluded.state,"
    " rounds = excluded.rounds, next_at = excluded.next_at, due = excluded.due, failed = excluded.failed,"
    " handover = excluded.handover, away = excluded.away, taken = excluded.taken, cannot = excluded.cannot,"
    " holder = excluded.holder, stopped = excluded.stopped,"
    " arrived = excluded.arrived, reached = excluded.reached,"
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
# No message was ever sent to anybody of the agency, by our fault: an attempt failed, or a pause or a cap holds the message back.
_UNTOLD = text(
    "SELECT a.id FROM asked a WHERE a.id = ANY(:ids)"  # noqa: S608 - fixed words
    " AND NOT EXISTS (SELECT FROM delivery d WHERE d.asked = a.id AND d.state = 'SENT')"
    " AND EXISTS (SELECT FROM delivery d WHERE (d.asked, d.rung) = (a.id, a.rung) AND d.state IN ('WAITING', 'FAILED')"
    " AND (d.reason = ANY(:ours) OR EXISTS (SELECT FROM pause WHERE ended_at IS NULL)"
    f" OR (d.state = 'WAITING' AND d.due_at <= runtime.clock() AND {HELD.format('d.channel', 'runtime.clock()')}))) ORDER BY a.id"
)
_SAID = text(
    "INSERT INTO delivery AS d (asked, case_id, task, rung, again, person, channel, drill, reference, state, planned_at, due_at,"
    " ended_at, delivered_at, reason, word) SELECT r.asked, r.case_id, r.task, r.rung, r.again, r.person, r.channel, false, r.reference,"
    " r.state, r.at, r.at, r.at, r.delivered_at, r.reason, r.word"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (asked text, case_id text, task boolean, rung integer, again integer, person text,"
    " channel text, reference text, state text, at bigint, delivered_at bigint, reason text, word text)"
    " ON CONFLICT (asked, rung, again, person, channel) DO UPDATE SET state = excluded.state, ended_at = excluded.ended_at,"
    " delivered_at = coalesce(d.delivered_at, excluded.delivered_at), reason = excluded.reason, word = coalesce(excluded.word, d.word)"
    " WHERE d.lease_until IS NULL OR d.lease_until < clock_timestamp()"
)
_CANNOT = text(  # as the door does with all messages of this rung to somebody who cannot
    "UPDATE delivery d SET state = 'FAILED', reason = 'cannot' FROM delivery w WHERE d.asked = ANY(:ids) AND d.state = 'SENT'"
    " AND w.word = 'CANNOT' AND (w.asked, w.rung, w.person) = (d.asked, d.rung, d.person)"
)
_WORDS = text("SELECT asked, rung, again, person, word FROM delivery WHERE asked = ANY(:ids) AND word IS NOT NULL ORDER BY id")
_DROP = text(
    "UPDATE delivery d SET state = 'DROPPED', ended_at = :now FROM asked a"
    " WHERE a.id = d.asked AND d.asked = ANY(:ids) AND d.state = 'WAITING' AND d.lease_until IS NULL"
    " AND (a.state <> 'OPEN' OR a.rung <> d.rung OR a.stopped)"
    " RETURNING d.asked, d.task, d.rung, d.again, d.person, d.channel, d.attempt, d.reason"
)
_SILENCE = text(
    "WITH dropped AS (UPDATE delivery SET state = 'DROPPED', ended_at = :now"
    " WHERE case_id = :case AND person = ANY(:accounts) AND state = 'WAITING' AND lease_until IS NULL)"
    " SELECT DISTINCT d.asked FROM delivery d JOIN asked a ON a.id = d.asked AND a.rung = d.rung"
    " WHERE d.case_id = :case AND d.person = ANY(:accounts) AND (a.state = 'OPEN' AND d.state IN ('WAITING', 'SENT')"
    " OR a.state = 'ANSWERED' AND NOT a.taken AND d.word = 'LOOKS') ORDER BY d.asked"
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


async def reopen(tx: AsyncConnection, ids: Iterable[str]) -> None:
    """Open these closed offers again, so that `load` returns them; the event that opens them says what runs."""
    if listed := sorted(ids):
        await tx.execute(_REOPEN, {"ids": listed})


async def save(tx: AsyncConnection, asked: Iterable[Question]) -> None:
    """Write the present state. A closed row stays closed: only `reopen` opens it."""
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


async def answers(tx: AsyncConnection, ids: Iterable[str]) -> dict[str, list[Answered]]:
    """Return what people have answered to these offers and tasks, at any rung."""
    told: dict[str, list[Answered]] = {}
    for row in await tx.execute(_WORDS, {"ids": list(ids)}):
        told.setdefault(row.asked, []).append(Answered(row.rung, row.again, row.person, row.word == Word.LOOKS))
    return told


async def said(tx: AsyncConnection, spoken: Iterable[tuple[str, Spoken]]) -> None:
    """Write (case, knock) pairs of our own topic, in its order, as deliveries, with what came back for them.

    After a rebuild from the log this prevents a second message, and a message to whoever has answered; otherwise it changes nothing.
    """
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    rounds: dict[tuple[object, ...], int] = {}
    words: list[tuple[str, str, Answered, int]] = []
    for case_id, event in spoken:
        asked = event.offer_id or event.task_id or ""
        if event.person is None:
            continue
        message = (asked, event.rung, event.person, event.channel, getattr(event, "reference", ""))
        if isinstance(event, KnockAnswered):  # names its message, and not its round
            again = rounds.get(message, 0)
            words.append((case_id, asked, Answered(event.rung, again, event.person, event.word == Word.LOOKS), event.at))
        else:
            again = rounds[message] = event.again
        new = {"asked": asked, "case_id": case_id, "task": event.offer_id is None, "rung": event.rung, "again": again, "reference": ""}
        key = (asked, event.rung, again, event.person, event.channel)
        rows.setdefault(key, new | {"person": event.person, "channel": event.channel, "at": event.at}).update(_ended(event))
    if not rows:
        return
    ids = sorted({str(row["asked"]) for row in rows.values()})
    before = {(id_, one) for id_, ones in (await answers(tx, ids)).items() for one in ones}
    await tx.execute(_SAID, {"rows": _json(list(rows.values()))})
    await tx.execute(_CANNOT, {"ids": ids})
    await _answer(tx, [word for word in words if (word[1], word[2]) not in before])


async def _answer(tx: AsyncConnection, words: Sequence[tuple[str, str, Answered, int]]) -> None:
    """Apply to open questions the answers (case, question, answer, time) that the restored copy lacks, and have the handler look at once.

    A question that the copy does not have is read again from the log; the handler recalls its answers then.
    """
    known = await load(tx, {case_id for case_id, *_ in words})
    changed: dict[str, Question] = {}
    for _, id_, one, at in words:
        asked = changed.get(id_) or known.get(id_)
        if asked is not None and asked.rung == one.rung and one.person not in asked.skip:
            changed[id_] = answer(asked, one.person, one.looks, at)
    await save(tx, changed.values())
    for asked in changed.values():
        if asked.look_at is not None:
            await alarm(tx, asked.case_id, asked.look_at)


def _ended(event: Spoken) -> dict[str, object]:
    """Return what an event changes in the row of its knock: as the sender and the door have written it."""
    match event:
        case KnockFailed():
            return {"state": "FAILED", "reason": event.reason, "at": event.at}
        case KnockDelivered():
            return {"state": "SENT", "reason": None, "reference": event.reference, "delivered_at": event.at}
        case KnockAnswered(word=Word.CANNOT):
            return {"state": "FAILED", "reason": "cannot", "reference": event.reference, "word": event.word}
        case KnockAnswered():
            return {"state": "SENT", "reason": None, "reference": event.reference, "word": event.word}
    return {"state": "SENT", "reason": None, "reference": event.reference, "at": event.at}


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
