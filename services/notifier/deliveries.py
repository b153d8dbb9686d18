"""Deliveries in PostgreSQL: the sender's side. A claim is a lease on a row; no transaction is open while a message travels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.often import GATHER_S, MANY, WINDOW_S

LEASE_SECONDS = 60
"""How long a claim holds, by the database's true clock: three times the longest message (channels.email.WHOLE_SECONDS)."""

# The offer must be open, at this rung, for a person who may still be told, and sending must not be paused: asked at the claim, and again
# just before the message leaves.
STILL = (
    "a.state = 'OPEN' AND a.rung = d.rung AND NOT d.person = ANY(a.skip) AND coalesce(NOT p.disabled, false)"
    " AND NOT EXISTS (SELECT FROM pause)"
)
_CLAIM = text(
    # What was under way when its sender died is claimed even if nobody waits for it any more: it may have left, and the log must say so.
    "WITH clock AS (SELECT runtime.clock() AS now),"
    " ripe AS (SELECT d.id, d.due_at, d.lease_until IS NOT NULL AS lapsed, d.person, d.channel, d.drill, row_number() OVER"
    " (PARTITION BY d.person, d.channel, d.drill, d.lease_until IS NULL ORDER BY d.due_at, d.id) AS place FROM delivery d"
    " JOIN asked a ON a.id = d.asked WHERE d.state = 'WAITING' AND (d.lease_until < clock_timestamp()"
    " OR (d.lease_until IS NULL AND d.due_at <= (SELECT now FROM clock) AND a.state = 'OPEN' AND a.rung = d.rung))"
    " AND NOT EXISTS (SELECT FROM pause)),"
    # Messages that left in the window, or are under way, to whom something is ripe for.
    " told AS (SELECT w.person, w.channel, w.drill, count(DISTINCT s.reference) AS messages,"
    " max(coalesce(s.ended_at, (SELECT now FROM clock))) AS latest"
    " FROM (SELECT DISTINCT person, channel, drill FROM ripe) w JOIN delivery s USING (person, channel, drill)"
    " WHERE s.ended_at > (SELECT now FROM clock) - :window AND s.state = 'SENT'"
    " OR s.ended_at IS NULL AND s.state = 'WAITING' AND s.lease_until >= clock_timestamp() GROUP BY w.person, w.channel, w.drill),"
    " free AS (SELECT d.id, r.lapsed FROM delivery d JOIN ripe r USING (id) LEFT JOIN told t"
    " ON (t.person, t.channel, t.drill) = (r.person, r.channel, r.drill)"
    " WHERE d.state = 'WAITING' AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())"  # another sender may have been first
    " AND (r.lapsed OR r.place + coalesce(t.messages, 0) <= :many OR (r.place = 1 AND t.latest <= (SELECT now FROM clock) - :gather))"
    " ORDER BY r.due_at, r.id LIMIT :most FOR UPDATE OF d SKIP LOCKED),"
    " mine AS (UPDATE delivery d SET attempt = attempt + 1, lease_until = clock_timestamp() + make_interval(secs => :lease)"
    " FROM free WHERE d.id = free.id RETURNING d.*, free.lapsed)"
    " SELECT m.id, m.asked, m.case_id, m.task, m.rung, m.again, m.person, m.channel, m.language, m.drill, m.reference, m.attempt,"
    " m.planned_at, m.lapsed, c.address FROM mine m LEFT JOIN contact c ON (c.account, c.channel) = (m.person, m.channel) ORDER BY m.id"
)
_CHECK = text(
    f"SELECT d.id, d.lease_until > clock_timestamp() AS held, coalesce({STILL}, false) AS still,"  # noqa: S608 - the words above
    " EXISTS (SELECT FROM pause) AS paused, runtime.clock() AS now"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS integer[])) AS w (id, attempt) JOIN delivery d USING (id, attempt)"
    " LEFT JOIN asked a ON a.id = d.asked LEFT JOIN person p ON p.account = d.person WHERE d.state = 'WAITING'"
)
_SENT = text(
    "UPDATE delivery d SET lease_until = NULL, state = 'SENT', ended_at = :now, reason = NULL"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS integer[])) AS w (id, attempt)"
    " WHERE d.id = w.id AND d.attempt = w.attempt AND d.state = 'WAITING' RETURNING d.id"
)
_RELEASE = text("UPDATE delivery SET lease_until = NULL, attempt = attempt - 1 WHERE id = :id AND attempt = :attempt AND state = 'WAITING'")
_AGAIN = text(
    "UPDATE delivery d SET lease_until = NULL, due_at = :due, reason = :reason,"
    " state = CASE WHEN a.state = 'OPEN' AND a.rung = d.rung THEN 'WAITING' ELSE 'DROPPED' END FROM asked a"
    " WHERE a.id = d.asked AND d.id = :id AND d.attempt = :attempt AND d.state = 'WAITING'"
)
_END = text(
    "UPDATE delivery SET lease_until = NULL, state = :state, ended_at = :now, reason = :reason"
    " WHERE id = :id AND attempt = :attempt AND state = 'WAITING' RETURNING id"
)
_LOCK = text("SELECT id FROM asked WHERE id = ANY(:asked) ORDER BY id FOR UPDATE")
_STANDS = text("SELECT state, rung, failed FROM asked WHERE id = :asked")
_ALIVE = text("SELECT EXISTS (SELECT FROM delivery WHERE asked = :asked AND rung = :rung AND state IN ('WAITING', 'SENT'))")
_FAIL = text("UPDATE asked SET failed = rung, next_at = NULL WHERE id = :asked")
_GAUGES = text(
    "SELECT count(*) AS waiting, coalesce(runtime.clock() - min(d.due_at), 0) AS oldest, (SELECT max(at) FROM pause) AS paused"
    " FROM delivery d JOIN asked a ON a.id = d.asked AND a.state = 'OPEN' AND a.rung = d.rung WHERE d.state = 'WAITING'"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery that is ours for LEASE_SECONDS. attempt: from 1, and the fence of the result. address: sealed; None when taken away.

    lapsed: the attempt before this one has no result, because its sender died or the database was away too long: the message may have left.
    """

    id: int
    asked: str
    case_id: str
    task: bool
    rung: int
    again: int
    person: str
    channel: str
    language: str
    drill: bool
    reference: str
    attempt: int
    planned_at: int
    lapsed: bool
    address: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a claimed delivery stands just before it is sent. held: the lease is still ours. still: the message is still wanted."""

    held: bool
    still: bool
    paused: bool
    now: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits. oldest: age of the oldest that is due, µs. paused: since when sending is switched off."""

    waiting: int
    oldest: int
    paused: int | None


async def claim(tx: AsyncConnection, most: int) -> list[Claimed]:
    """Lease up to so many deliveries that are due, wanted and nobody else's. Of somebody who was woken often only the oldest, now and then:
    its message carries the others (`grouping`)."""
    values = {"most": most, "lease": LEASE_SECONDS, "many": MANY, "window": WINDOW_S * 1_000_000, "gather": GATHER_S * 1_000_000}
    return [Claimed(*row) for row in await tx.execute(_CLAIM, values)]


async def check(tx: AsyncConnection, claimed: Sequence[Claimed]) -> list[Standing | None]:
    """How each stands now; None when another has claimed or ended it."""
    values = {"ids": [c.id for c in claimed], "attempts": [c.attempt for c in claimed]}
    found = {row[0]: Standing(*row[1:]) for row in await tx.execute(_CHECK, values)}
    return [found.get(c.id) for c in claimed]


async def sent(tx: AsyncConnection, claimed: Sequence[Claimed], now: int) -> set[int]:
    """These have left. Returns the ids whose result counts."""
    if not claimed:
        return set()
    values = {"ids": [c.id for c in claimed], "attempts": [c.attempt for c in claimed], "now": now}
    return {row.id for row in await tx.execute(_SENT, values)}


async def release(tx: AsyncConnection, claimed: Claimed) -> None:
    """Give it back as it was: nothing was tried."""
    await tx.execute(_RELEASE, {"id": claimed.id, "attempt": claimed.attempt})


async def again(tx: AsyncConnection, claimed: Claimed, due: int, reason: str) -> None:
    """Try again later, if it is wanted by then."""
    await tx.execute(_AGAIN, {"id": claimed.id, "attempt": claimed.attempt, "due": due, "reason": reason})


async def end(tx: AsyncConnection, claimed: Claimed, state: str, now: int, reason: str | None = None) -> bool:
    """FAILED or DROPPED, once. False: somebody else's claim is newer, and this result does not count."""
    values = {"id": claimed.id, "attempt": claimed.attempt, "state": state, "now": now, "reason": reason}
    return (await tx.execute(_END, values)).one_or_none() is not None


async def lock(tx: AsyncConnection, asked: Iterable[str]) -> None:
    """Take offers and tasks before their deliveries, in the order of the handler."""
    if ids := sorted(asked):
        await tx.execute(_LOCK, {"asked": ids})


async def exhausted(tx: AsyncConnection, claimed: Claimed) -> bool:
    """Whether the rung has just failed: no message of it went out and none waits. Says so once. Call lock() first."""
    row = (await tx.execute(_STANDS, {"asked": claimed.asked})).one_or_none()
    if row is None or claimed.task or row.state != "OPEN" or row.rung != claimed.rung or row.failed == row.rung:
        return False
    if (await tx.execute(_ALIVE, {"asked": claimed.asked, "rung": claimed.rung})).scalar_one():
        return False
    await tx.execute(_FAIL, {"asked": claimed.asked})
    return True


async def backlog(tx: AsyncConnection) -> Backlog:
    """For metrics and readiness."""
    return Backlog(*(await tx.execute(_GAUGES)).one())
