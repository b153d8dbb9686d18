# ruff: noqa: S608 - only constants of this file are put together
"""Write the changes of a batch of routing's events into intake's tables, in a handful of statements. SQL only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.inputs import Input
from services.intake.casefile import sections
from services.intake.projection.offers import Changes, Held
from services.intake.projection.timeline import line

_NEW = [
    "offer_id",
    "case_id",
    "agency",
    "track_id",
    "step",
    "round",
    "seat",
    "kind",
    "role",
    "service",
    "reach",
    "urgency",
    "ladder",
    "rung",
    "shows",
    "words",
    "reasons",
    "codes",
    "needs",
    "skip",
    "state",
    "arrived",
    "due",
    "due_what",
    "opened_at",
    "changed_at",
    "closed_at",
    "reason",
]
_OPEN = text(
    f"INSERT INTO intake.offer ({', '.join(_NEW)}) VALUES ({', '.join(':' + name for name in _NEW)}) ON CONFLICT (offer_id) DO NOTHING"
)
_LOCK = text("SELECT 1 FROM intake.offer WHERE offer_id = ANY(CAST(:ids AS text[])) ORDER BY offer_id FOR UPDATE")
_CHANGE = text(
    "UPDATE intake.offer SET state = coalesce(:state, state), rung = coalesce(:rung, rung), arrived = coalesce(:arrived, arrived), "
    "due = :due, due_what = :due_what, changed_at = :at, closed_at = :closed_at, reason = :reason WHERE offer_id = :offer_id"
)
_WENT_ON = text("UPDATE intake.offer SET undo_until = NULL WHERE case_id = ANY(CAST(:cases AS text[])) AND undo_until IS NOT NULL")
_UNDO = text("UPDATE intake.offer SET undo_until = :until WHERE offer_id = :id")
_TASK = text(
    "INSERT INTO intake.task (task_id, desk, case_id, about, track_id, step, seat, rung, due, opened_at) "
    "VALUES (:task_id, :desk, :case_id, :about, :track_id, :step, :seat, :rung, :due, :at) "
    "ON CONFLICT (task_id, desk) DO UPDATE SET about = excluded.about, rung = excluded.rung, due = excluded.due, closed_at = NULL"
)
_SETTLE = text("UPDATE intake.task SET closed_at = :at WHERE task_id = :id AND closed_at IS NULL")
_TRACK = text("INSERT INTO intake.track (track_id, case_id, pathway, at) VALUES (:id, :case, :pathway, :at) ON CONFLICT DO NOTHING")
_BECAME = text("UPDATE intake.referral SET became = :became WHERE referral_id = :id")
_CLOSED = text(
    "UPDATE intake.casefile SET closed_at = :at, outcome = :outcome, sealed_at = coalesce(:sealed_at, sealed_at) "
    "WHERE case_id = :id AND (closed_at IS DISTINCT FROM CAST(:at AS bigint) OR CAST(:sealed_at AS bigint) IS NOT NULL)"
)
_LINK = text("INSERT INTO intake.link (case_id, other, how, at) VALUES (:case, :other, :how, :at) ON CONFLICT DO NOTHING")
_ANSWERED = text(
    "UPDATE intake.answer SET became = found.became "
    "FROM unnest(CAST(:ids AS text[]), CAST(:became AS text[])) AS found(id, became) WHERE decided_id = found.id"
)
_LINE = text("INSERT INTO intake.happening (case_id, seq, at, sealed) VALUES (:case, :seq, :at, :sealed) ON CONFLICT DO NOTHING")


async def apply(tx: AsyncConnection, leave: Permit, changes: Changes) -> None:
    """Store the changes of a batch. Rows are locked in the same order as by the HTTP requests: cases before offers, offers by id."""
    await _many(
        tx,
        _CLOSED,
        (
            {"id": case, "at": change.at, "outcome": change.outcome, "sealed_at": change.sealed_at}
            for case, change in sorted(changes.closed.items())
        ),
    )
    held = sorted(changes.offers.items())
    await _many(tx, _OPEN, (_opened(id, change) for id, change in held if change.opened))
    existing = [(id, change) for id, change in held if not change.opened]
    if existing:
        await tx.execute(_LOCK, {"ids": [id for id, _ in existing]})
    await _many(tx, _CHANGE, (_changed(id, change) for id, change in existing))
    if changes.went_on:
        await tx.execute(_WENT_ON, {"cases": sorted(changes.went_on)})
    undos = {id: until for of_case in changes.undos.values() for id, until in of_case.items()}
    await _many(tx, _UNDO, ({"id": id, "until": until} for id, until in sorted(undos.items())))
    await _many(tx, _TASK, (_task(record, body) for record, body in changes.tasks.values()))
    await _many(tx, _SETTLE, ({"id": id, "at": at} for id, at in sorted(changes.settled.items())))
    await _many(
        tx, _TRACK, ({"id": id, "case": case, "pathway": pathway, "at": at} for id, (case, pathway, at) in sorted(changes.tracks.items()))
    )
    await _many(tx, _BECAME, ({"id": id, "became": word} for id, word in sorted(changes.became.items())))
    await _many(tx, _LINK, ({"case": case, "other": other, "how": how, "at": at} for case, other, how, at in changes.links))
    if changes.answered:
        await tx.execute(_ANSWERED, {"ids": list(changes.answered), "became": list(changes.answered.values())})
    if changes.ignored:
        await _undecline(tx, leave, changes.ignored)


async def add_lines(tx: AsyncConnection, leave: Permit, records: Iterable[Input], keys: Mapping[str, bytes]) -> None:
    """Store the sealed lines of the timeline. A case without a key is erased and gets none."""
    ciphers: dict[str, Any] = {}
    lines = []
    for record in records:
        entry = line(record) if record.case_id in keys else None
        if entry is not None:
            cipher = ciphers.get(record.case_id) or ciphers.setdefault(record.case_id, sections.box(keys[record.case_id]))
            sealed = sections.seal(cipher, msgspec.msgpack.encode(entry), record.case_id, "timeline", str(record.seq))
            lines.append({"case": record.case_id, "seq": record.seq, "at": record.at, "sealed": sealed})
    await _many(tx, _LINE, lines)


async def _undecline(tx: AsyncConnection, leave: Permit, causes: list[str]) -> None:
    """Let an agency read again whose decline routing ignored."""
    sql = text("UPDATE intake.offer SET declined_by = NULL WHERE declined_by = ANY(CAST(:causes AS text[]))")
    await tx.execute(sql, {"causes": causes})


async def _many(tx: AsyncConnection, sql: Any, rows: Iterable[dict[str, Any]]) -> None:
    if listed := list(rows):
        await tx.execute(sql, listed)


def _opened(offer_id: str, held: Held) -> dict[str, Any]:
    assert held.opened is not None
    plain = {name: value for name, value in msgspec.structs.asdict(held.opened).items() if name in _NEW}
    lists = {name: list(value) for name, value in plain.items() if isinstance(value, tuple)}
    return {
        **plain,
        **lists,
        "offer_id": offer_id,
        "case_id": held.case_id,
        "state": held.state,
        "rung": held.rung,
        "arrived": bool(held.arrived),
        "due": held.due,
        "due_what": held.due_what,
        "opened_at": held.opened_at,
        "changed_at": held.at,
        "closed_at": held.closed_at,
        "reason": held.reason,
    }


def _changed(offer_id: str, held: Held) -> dict[str, Any]:
    names = ("state", "rung", "arrived", "due", "due_what", "at", "closed_at", "reason")
    return {"offer_id": offer_id, **{name: getattr(held, name) for name in names}}


def _task(record: Input, body: Any) -> dict[str, Any]:
    names = ("task_id", "desk", "about", "track_id", "step", "seat", "rung", "due")
    return {"case_id": record.case_id, "at": record.at, **{name: getattr(body, name) for name in names}}
