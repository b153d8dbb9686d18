"""Claim, check and end deliveries in PostgreSQL, for the sender.

A claim is a lease on a row, which its sender renews while the message travels; no transaction is open meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.postgres import bells
from referral.wire import topics
from services.notifier import roster, wakeup
from services.notifier.blame import OURS
from services.notifier.caps import HELD
from services.notifier.duty import Loudness
from services.notifier.hush import Hush
from services.notifier.pace import pace
from services.notifier.plan import Question, State, wanted
from services.notifier.steps import URGENT_US, by_day, loudness

LOOK = 200
"""Oldest deliveries that one claim considers (ours): far more than lines are free, few enough that no plan of the database is slow. Without
it, a claim took 20 s in a storm, until the database had counted the rows that the storm had brought."""
RENEW_AT = 0.8
"""Part of its lease that is left when a claim is renewed (ours): most messages are sent before; a slow sender may miss some renewals."""
_CLAIM = text(
    # Claim a delivery whose sender died even if its question is closed: the message may have been sent, and the log must record that.
    # Claim a delivery that an operator discarded for the same reason.
    f"WITH clock AS (SELECT runtime.clock() AS now), cap AS (SELECT {HELD.format(':channel', '(SELECT now FROM clock)')} AS held),"  # noqa: S608 - fixed words
    # Messages sent within the window or under way, for each person.
    " told AS MATERIALIZED (SELECT person, drill, count(DISTINCT reference) AS messages, max(at) AS latest FROM ("
    " SELECT person, drill, reference, ended_at AS at FROM delivery"
    " WHERE channel = :channel AND state = 'SENT' AND ended_at > (SELECT now FROM clock) - :window"
    " UNION ALL SELECT person, drill, reference, (SELECT now FROM clock) FROM delivery"
    " WHERE channel = :channel AND state = 'WAITING' AND lease_until >= clock_timestamp()) AS s GROUP BY person, drill),"
    # People who must not get another one now. NOT IN is a look into a hash table, whatever the database believes of its size.
    " had AS (SELECT person, drill FROM told WHERE (messages >= :many AND latest > (SELECT now FROM clock) - :gather)"
    " OR (:gap > 0 AND latest > (SELECT now FROM clock) - :gap)),"
    " oldest AS MATERIALIZED (SELECT d.id, d.due_at, d.lease_until IS NOT NULL AS lapsed, d.thrown, d.person, d.channel, d.drill"
    " FROM delivery d JOIN asked a ON a.id = d.asked WHERE d.state = 'WAITING' AND (d.channel = :channel OR d.channel <> ALL(:strays))"
    " AND ((:ended AND d.lease_until < clock_timestamp() AND d.id <> ALL(:held)) OR (d.lease_until IS NULL"
    " AND (d.thrown OR (d.due_at <= (SELECT now FROM clock) AND a.state = 'OPEN' AND a.rung = d.rung"
    " AND (d.person, d.drill) NOT IN (SELECT person, drill FROM had)"
    # Above the cap of the day only first knocks for what is urgent leave.
    " AND (d.channel <> :channel OR (d.again = 0 AND a.due <= d.planned_at + :urgent) OR NOT (SELECT held FROM cap))))))"
    " AND NOT EXISTS (SELECT FROM pause WHERE ended_at IS NULL) ORDER BY d.due_at, d.id LIMIT :look),"
    " ripe AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY person, channel, drill, lapsed, thrown ORDER BY due_at, id) AS place"
    " FROM oldest),"
    " free AS (SELECT d.id, r.lapsed FROM delivery d JOIN ripe r USING (id) LEFT JOIN told t ON (t.person, t.drill) = (r.person, r.drill)"
    " WHERE d.state = 'WAITING' AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())"  # another sender may have claimed it
    " AND (r.lapsed OR r.thrown OR ((:gap = 0 OR r.place = 1)"
    " AND (r.place + coalesce(t.messages, 0) <= :many OR (r.place = 1 AND t.latest <= (SELECT now FROM clock) - :gather))))"
    " ORDER BY r.due_at, r.id LIMIT :most FOR UPDATE OF d SKIP LOCKED),"
    " mine AS (UPDATE delivery d SET attempt = attempt + 1, lease_until = clock_timestamp() + make_interval(secs => :lease)"
    " FROM free WHERE d.id = free.id RETURNING d.*, free.lapsed)"
    " SELECT m.id, m.asked, m.case_id, m.task, m.rung, m.again, m.person, m.channel, l.language, m.drill, m.reference, m.attempt,"
    " m.planned_at, m.lapsed, m.thrown, m.reason, c.address, CASE WHEN c.until > runtime.clock() THEN c.former END FROM mine m"
    " LEFT JOIN contact c ON (c.account, c.channel) = (m.person, m.channel) AND c.ended_at IS NULL"
    " LEFT JOIN intake.account l ON l.id = m.person ORDER BY m.id"
)
_RENEW = text(
    "UPDATE delivery d SET lease_until = clock_timestamp() + make_interval(secs => w.lease)"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS integer[]), CAST(:leases AS float8[])) AS w (id, attempt, lease)"
    # A row that is locked has its result written, or its sender is stuck in that: one such row must not stop the renewal of all others.
    " WHERE (d.id, d.attempt) = (w.id, w.attempt) AND d.id IN (SELECT id FROM delivery WHERE id = ANY(CAST(:ids AS bigint[]))"
    " AND state = 'WAITING' AND lease_until IS NOT NULL ORDER BY id FOR UPDATE SKIP LOCKED)"
    " AND d.lease_until < clock_timestamp() + make_interval(secs => w.lease * :part)"
)
_RIPE = text(
    "SELECT EXISTS (SELECT FROM delivery WHERE state = 'WAITING'"
    " AND (lease_until < clock_timestamp() OR (lease_until IS NULL AND (thrown OR due_at <= runtime.clock()))))"
)
LOOKED = (  # an answer counts for what waits beside it as soon as it is stored, also while the handler does not read it
    "EXISTS (SELECT FROM delivery w WHERE (w.asked, w.rung) = (d.asked, d.rung) AND w.again >= d.again AND w.word = 'LOOKS'"
    " AND w.person <> ALL (a.skip))"
)
"""SQL: whether somebody has answered the round of delivery `d` of question `a`."""
DECLINED = (
    "EXISTS (SELECT FROM delivery w WHERE (w.asked, w.rung, w.person) = (d.asked, d.rung, d.person) AND w.word = 'CANNOT'"
    " AND (NOT d.task OR w.again >= d.again))"
)
"""SQL: whether the recipient of delivery `d` has answered "I cannot": to an offer at this rung, to a desk's task in this round."""
ASKED = ", ".join(f"a.{name}" for name in Question.__dataclass_fields__)
_CHECK = text(
    f"SELECT d.id AS delivery, d.person, d.rung AS at_rung, d.lease_until > clock_timestamp() AS held, {ASKED},"  # noqa: S608 - field names
    " EXISTS (SELECT FROM pause WHERE ended_at IS NULL) AS paused, runtime.clock() AS now,"
    f" {LOOKED} AS looked, {DECLINED} AS declined"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS integer[])) AS w (id, attempt) JOIN delivery d USING (id, attempt)"
    " JOIN asked a ON a.id = d.asked WHERE d.state = 'WAITING'"
)
_NEXT = text(  # the next channel of whoever could not be reached by this one
    "UPDATE delivery SET due_at = :now WHERE id = (SELECT id FROM delivery WHERE asked = :asked AND rung = :rung AND person = :person"
    " AND state = 'WAITING' AND lease_until IS NULL AND due_at > :now ORDER BY due_at, id LIMIT 1)"
)
_SENT = text(
    "UPDATE delivery d SET lease_until = NULL, state = 'SENT', ended_at = :now, reason = NULL, provider = w.provider"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS integer[]), CAST(:providers AS text[])) AS w (id, attempt, provider)"
    " WHERE d.id = w.id AND d.attempt = w.attempt AND d.state = 'WAITING' RETURNING d.id"
)
_ANSWERED = text(
    "UPDATE delivery d SET word = w.word FROM unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) AS w (id, word) WHERE d.id = w.id"
)
_STANDING = "a.state = 'OPEN' AND NOT a.stopped AND a.rung = d.rung"
_GOES_ON = (
    f"state = CASE WHEN {_STANDING} THEN 'WAITING' ELSE 'DROPPED' END,"
    f" ended_at = CASE WHEN {_STANDING} THEN NULL ELSE CAST(:now AS bigint) END FROM asked a"
    " WHERE a.id = d.asked AND d.id = :id AND d.attempt = :attempt AND d.state = 'WAITING' RETURNING d.state"
)
_RELEASE = text("UPDATE delivery SET lease_until = NULL, attempt = attempt - 1 WHERE id = :id AND attempt = :attempt AND state = 'WAITING'")
_AGAIN = text(f"UPDATE delivery d SET lease_until = NULL, due_at = :due, reason = :reason, {_GOES_ON}")  # noqa: S608 - fixed words
_PUT_OFF = text(  # as if it had been planned for then: nothing is late before
    f"UPDATE delivery d SET lease_until = NULL, attempt = attempt - 1, due_at = :due, planned_at = :due, {_GOES_ON}"  # noqa: S608
)
_END = text(
    "UPDATE delivery SET lease_until = NULL, state = :state, ended_at = :now, reason = :reason"
    " WHERE id = :id AND attempt = :attempt AND state = 'WAITING' RETURNING id"
)
_LOCK = text("SELECT id FROM asked WHERE id = ANY(:asked) ORDER BY id FOR UPDATE")
_STANDS = text("SELECT state, rung, failed, taken FROM asked WHERE id = :asked")
_ALIVE = text(  # a failure by our fault does not fail the rung: the next repeat tries again
    "SELECT EXISTS (SELECT FROM delivery WHERE asked = :asked AND rung = :rung"
    " AND (state IN ('WAITING', 'SENT') OR (state = 'FAILED' AND reason = ANY(:ours))))"
)
_FAIL = text("UPDATE asked SET failed = rung, next_at = NULL, handover = NULL WHERE id = :asked")
_LOOK = text("UPDATE asked SET handover = :now WHERE id = :asked AND state = 'OPEN'")
_ALARM = text(
    "INSERT INTO alarm AS a (case_id, partition, at) VALUES (:case, :partition, :now)"
    " ON CONFLICT (case_id) DO UPDATE SET at = least(a.at, excluded.at)"
)
_GAUGES = text(
    "SELECT d.channel, count(*) AS waiting, runtime.clock() - min(d.planned_at) AS oldest,"
    # Not what is in its first attempt: a telephone rings, or the message has waited for its person's pace. What hangs fails by its limit.
    " coalesce(runtime.clock() - min(d.planned_at) FILTER (WHERE d.reason IS NOT NULL), 0) AS tried"
    " FROM delivery d JOIN asked a ON a.id = d.asked AND a.state = 'OPEN' AND a.rung = d.rung"
    " WHERE d.state = 'WAITING' AND d.planned_at <= runtime.clock() AND (d.reason IS NULL OR d.reason = ANY(:ours)) GROUP BY d.channel"
)
_PAUSED = text("SELECT max(added_at) FROM pause WHERE ended_at IS NULL")


