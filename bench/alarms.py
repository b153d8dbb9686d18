"""Measure escalations: the delay of each at a steady rate, and the time for ten thousand overdue ones after an outage."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from bench import fill, topic
from bench.ground import Ground, admin, say, until
from bench.routing import OUT, reached
from bench.rows import Row, at_most, percentile
from referral.domain.durations import MINUTE_US, SECOND_US
from referral.local.stack import Stack
from referral.runtime.postgres import clock, database
from referral.wire import seal

OVERDUE = 10_000
FIRST = "SELECT min(at) FROM routing.alarm"
AHEAD = "SELECT min(at) > runtime.clock() + 60000000 FROM routing.alarm"
"""True once every alarm has fired and set the next one, which is minutes away."""


async def late(made: Stack, chest: dict[str, bytes]) -> AsyncIterator[Row]:
    """Advance the clock until the cases that came in at 50 a second are escalated in turn; measure the delay of each."""
    async with admin(made) as connection:
        ahead = await connection.fetchval(FIRST) - await connection.fetchval("SELECT runtime.clock()") - 2 * SECOND_US
        offset = await advance(made, ahead)
        say("every one of them is escalated in its turn")
        await until(lambda: connection.fetchval(AHEAD))
    delays = [stamp + offset / 1000 - due / 1000 for stamp, due in await rung(made, chest)]
    assert len(delays) == len(chest), f"{len(delays)} escalations of {len(chest)} cases"
    yield Row(name="escalation lateness at 50 a second, p50", value=percentile(delays, 0.5) / 1000, unit="s")
    yield at_most("escalation lateness at 50 a second, p99", percentile(delays, 0.99) / 1000, "s", 1.5)


async def outage(at: Ground) -> AsyncIterator[Row]:
    """Stop routing while ten thousand offers pass their limit; measure from readiness to the last escalation."""
    async with at.line("routing") as made, admin(made) as connection:
        sealed, chest = await fill.prepare(made, OVERDUE, 33)
        await fill.produce(made, sealed)
        await until(lambda: reached(connection, OVERDUE))
        await made["routing-1"].stop()
        say(f"{OVERDUE} alarms become overdue while routing is away")
        last = await connection.fetchval("SELECT max(at) FROM routing.alarm")
        await advance(made, last - await connection.fetchval("SELECT runtime.clock()") + MINUTE_US)
        await made["routing-1"].start()
        ready = time.time() * 1000
        await until(lambda: connection.fetchval(AHEAD))
        escalations = await rung(made, chest)
        assert len(escalations) == OVERDUE, f"{len(escalations)} escalations of {OVERDUE} cases"
        yield at_most(f"{OVERDUE:,} overdue alarms after an outage", (max(stamp for stamp, _ in escalations) - ready) / 1000, "s", 10)


async def rung(made: Stack, chest: dict[str, bytes]) -> list[tuple[int, int]]:
    """Return (the broker's stamp in ms, the due time in µs) of every event that an alarm caused."""
    rings = []
    for record in await topic.read(made.settings, made.settings.topic(OUT)):
        if seal.open(record.value).meta.case_id in chest:
            head = getattr(topic.body(record.value, OUT, chest), "head", None)
            if head is not None and head.due is not None:
                rings.append((record.at, head.due))
    return rings


async def advance(made: Stack, by: int) -> int:
    """Advance the drill clock of the whole line, µs. Return its total offset."""
    engine = database.admin(made.settings)
    try:
        async with engine.begin() as tx:
            await clock.advance(tx, made.settings, by)
            return await clock.offset(tx)
    finally:
        await engine.dispose()
