"""Measure a provider's death under load: how soon the other one takes over, beside the same run with both alive."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from bench import storm
from bench.ground import Ground, admin, say, until
from bench.rows import Row, at_most
from referral.domain.durations import MINUTE_US

PEOPLE = storm.AGENCIES * storm.STAFF
"""One message for each."""
KILLED_AT = PEOPLE // 4
"""Message at which the first provider dies."""
TAKES_OVER_S = 5.0
"""Promise: from the death of a provider to the next message, by the other one."""
LEFT = "SELECT count(*) FROM notifier.delivery WHERE state = 'SENT' OR reason = 'no-answer'"
"""Messages that have left, or may have: one that was with the provider when it died waits for a receipt before it is repeated."""


class Gateway:
    """A gateway that takes every SMS. at: times at which it took one, s. reached: set at the KILLED_ATth."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.reached = asyncio.Event()
        self._lines: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> str:
        """Listen on a free port, and return its URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/cgi-bin/sendsms"

    def die(self) -> None:
        """End as suddenly as a killed process."""
        if self._server is not None:
            self._server.close()
        for line in self._lines:
            line.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.at.append(time.perf_counter())
                writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
                if len(self.at) == KILLED_AT:
                    self.reached.set()


@asynccontextmanager
async def _two() -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Run two gateways, and let the notifiers that start meanwhile use them."""
    first, second = Gateway(), Gateway()
    os.environ["REFERRAL_SMS"] = ",".join([await first.listen(), await second.listen()])
    try:
        yield first, second
    finally:
        del os.environ["REFERRAL_SMS"]
        first.die()
        second.die()


async def failover(at: Ground) -> AsyncIterator[Row]:
    """Measure with both alive, then with the first one killed."""
    alive, _ = await _run(at, kills=False)
    rest, takes_over = await _run(at, kills=True)
    yield at_most("a provider is killed under load: until the other one takes a message", takes_over, "s", TAKES_OVER_S)
    name = f"  until everybody has heard, of {PEOPLE - KILLED_AT:,} who had not"
    yield Row(name=name, value=rest, unit="s", reference=alive, against="both alive")


async def _run(at: Ground, kills: bool) -> tuple[float, float]:
    """Return the seconds from the KILLED_ATth message until everybody has heard, and until the second gateway took one (0: it took none).

    Of those who were being told when the first gateway died, some may have heard, and nobody knows: they count as told.
    """
    async with _two() as (first, second), at.line("notifier") as made, admin(made) as connection:
        await storm.staff(made, connection)
        due = await connection.fetchval("SELECT runtime.clock()") + 15 * MINUTE_US
        say(f"{PEOPLE:,} messages, two gateways, {'the first dies' if kills else 'both live'}")
        await storm.opened(made, [storm.offer(storm.agency(a), due) for a in range(storm.AGENCIES)])
        await first.reached.wait()
        began = time.perf_counter()
        if kills:
            first.die()
        await until(lambda: _left(connection))
        taken = [*first.at, *second.at]
        return max(taken) - began, (second.at[0] - began if second.at else 0.0)


async def _left(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    return int(await connection.fetchval(LEFT)) >= PEOPLE