@dataclass(frozen=True, slots=True, eq=False)  # a claim that was given back and taken again has the same values, and is another one
class Claimed:
    """One delivery that this sender holds until its lease ends.

    attempt: from 1; also the fence, because only the newest attempt may write a result. address: sealed; None after its removal.
    language: of the inbox account; None without an account. reason: of the last failed attempt; None before the first.
    lapsed: the previous attempt has no result, because its sender died or the database was away too long; the message may have been sent.
    thrown: an operator discarded it; nothing is sent. former: the sealed address before this one, which still counts; None: there is none.
    """

    id: int
    asked: str
    case_id: str
    task: bool
    rung: int
    again: int
    person: str
    channel: str
    language: str | None
    drill: bool
    reference: str
    attempt: int
    planned_at: int
    lapsed: bool
    thrown: bool
    reason: str | None
    address: bytes | None = field(repr=False)
    former: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeliveryCheck:
    """State of a claimed delivery just before it is sent.

    held: this sender still holds the lease. open: its question is open, at the delivery's rung, and nobody has answered its round.
    wanted: its recipient is on duty for the question and may be knocked. paused: sending is switched off. now: µs by the one clock.
    leaves: when it may leave, µs: now, or by day, where it would wake somebody for what can wait. urgent: its question is.
    unconfirmed: nobody has confirmed what it asks for.
    """

    held: bool
    open: bool
    wanted: bool
    paused: bool
    now: int
    leaves: int
    urgent: bool = False
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waiting deliveries of one channel that are due: not those for which a person, and not our side, is the reason to wait.

    oldest: µs since the oldest was first due; retries do not make it younger.
    tried: the same for the oldest that failed an attempt; 0 if there is none.
    """

    count: int
    oldest: int
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """Waiting deliveries by channel. paused: time at which sending was switched off, µs; None while it is on."""

    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    paused: int | None = None


async def claim(
    tx: AsyncConnection,
    channel: str,
    most: int,
    lease: float,
    known: Sequence[str] | None = None,
    held: Collection[int] = (),
    *,
    ended: bool = True,
) -> list[Claimed]:
    """Lease up to `most` deliveries of a channel that are due, wanted and not leased by another sender.

    lease: duration of the claim without a renewal, by the database's true clock, s.
    known: the channels that have a lane; deliveries of all other channels are claimed too. None: claim this channel only.
    held: ids of what this sender has under way; their claims may have ended while the database was away.
    ended: also those whose claim has ended.
    For a person who was told often, claim only the oldest delivery, at the channel's pace: its message carries the others (`grouping`).
    """
    limits = pace(channel)
    values: dict[str, Any] = {"channel": channel, "strays": None if known is None else list(known), "most": most, "many": limits.many}
    values |= {"ended": ended, "held": list(held), "lease": lease, "look": LOOK, "urgent": URGENT_US}
    values |= {name: getattr(limits, name) * 1_000_000 for name in ("window", "gather", "gap")}
    return [Claimed(*row) for row in await tx.execute(_CLAIM, values)]


async def renew(tx: AsyncConnection, held: Mapping[Claimed, float]) -> None:
    """Renew the claims that are old enough and that no other sender has taken over. held: each with its lane's lease, s."""
    values = {"ids": [c.id for c in held], "attempts": [c.attempt for c in held], "leases": [*held.values()]}
    await tx.execute(_RENEW, values | {"part": RENEW_AT})


