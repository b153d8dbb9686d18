"""SQL of the doors of an agency on Kafka: how far its topic was read, and why it is read late."""

from __future__ import annotations

import json

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.loop.units import word
from referral.wire import topics
from services.intake.store import rows

MANY_BYTES, MANY_REFUSED, NO_READER = "many-bytes", "many-refused", "no-reader"
"""Causes: the agency's budget is used up; so many records were refused that the reasons of further ones are not stored; no process of ours
reads the topic now."""


class LateTopic(Struct, frozen=True, kw_only=True):
    """The state of a topic. state: READING, LATE, PAUSED, or NONE for an agency without a topic that we read.

    cause: empty while it is read and everything is told.
    since, until: of the cause, µs UTC; None where nobody knows.
    read_to: offset up to which records were read: the next one is this.
    """

    state: str
    cause: str = ""
    since: int | None = None
    until: int | None = None
    read_to: int | None = None


_NOTE = text(
    "INSERT INTO intake.late_topic (agency, cause, since, until) VALUES (:agency, :cause, :now, :until) ON CONFLICT (agency) DO UPDATE SET "
    "since = CASE WHEN late_topic.until < excluded.since - 60000000 OR late_topic.cause <> excluded.cause THEN excluded.since "
    "ELSE late_topic.since END, cause = excluded.cause, until = excluded.until"
)
_STATE = (
    "SELECT l.positions::text AS positions, l.lease_until > clock_timestamp() AS is_read, t.cause, t.since, t.until "
    "FROM lease l LEFT JOIN intake.late_topic t ON t.agency = :agency AND t.until > runtime.clock() WHERE l.unit = :unit"
)


async def note(tx: AsyncConnection, agency: str, cause: str, now: int, until: int) -> None:
    """Store why the topic of an agency is read late, or told of less, until a time, µs UTC. A cause that goes on keeps its beginning."""
    await tx.execute(_NOTE, {"agency": agency, "cause": cause, "now": now, "until": until})


async def state(tx: AsyncConnection, agency: str) -> LateTopic:
    """Return the state of the topic of an agency."""
    unit = f"{topics.INGRESS}{agency}"
    for row in await rows(tx, _STATE, {"agency": agency, "unit": unit}):
        read_to = json.loads(row.positions).get(word((unit, 0)), [0])[0]
        if not row.is_read:
            return LateTopic(state="LATE", cause=NO_READER, read_to=read_to)
        late = "LATE" if row.cause == MANY_BYTES else "READING"
        return LateTopic(state=late, cause=row.cause or "", since=row.since, until=row.until, read_to=read_to)
    return LateTopic(state="NONE")
