"""Bells: notifications that something waits in a service's tables, under names that no other role knows.

PostgreSQL lets every role listen to every name, and lets none be kept from filling the queue of notifications. So a name is derived from
the service's writer secret, and a bell is rung after the commit: one that fails loses nothing, because each listener also polls
(decision 0068). Within a transaction, NOTIFY would also make all commits wait for one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from functools import cache, partial
from types import MappingProxyType
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

WAKE, DOOR = "referral_wake", "referral_doorbell"
"""Keys in a pooled connection's info: the bells to ring when its transaction has ended, and the Doorbell that does it."""
QUEUE, SHARE, DELIVERY, READING, HEAD = "queue", "share", "notifier.delivery", "audit.reading", "audit.head"
"""Bells: of the queue in the role's own schema, of units that may be divided anew among its processes, of a delivery that was planned, of a
reading or act that waits, and of a log that grew."""

RING = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(({}), '')"
"""Nothing is lost with a bell, so that it waits for no disk and no standby."""


@cache
def channel(bell: str) -> str:
    """Return the query for the name of a bell's channel, which has 128 secret bits. bell: schema.name."""
    schema, _, name = bell.partition(".")
    return f"SELECT '{schema}_{name}_' || left(encode(sha256(secret || CAST('{bell}' AS bytea)), 'hex'), 32) FROM {schema}.writer"  # noqa: S608


def of(role: str, bell: str) -> str:
    """Return a bell with its schema. bell: QUEUE, SHARE, or one with a schema of its own."""
    return bell if "." in bell else f"{role}.{bell}"


def wake(tx: AsyncConnection, bell: str = QUEUE) -> None:
    """Ring a bell once this transaction has ended (`ended`). A connection of the administrator's rings none: the listener polls."""
    assert tx.sync_connection is not None
    tx.sync_connection.info.setdefault(WAKE, set()).add(bell)


def ended(info: MutableMapping[Any, Any]) -> None:
    """Ring what a transaction asked for, now that it has ended. info: its connection's."""
    rung, door = info.pop(WAKE, None), info.get(DOOR)
    if rung and door is not None:
        door.ring(rung)


@asynccontextmanager
async def listening(
    engine: AsyncEngine, heard: Mapping[str, Callable[[], None]], channels: Mapping[str, Callable[[], None]] = MappingProxyType({})
) -> AsyncIterator[Any]:
    """Listen to bells while the block runs. Yields the connection of asyncpg, which is no other's.

    engine: of the service's own role.
    heard: schema.name of each bell → what to call.
    channels: other notifications → what to call.
    """
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            for bell, call in heard.items():
                await driver.add_listener(await driver.fetchval(channel(bell)), partial(_notified, call))
            for name, call in channels.items():
                await driver.add_listener(name, partial(_notified, call))
            yield driver
        finally:
            await connection.invalidate()  # it listens, so it must not go back to the pool


def _notified(call: Callable[[], None], *_: object) -> None:
    call()


class Doorbell:
    """The sender of notifications of one engine. While one is under way, any number of commits cause exactly one more."""

    def __init__(self, engine: AsyncEngine, role: str) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._role = role
        self._bells = set[str]()
        self._task: asyncio.Task[None] | None = None

    def ring(self, bells: Iterable[str] = (QUEUE,)) -> None:
        """Send notifications soon."""
        self._bells |= {of(self._role, bell) for bell in bells}
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._bells:
            bells, self._bells = self._bells, set()
            await ring(self._engine, bells)


async def ring(engine: AsyncEngine, bells: Iterable[str]) -> None:
    """Ring now, as a transaction of its own. engine: of the service's role, or of the administrator's."""
    try:
        async with engine.connect() as connection:
            for bell in sorted(bells):
                await ring_on(connection, bell)
    except Exception:  # the listener polls, so a lost notification loses nothing
        return


async def ring_on(connection: AsyncConnection, bell: str) -> None:
    """Ring now, as a transaction of its own on a connection that has none. bell: schema.name. DBAPIError: the connection is lost."""
    try:
        await connection.execute(text(RING.format(channel(bell))))
        await connection.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        await connection.rollback()  # the queue of notifications is full: the listener polls