async def ripe(tx: AsyncConnection) -> bool:
    """Return whether a delivery may be claimed, by whichever lane: it is due, or its sender has died."""
    return bool((await tx.execute(_RIPE)).scalar_one())


async def check(tx: AsyncConnection, claimed: Sequence[Claimed], hush: Hush | None = None) -> list[DeliveryCheck | None]:
    """Return the state of each delivery by the present roster; None if another sender has claimed or ended it. hush: as `Sender`."""
    values = {"ids": [c.id for c in claimed], "attempts": [c.attempt for c in claimed]}
    rows = (await tx.execute(_CHECK, values)).all()
    staff = await roster.load(tx, {row.agency for row in rows if row.state == State.OPEN})
    checks, channels = {}, {c.id: c.channel for c in claimed}
    for row in rows:
        asked, channel = question(row), channels[row.delivery]
        open_ = asked.state is State.OPEN and asked.rung == row.at_rung and not row.looked and not asked.stopped
        held = open_ and not row.declined and wanted(asked, row.at_rung, row.person, staff, row.now)
        loud = loudness(asked.due, row.now, asked.once)
        leaves = by_day(channel, loud, asked.due, row.now)
        leaves = hush.leaves(asked, channel, staff.nights, leaves) if hush else leaves
        checks[row.delivery] = DeliveryCheck(row.held, open_, held, row.paused, row.now, leaves, loud is Loudness.URGENT, asked.unconfirmed)
    return [checks.get(c.id) for c in claimed]


