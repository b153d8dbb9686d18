"""Count who was told of an offer or a task, for intake's pages: numbers and times, and nothing about a person.

The notifier answers because it alone knows when the next message is due; its topic knows only what has happened.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.channels import Word
from referral.runtime.keys.case_keys import Keys
from referral.wire import told as wire
from referral.wire.told import Told
from services.notifier.blame import CALLS, OURS
from services.notifier.guesses import BLOCKED
from services.notifier.plan import State

_READ = text(
    "SELECT a.id, a.state AS asked_state, a.rung, a.task, CASE WHEN NOT a.stopped THEN a.next_at END AS next_at, a.due, a.cannot,"  # noqa: S608 - numbers
    " runtime.clock() AS now,"
    " EXISTS (SELECT FROM pause WHERE ended_at IS NULL) AS paused, d.person, d.channel, d.state, d.attempt, d.reason, d.ended_at,"
    " d.delivered_at, d.due_at, d.word, coalesce(d.lease_until > clock_timestamp(), false) AS leased,"
    f" EXISTS (SELECT FROM guess g WHERE (g.account, g.channel) = (d.person, d.channel) AND {BLOCKED}) AS blocked"
    " FROM asked a LEFT JOIN delivery d ON d.asked = a.id AND d.rung = a.rung AND d.person <> ALL (a.skip)"
    " WHERE a.id = ANY(:ids) ORDER BY a.id, d.person, d.id"
)


class Stage(IntEnum):
    """The result of all messages to one person; the highest counts.

    A call that nobody answered counts more than an SMS that arrived: the page must not sound better than it is.
    """

    NONE = 0
    LOST = 1
    WAITS = 2
    SENT = 3
    DELIVERED = 4
    SILENT = 5
    HEARD = 6
    CANNOT = 7


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery of the present rung.

    leased: an attempt is under way. word: answered by its recipient. blocked: a reply to it waits. Times: µs UTC.
    """

    person: str
    channel: str
    state: str
    attempt: int
    reason: str | None
    ended_at: int | None
    delivered_at: int | None
    due_at: int
    leased: bool
    word: str | None = None
    blocked: bool = False

    @property
    def stage(self) -> Stage:
        """Result of this message."""
        if self.reason == "cannot":
            return Stage.CANNOT
        if self.word == Word.LOOKS or (self.state == "SENT" and self.channel == "voice"):
            return Stage.HEARD  # a call is taken only by a key
        if self.delivered_at is not None:
            return Stage.DELIVERED
        if self.state == "SENT":
            return Stage.SENT
        if self.attempt and self.reason in CALLS:
            return Stage.SILENT
        if self.state == "WAITING" or (self.state == "FAILED" and self.reason in OURS):
            return Stage.WAITS
        return Stage.LOST if self.state == "FAILED" else Stage.NONE

    @property
    def at(self) -> int | None:
        """Time of the result."""
        return self.delivered_at if self.delivered_at is not None else self.ended_at


@dataclass(frozen=True, slots=True)
class Progress:
    """A question, as far as the count needs it. due: of a task: when routing repeats it. now: µs UTC."""

    state: State
    rung: int
    task: bool
    next_at: int | None
    due: int | None
    cannot: tuple[str, ...]
    now: int
    paused: bool


def count(asked: Progress, messages: Iterable[Message]) -> Told:
    """Count each person once, by the best known result of all messages to them. messages: those of one person stand together. Pure."""
    rows = tuple(messages)
    stages: list[tuple[Stage, int | None]] = []
    for person, of in groupby(rows, key=lambda m: m.person):
        theirs = [(m.stage, m.at) for m in of]
        stage = Stage.CANNOT if person in asked.cannot else max(one for one, _ in theirs)
        stages.append((stage, max((at for one, at in theirs if one is stage and at is not None), default=None)))
    arrived = (Stage.HEARD, Stage.DELIVERED)
    return Told(
        rung=asked.rung,
        delivered=_number(stages, arrived),
        delivered_at=_latest(stages, arrived),
        sent=_number(stages, (Stage.SENT,)),
        sent_at=_latest(stages, (Stage.SENT,)),
        silent=_number(stages, (Stage.SILENT,)),
        cannot=_number(stages, (Stage.CANNOT,)),
        lost=_number(stages, (Stage.LOST,)),
        waits=_number(stages, (Stage.WAITS,)),
        next_at=_next(asked, rows),
        paused=asked.paused,
        blocked=len({m.person for m in rows if m.blocked}) if asked.state is State.OPEN else 0,
    )


def _number(stages: Sequence[tuple[Stage, int | None]], of: tuple[Stage, ...]) -> int:
    return sum(stage in of for stage, _ in stages)


def _latest(stages: Sequence[tuple[Stage, int | None]], of: tuple[Stage, ...]) -> int | None:
    return max((at for stage, at in stages if stage in of and at is not None), default=None)


def _next(asked: Progress, messages: Iterable[Message]) -> int | None:
    """Return when the next message is due: one that waits, the next round, or a task's repeat by routing."""
    if asked.state is State.CLOSED:
        return None
    times = [] if asked.next_at is None else [asked.next_at]
    if asked.state is State.OPEN:
        waiting = [m for m in messages if m.state == "WAITING" and m.person not in asked.cannot]
        times += [asked.now if m.leased else m.due_at for m in waiting]
        if asked.task and asked.due is not None:
            times.append(asked.due)
    return min(times, default=None)


class WhoWasTold:
    """The answer to intake's question."""

    def __init__(self, engine: AsyncEngine, keys: Keys) -> None:
        self._engine, self._keys = engine, keys

    def knows(self, token: str, question: bytes) -> bool:
        """Return whether a holder of the master key asks exactly this."""
        return hmac.compare_digest(token.encode(), self._keys.told(question).encode())

    async def answer(self, question: bytes) -> bytes:
        """Return the encoded answer. Malformed: no question."""
        return wire.answer(await self._read(wire.asked(question)))

    async def _read(self, ids: Sequence[str]) -> Mapping[str, Told]:
        async with self._engine.connect() as tx:
            rows = (await tx.execute(_READ, {"ids": list(ids)})).all()
        told = {}
        for id_, found in groupby(rows, key=lambda row: row.id):
            of = list(found)
            first = of[0]
            asked = Progress(
                State(first.asked_state), first.rung, first.task, first.next_at, first.due, tuple(first.cannot), first.now, first.paused
            )
            names = Message.__dataclass_fields__
            told[id_] = count(asked, [Message(**{name: getattr(row, name) for name in names}) for row in of if row.person is not None])
        return told
