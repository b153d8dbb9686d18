"""Connect to PostgreSQL: one engine per process and role. A service's search path is its own schema, then `runtime`."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from referral.runtime.postgres import queue
from referral.runtime.settings import Settings

CONNECT = 3.0  # seconds; together with POOL, a caller gets an error from a dead database within the 5 s that the doors promise
POOL = 2.0
RESTED = 1.0
"""Idle seconds (ours) after which a pooled connection is pinged before use. A connection used more recently is known to be open or closed;
a ping takes three round trips, as long as the statements of a transaction."""
_SINCE = "referral_since"  # key in a pooled connection's info: monotonic second of its return
START_S, PAUSE_S = 30.0, 0.2
"""Seconds for which the start of a stack asks again (ours), and between two attempts: beside a dozen processes that start, on a busy
machine, a first connection was seen to take longer than CONNECT."""
T = TypeVar("T")
STATEMENT = 30.0  # seconds; far above any statement of ours, so that a hung connection becomes an error


def url(settings: Settings, role: str) -> URL:
    """Return the database URL for one role."""
    return make_url(settings.database).set(username=role)


def engine(settings: Settings, role: str, *, size: int = 8) -> AsyncEngine:
    """Return an engine with a connection pool for one service's role.

    size: connections at most; further users wait POOL seconds, then get an error for which `away` is true.
    """
    pooled = create_async_engine(
        url(settings, role),
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL,
        pool_use_lifo=True,
        hide_parameters=True,  # an error's text never contains the parameters
        connect_args={
            "timeout": CONNECT,
            "command_timeout": STATEMENT,
            "server_settings": {"search_path": f"{role},runtime", "application_name": f"{role} {settings.instance}", "timezone": "UTC"},
        },
    )
    bell = queue.Doorbell(pooled, role)

    def returned(_: Any, record: Any) -> None:  # the connection is back in the pool, so its transaction has ended
        record.info[_SINCE] = time.monotonic()
        if record.info.pop(queue.WAKE, False):
            bell.ring()

    event.listen(pooled.sync_engine, "checkin", returned)
    event.listen(pooled.sync_engine, "checkout", _there)
    return pooled


def _there(connection: Any, record: Any, _: Any) -> None:
    """Refuse a pooled connection whose server is gone: the pool then replaces it, and every older connection."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
    if time.monotonic() - record.info.get(_SINCE, math.inf) > RESTED:
        try:
            connection.ping()
        except Exception as error:
            raise InvalidatePoolError from error


def admin(settings: Settings) -> AsyncEngine:
    """Return an engine for the administrator's role of the URL: for `prepare`, `doctor` and the drill clock."""
    return create_async_engine(
        make_url(settings.database),
        pool_size=2,
        hide_parameters=True,
        connect_args={"timeout": CONNECT, "server_settings": {"timezone": "UTC"}},
    )


def away(error: BaseException) -> bool:
    """Return whether an error means that the database is unreachable or closed the connection, not that the statement was wrong."""
    if isinstance(error, OSError | PoolTimeout | TimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state: Any = getattr(error.orig, "sqlstate", None)
    # 08 connection, 57P shutdown or terminated, 53 out of resources, 25P03 idle transaction ended by the server
    gone = str(state).startswith(("08", "57P", "53")) or state == "25P03" or "InterfaceError" in type(error.orig).__name__
    return error.connection_invalidated or gone


async def patiently(work: Callable[[], Awaitable[T]], seconds: float = START_S) -> T:
    """Return the result of work that may be done again, and do it again for so many seconds while the database does not answer.

    Raises the last error when the time is over, and any other error at once.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return await work()
        except Exception as error:
            if not away(error) or time.monotonic() > until:
                raise
        await asyncio.sleep(PAUSE_S)