def question(row: Row[Any]) -> Question:
    """Return the offer or task in the columns of a row."""
    return msgspec.convert({name: row._mapping[name] for name in Question.__dataclass_fields__}, Question)


async def sent(tx: AsyncConnection, claimed: Mapping[Claimed, str], now: int) -> set[int]:
    """Mark these as sent, each by its provider. Return the ids whose result counts."""
    if not claimed:
        return set()
    values = {"ids": [c.id for c in claimed], "attempts": [c.attempt for c in claimed], "providers": [*claimed.values()], "now": now}
    return {row.id for row in await tx.execute(_SENT, values)}


async def answered(tx: AsyncConnection, words: Sequence[tuple[int, str]]) -> None:
    """Write what the recipients answered at once, by the id of the delivery."""
    if words:
        await tx.execute(_ANSWERED, {"ids": [id_ for id_, _ in words], "words": [word for _, word in words]})


async def release(tx: AsyncConnection, claimed: Claimed) -> None:
    """Return a delivery to the queue without counting the attempt: nothing was tried."""
    await tx.execute(_RELEASE, {"id": claimed.id, "attempt": claimed.attempt})


async def again(tx: AsyncConnection, claimed: Claimed, now: int, due: int, reason: str) -> bool:
    """Retry at `due`. False: its question is no longer open at this rung, so it has ended, and it was tried in vain."""
    values = {"id": claimed.id, "attempt": claimed.attempt, "now": now, "due": due, "reason": reason}
    return (await tx.execute(_AGAIN, values)).scalar_one_or_none() != "DROPPED"


