"""Servers that die: the silence that follows, the promotion of a standby, and the way back of an old primary."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from referral.local.cluster import server
from referral.local.postgres import ADMINISTRATOR, Postgres
from referral.local.stack import DATABASE, Stack
from referral.local.supervisor import Process
from referral.runtime.kafka import clients, replication
from referral.runtime.settings import LINE
from tests.faults.load import Load
from tests.harness.waiting import until

LOOK_S = 0.05
OBSERVED_S = 12.0
"""Shortest time that is looked at after a death: others notice it after 3 s, and a partition without a leader stands still later."""
GROWTH = 5
"""Things that must be acknowledged, and entries that must be logged, after a death, before the silence is said to be over."""
SIZE = text(
    "SELECT size, runtime.clock() - (SELECT min(oldest) FROM ({waiting}) AS w) AS age FROM audit.head".format(
        waiting=" UNION ALL ".join(f"SELECT oldest FROM {service}.waiting" for service in LINE)
    )
)
REPLAYED = "SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn"
FOLLOWERS = text("SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")


@dataclass
class Pulse:
    """Looks all the time how much was acknowledged, how much is logged, and how long anything has waited for its topic."""

    stack: Stack
    load: Load
    acknowledged: list[tuple[float, int]] = field(default_factory=list)
    logged: list[tuple[float, int]] = field(default_factory=list)
    waited: list[tuple[float, float]] = field(default_factory=list)

    async def run(self) -> None:
        """Until cancelled."""
        asking = asyncio.create_task(self._ask())
        try:
            while True:
                _note(self.acknowledged, self.load.done)
                await asyncio.sleep(LOOK_S)
        finally:
            asking.cancel()

    async def _ask(self) -> None:
        engine = create_async_engine(self.stack.settings.database, pool_pre_ping=True, connect_args={"timeout": 3, "command_timeout": 3})
        try:
            while True:
                with contextlib.suppress(Exception):  # the database is away: that is the silence
                    async with engine.connect() as tx:
                        size, age = (await tx.execute(SIZE)).one()
                    _note(self.logged, size)
                    self.waited.append((time.monotonic(), float(age or 0) / 1e6))
                await asyncio.sleep(LOOK_S)
        finally:
            await engine.dispose()

    async def flows(self, since: float) -> None:
        """Wait until enough was acknowledged and logged since then, and it was looked at for long enough."""
        grown = lambda: all(_grew(seen, since) >= GROWTH for seen in (self.acknowledged, self.logged))  # noqa: E731
        await until(lambda: time.monotonic() > since + OBSERVED_S and grown(), 180, "the line goes on")

    def silence(self, since: float) -> str:
        """Return the longest times without an acknowledgement and without a new entry in the log, and the longest wait, in words."""
        taken, logged, waited = self._times(since)
        return f"{taken:.1f} s without a receipt, {logged:.1f} s without an entry, longest wait {waited:.1f} s"

    def longest(self, since: float) -> float:
        """Return the longest of them, in seconds."""
        return max(self._times(since))

    def _times(self, since: float) -> tuple[float, float, float]:
        waited = max((seconds for at, seconds in self.waited if at > since), default=0.0)
        return _longest(self.acknowledged, since), _longest(self.logged, since), waited


def _note(seen: list[tuple[float, int]], count: int) -> None:
    if not seen or count > seen[-1][1]:
        seen.append((time.monotonic(), count))


def _grew(seen: list[tuple[float, int]], since: float) -> int:
    before = [count for at, count in seen if at <= since]
    return seen[-1][1] - (before[-1] if before else 0) if seen else 0


def _longest(seen: list[tuple[float, int]], since: float) -> float:
    times = [since, *(at for at, _ in seen if at > since), time.monotonic()]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def services(stack: Stack) -> dict[str, tuple[int | None, int]]:
    """Return pid and restarts of each service instance: who dies is another one afterwards."""
    return {process.name: (process.pid, process.restarts) for service in LINE for process in stack.of(service)}


async def in_step(stack: Stack) -> None:
    """Wait until every copy of every topic has what the others have."""
    names = [stack.settings.topic(name) for name in clients.wanted(stack.settings)]

    async def whole() -> bool:
        admin = clients.admin(stack.settings)
        try:
            await admin.start()
            return not (await replication.read(admin, names)).short
        except Exception:  # it has just come back
            return False
        finally:
            await admin.close()

    await until(whole, 120, "all copies are in step")


def primary(stack: Stack) -> Process:
    """Return the database server that is no standby."""
    return next(process for process in databases(stack) if not (_of(process).folder / "data" / "standby.signal").exists())


def databases(stack: Stack) -> list[Process]:
    return [process for process in stack.processes.values() if isinstance(process.server, Postgres)]


async def promote(stack: Stack) -> Process:
    """Make the living standby that has most of the log the primary. The old one is dead, and stays so."""
    found = {process: await _received(process) for process in databases(stack) if process.pid is not None}
    best = max(found, key=lambda process: found[process])
    await asyncio.to_thread(_of(best).promote)
    return best


async def rejoin(stack: Stack, old: Process) -> None:
    """Turn the old primary into a standby of the new one, and wait until it follows."""
    await asyncio.to_thread(_of(old).rejoin)
    await old.release()
    await follows(stack, old)


async def follows(stack: Stack, standby: Process) -> None:
    """Wait until a standby reads the log of the primary."""
    engine = create_async_engine(stack.settings.database)

    async def look() -> bool:
        async with engine.connect() as tx:
            return server(_of(standby).folder) in (await tx.execute(FOLLOWERS)).scalars().all()

    try:
        await until(look, what=f"{standby.name} follows")
    finally:
        await engine.dispose()


async def _received(process: Process) -> int:
    """Return how much of the log a standby has, in bytes."""
    async with connected(process) as connection:
        return int(await connection.fetchval(REPLAYED) or 0)


@contextlib.asynccontextmanager
async def connected(process: Process) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Connect to one database server, whether it takes writes or not."""
    node = _of(process)
    connection = await asyncpg.connect(host=str(node.socket), user=ADMINISTRATOR, passfile=node.passfile, database=DATABASE, timeout=5)
    try:
        yield connection
    finally:
        await connection.close()


def _of(process: Process) -> Postgres:
    assert isinstance(process.server, Postgres)
    return process.server
