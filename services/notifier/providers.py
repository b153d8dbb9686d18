"""Keep the breakers of a channel's providers in PostgreSQL, so that all instances, and the next start, know which one works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.channels import Channel, voice
from referral.channels.failover import Failover
from referral.channels.lane import LEASE_SECONDS, LINES, Lane
from referral.domain.durations import SECOND_US
from referral.runtime import observe
from services.notifier.blame import OURS
from services.notifier.breaker import PROBE_SECONDS, TRY_SLOW_SECONDS, Breaker, after, delivered, order

FRESH_SECONDS = 0.5
"""Time for which a line relies on what it has read: another instance's finding counts this much later."""
IDLE_SECONDS = 60
"""Time after which an open provider that nothing has tried is no longer reported: waiting messages retry more often."""
SAID_SECONDS = 10.0
"""Least time between two writings of a success that changes nothing."""
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_FIELDS = ", ".join(Breaker.__dataclass_fields__)
_READ = text(f"SELECT name, {_FIELDS}, {_NOW} AS now FROM provider WHERE channel = :channel")  # noqa: S608 - field names
_MAKE = text(
    f"INSERT INTO provider (channel, name, since) SELECT :channel, n, {_NOW} FROM unnest(CAST(:names AS text[])) AS n"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
_FORGET = text("DELETE FROM provider WHERE channel = :channel AND name <> ALL(CAST(:names AS text[]))")
_LOCKED = text(f"SELECT {_FIELDS}, {_NOW} AS now FROM provider WHERE (channel, name) = (:channel, :name) FOR UPDATE")  # noqa: S608
_WRITE = text(
    "UPDATE provider SET since = :since, recent = :recent, opened = :opened, open_until = :open_until, probe_until = :probe_until,"
    " succeeded_at = :succeeded_at, took = :took, slow = :slow WHERE (channel, name) = (:channel, :name)"
)
_PROBE = text(
    f"UPDATE provider SET probe_until = {_NOW} + :span WHERE (channel, name) = (:channel, :name)"  # noqa: S608
    f" AND (open_until <= {_NOW} OR open_until IS NULL AND :slow) AND (probe_until IS NULL OR probe_until <= {_NOW}) RETURNING name"
)
_OPEN = text(  # one that no message has tried since its time passed may be back: no reason to worry
    f"SELECT channel, name, coalesce(open_until > {_NOW} - :idle, false) AS open FROM provider ORDER BY channel, name"  # noqa: S608
)


class Providers:
    """The breakers of one channel. names: its providers, the preferred one first. chance: returns a random number, 0 ≤ x < 1.

    Without the database the last known order holds, and nothing is written: the messages' own results wait for it too.
    """

    def __init__(self, engine: AsyncEngine, channel: str, names: Sequence[str], chance: Callable[[], float]) -> None:
        self._engine, self._channel, self._names, self._chance = engine, channel, tuple(names), chance
        self._known: dict[str, Breaker] = {}
        self._read_at = self._now = 0.0
        self._said: dict[str, float] = {}

    async def order(self) -> Sequence[str]:
        """Return the providers to try, in order. At most one message at a time tries one that is open."""
        probe = None
        try:
            now = await self._read()
            for name in self._names:
                if probe is None and (known := self._known[name]).may_be_probed(now) and await self._probe(name, known.open_until is None):
                    probe = name
        except Exception as error:
            observe.log().warning("providers not read", channel=self._channel, kind=type(error).__name__)
        return order(self._names, self._known, probe)

    async def result(self, name: str, reached: bool) -> None:
        """Take the result of one message. A success that changes nothing is written now and then."""
        at = asyncio.get_running_loop().time()
        known = self._known.get(name, Breaker())
        dull = reached and known.open_until is None and all(known.recent)
        if dull and at - self._said.get(name, -SAID_SECONDS) < SAID_SECONDS:
            return
        try:
            async with self._engine.begin() as tx:
                values = {"channel": self._channel, "name": name}
                row = (await tx.execute(_LOCKED, values)).one()
                before = _breaker(row)
                made = after(before, reached, row.now, self._chance())
                await tx.execute(_WRITE, values | _columns(made))
            self._known[name], self._said[name] = made, at
        except Exception as error:
            observe.log().warning("provider's result not written", channel=self._channel, kind=type(error).__name__)
        else:
            if (made.open_until is None) is not (before.open_until is None):
                observe.log().warning("provider", channel=self._channel, where=name, reason="away" if made.open_until else "back")

    async def _read(self) -> int:
        """Return the time, µs, after reading the breakers, unless they were read just now."""
        at = asyncio.get_running_loop().time()
        if not self._known or at - self._read_at > FRESH_SECONDS:
            async with self._engine.begin() as tx:
                if len(self._known) < len(self._names):
                    for statement in (_FORGET, _MAKE):
                        await tx.execute(statement, {"channel": self._channel, "names": list(self._names)})
                rows = (await tx.execute(_READ, {"channel": self._channel})).all()
            self._known = {row.name: _breaker(row) for row in rows if row.name in self._names}
            self._read_at, self._now = at, rows[0].now
        return round(self._now + (at - self._read_at) * SECOND_US)

    async def _probe(self, name: str, slow: bool) -> bool:
        """Return whether this message is the one that tries an open provider, or a slow one."""
        async with self._engine.begin() as tx:
            span = TRY_SLOW_SECONDS if slow else PROBE_SECONDS
            values = {"channel": self._channel, "name": name, "slow": slow, "span": span * SECOND_US}
            return (await tx.execute(_PROBE, values)).one_or_none() is not None


def lane(made: Mapping[str, Callable[[], Channel]], breakers: Providers, seconds: float, lines: int = LINES) -> Lane:
    """Return the lane of a channel with several providers. made: makes the channel of each, by name. seconds: limit of one call of one."""
    return Lane(lambda: Failover({name: make() for name, make in made.items()}, breakers, OURS, seconds), lines, len(made) * seconds)


def calls(made: Mapping[str, Callable[[], Channel]], breakers: Providers) -> Lane:
    """Return the lane of telephone calls.

    At a stop each ends properly: somebody listens, and would be called again. The lease is longer than a call: when the machine that called
    it has vanished, a telephone rings on for a while, and would be busy for another sender.
    """
    one = lane(made, breakers, voice.SECONDS, voice.LINES)
    return replace(one, stop=one.seconds, lease=voice.SECONDS + LEASE_SECONDS)


async def states(tx: AsyncConnection) -> dict[tuple[str, str], bool]:
    """Return, by channel and provider, whether its breaker is open."""
    return {(row.channel, row.name): row.open for row in await tx.execute(_OPEN, {"idle": IDLE_SECONDS * SECOND_US})}


async def receipt(tx: AsyncConnection, channel: str, name: str, seconds: float) -> None:
    """Take a receipt of a provider that still exists. seconds: from handed over to delivered."""
    values = {"channel": channel, "name": name}
    row = (await tx.execute(_LOCKED, values)).one_or_none()
    if row is None:
        return
    made = delivered(before := _breaker(row), seconds)
    await tx.execute(_WRITE, values | _columns(made))
    if made.slow is not before.slow:
        observe.log().warning("provider", channel=channel, where=name, reason="slow" if made.slow else "quick")


async def refused(tx: AsyncConnection, channel: str, name: str) -> None:
    """Take a receipt by which a provider's network refuses a message that it had taken: for want of credit, say, it refuses all of them."""
    values = {"channel": channel, "name": name}
    row = (await tx.execute(_LOCKED, values)).one_or_none()
    if row is None:
        return
    made = after(before := _breaker(row), False, row.now, 0.0)
    await tx.execute(_WRITE, values | _columns(made))
    if before.open_until is None and made.open_until is not None:
        observe.log().warning("provider", channel=channel, where=name, reason="away")


def _breaker(row: Any) -> Breaker:
    values: dict[str, Any] = {name: getattr(row, name) for name in Breaker.__dataclass_fields__}
    return Breaker(**(values | {"recent": tuple(row.recent), "took": tuple(row.took)}))


def _columns(known: Breaker) -> dict[str, Any]:
    return asdict(known) | {"recent": list(known.recent), "took": list(known.took), "slow": known.slow}