async def put_off(tx: AsyncConnection, claimed: Claimed, now: int, due: int) -> bool:
    """Return a delivery to the queue until `due`, without counting the attempt: nothing was tried. False: as `again`."""
    values = {"id": claimed.id, "attempt": claimed.attempt, "now": now, "due": due}
    return (await tx.execute(_PUT_OFF, values)).scalar_one_or_none() != "DROPPED"


async def look_again(tx: AsyncConnection, claimed: Claimed, now: int) -> None:
    """Have the handler plan the question again at once: its recipient is no longer on duty. Call lock() first."""
    await tx.execute(_LOOK, {"asked": claimed.asked, "now": now})
    await alarm(tx, claimed.case_id, now)


async def alarm(tx: AsyncConnection, case_id: str, at: int) -> None:
    """Have the handler look at the open questions of a case at this time, µs UTC, or earlier."""
    await tx.execute(_ALARM, {"case": case_id, "partition": topics.partition(case_id), "now": at})
    bells.wake(tx)


async def end(tx: AsyncConnection, claimed: Claimed, state: str, now: int, reason: str | None = None) -> bool:
    """End a delivery as FAILED or DROPPED, once. False: another sender's claim is newer, and this result does not count."""
    values = {"id": claimed.id, "attempt": claimed.attempt, "state": state, "now": now, "reason": reason}
    return (await tx.execute(_END, values)).one_or_none() is not None


async def next_channel(tx: AsyncConnection, claimed: Claimed, now: int) -> None:
    """Make the next delivery to the same person for the same question due now: this one ended in vain. Call lock() first."""
    await tx.execute(_NEXT, {"asked": claimed.asked, "rung": claimed.rung, "person": claimed.person, "now": now})
    wakeup.ring(tx)


async def lock(tx: AsyncConnection, asked: Iterable[str]) -> None:
    """Lock offers and tasks before their deliveries, in the same order as the handler."""
    if ids := sorted(asked):
        await tx.execute(_LOCK, {"asked": ids})


async def exhausted(tx: AsyncConnection, claimed: Claimed) -> bool:
    """Mark the rung as failed if no message was sent, none waits, and the fault is not ours. Call lock() first.

    True: this call marked it; the caller emits RungFailed once.
    """
    row = (await tx.execute(_STANDS, {"asked": claimed.asked})).one_or_none()
    if row is None or claimed.task or row.taken or row.state != "OPEN" or row.rung != claimed.rung or row.failed == row.rung:
        return False
    if (await tx.execute(_ALIVE, {"asked": claimed.asked, "rung": claimed.rung, "ours": list(OURS)})).scalar_one():
        return False
    await tx.execute(_FAIL, {"asked": claimed.asked})
    return True


async def backlog(tx: AsyncConnection) -> Backlog:
    """Return the waiting deliveries, for metrics and readiness."""
    waiting = {row.channel: Waiting(row.waiting, row.oldest, row.tried) for row in await tx.execute(_GAUGES, {"ours": list(OURS)})}
    return Backlog(waiting, (await tx.execute(_PAUSED)).scalar_one_or_none())
