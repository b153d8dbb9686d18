"""When nothing is under way any more: everything taken is read, decided, said and logged, and no knock of it waits to be sent.

Offers that nobody answers are knocked for again and again, to each person once a minute: where hundreds stand open, some knock is always
due. So the knocks that count are those that were due when all else was done.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.local.stack import Stack
from referral.runtime.kafka import scan
from referral.runtime.loop.units import place
from referral.runtime.postgres import database
from referral.runtime.settings import LINE
from referral.wire import topics

QUIET_S = 420.0
"""Longest wait, after the load has ended, for all of it; a knock that failed waits minutes for its next attempt (blame.RETRY_SECONDS)."""
CASES = ("referral-intake", "referral-routing", "referral-notification")
KNOCKS = text(
    "SELECT count(*) FROM notifier.delivery d JOIN notifier.asked a ON a.id = d.asked WHERE d.state = 'WAITING'"
    " AND a.state = 'OPEN' AND a.rung = d.rung AND d.due_at <= :by"
)
NOW = text("SELECT runtime.clock()")


async def quiet(stack: Stack, seconds: float = QUIET_S) -> list[str]:
    """Wait until nothing is under way; what still is when the time is over, in words (empty: nothing)."""
    by = 0
    try:
        async with asyncio.timeout(seconds):
            for process in stack.processes.values():
                await process.ready()
            await _ended(lambda: waiting(stack))
            by = await _asked(stack, NOW)
            await _ended(lambda: due(stack, by))
            await _ended(lambda: waiting(stack))
    except TimeoutError:
        left = await waiting(stack) + await due(stack, by)
        return left or [f"{name} is {p.state}" for name, p in stack.processes.items() if p.state != "ready"]
    return []


async def _ended(look: Callable[[], Awaitable[list[str]]]) -> None:
    """Wait until a look finds nothing. A server that does not answer in its own time on a busy machine is asked again."""
    while True:
        with contextlib.suppress(TimeoutError):
            if not await look():
                return
        await asyncio.sleep(0.3)


async def due(stack: Stack, by: int) -> list[str]:
    """The knocks that were due at a time, and wait. by: µs UTC of the line's clock."""
    knocks = await _asked(stack, KNOCKS, by=by)
    return [f"{knocks} knocks are due"] if knocks else []


async def _asked(stack: Stack, sql: TextClause, **values: int) -> int:
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            return int((await tx.execute(sql, values)).scalar_one())
    finally:
        await engine.dispose()


async def waiting(stack: Stack) -> list[str]:
    """List what is under way now, but for knocks.

    The ends of the topics are asked for after the positions: what is said meanwhile counts as waiting. The broker is asked
    only when the database shows nothing: a question to it takes a consumer of its own.
    """
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            found = [line for service in LINE for line in await _kept(tx, service)]
            positions = {service: await _positions(tx, service) for service in LINE}
    finally:
        await engine.dispose()
    if found:
        return found
    ingress = {name for at in positions.values() for name, _ in at if name.startswith(topics.INGRESS)}
    ends = await scan.ends(stack.settings, [*CASES, *ingress])
    for service, at in positions.items():
        known = at if service != "audit" else {**{p: 0 for p in ends if p[0] in CASES}, **at}
        behind = sum(max(0, ends[p] - offset) for p, offset in known.items() if p in ends)
        found += [f"{service} has {behind} records to read"] if behind else []
    return found


async def _kept(tx: AsyncConnection, service: str) -> list[str]:
    """Rows of runtime's tables that wait for something."""
    counts = {
        "rows in its queue": f"SELECT count(*) FROM {service}.queue WHERE NOT sent",
        "blobs to publish": f"SELECT count(*) FROM {service}.outbox",
        "alarms to fire": f"SELECT count(*) FROM {service}.alarm WHERE at <= runtime.clock()",
    }
    numbers = {what: (await tx.execute(text(sql))).scalar_one() for what, sql in counts.items()}
    return [f"{service} has {n} {what}" for what, n in numbers.items() if n]


async def _positions(tx: AsyncConnection, service: str) -> dict[tuple[str, int], int]:
    rows = await tx.execute(text(f"SELECT positions FROM {service}.lease"))
    return {place(stored): at[0] for row in rows for stored, at in row.positions.items()}
