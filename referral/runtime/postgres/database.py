"""Connect to PostgreSQL: one engine per process and role. A service's search path is its own schema, then `runtime`."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from referral.errors import Rejected
from referral.runtime.postgres import bells, hosts, role_passwords
from referral.runtime.settings import LOOPBACK, Settings

CONNECT = 3.0  # seconds; together with POOL, a caller gets an error from a dead database within the 5 s that the doors promise
POOL = 2.0
RESTED = 2.5
"""Idle seconds (ours) after which a pooled connection is asked before use. One used more recently is known to be open or closed."""
NOTHING = "SELECT"
"""The statement that asks: one round trip, where SQLAlchemy's own ping takes three."""
_SINCE = "referral_since"  # key in a pooled connection's info: monotonic second of its return
START_S, PAUSE_S = 30.0, 0.2
"""Seconds for which the start of a stack asks again (ours), and between two attempts: beside a dozen processes that start, on a busy
machine, a first connection was seen to take longer than CONNECT."""
T = TypeVar("T")
STATEMENT = 30.0  # seconds; far above any statement of ours, so that a hung connection becomes an error
GOODBYE_S = 2.0
"""Seconds (ours) for the servers of all connections to end them in order, which takes milliseconds."""
SILENT = 45.0
"""Seconds (ours) after which the server ends a transaction whose process says nothing: the process is stopped or its machine lost, and
others wait for its locks. A turn of a loop that lasts so long hangs (tenure.STALL); whatever else is done between two statements takes
seconds."""


STANDBY = "25006"
"""SQLSTATE of a write to a server that only follows the primary: another one has become that, or will."""
PASSFILE = "passfile"
"""Parameter of a URL that names a libpq password file: the administrator's own affair, and no role's."""


def url(settings: Settings, role: str) -> URL:
    """Return the database URL for one role, with the password of its file. Rejected: the file is unfit."""
    base = make_url(settings.database)
    if settings.database_passwords is not None:
        password = role_passwords.read(settings.database_passwords / role)
    elif settings.database_password_file is not None:
        password = role_passwords.read(settings.database_password_file, role_passwords.FILE)
    else:  # no password of ours: the server asks for none, or libpq's own file has it
        return base.set(username=role) if base.username == role else base._replace(username=role, password=None)
    return base.set(username=role, password=password).difference_update_query([PASSFILE])


def administrator(settings: Settings) -> URL:
    """Return the administrator's URL, with the password of REFERRAL_DATABASE_PASSWORD_FILE if that is set. Rejected: the file is unfit."""
    address = make_url(settings.database)
    if settings.database_password_file is None:
        return address
    return address.set(password=role_passwords.read(settings.database_password_file, role_passwords.FILE))


def encrypted(address: URL, tls: Path | None = None) -> tuple[URL, dict[str, Any]]:
    """Return an address as the driver accepts it, and the driver's arguments for TLS: none on one machine, TLS 1.3 to any other.

    tls: folder of this program's identity, whose authorities count for the server unless the address names others.
    Of several hosts (`?host=a:5432,b:5432`) the one that takes writes is meant: the others are its standbys.

    Rejected: the server is on another machine, and nothing says whose certificates count.
    """
    mode, authority = address.query.get("sslmode"), address.query.get("sslrootcert")
    plain = address.difference_update_query(["sslmode", "sslrootcert"])
    named = address.query.get("host", address.host or "")
    hosts = [host for one in ([named] if isinstance(named, str) else named) for host in one.split(",")]
    if len(hosts) > 1:
        attributes = address.query.get("target_session_attrs", "read-write")
        listed = {} if "port" in address.query else {"host": hosts}
        plain = plain.update_query_dict({**listed, "target_session_attrs": attributes})
    if mode != "verify-full":
        if all(host.startswith("/") or host.rpartition(":")[0] in LOOPBACK or host in (*LOOPBACK, "") for host in hosts):
            return plain, {}
        if mode is not None or tls is None:
            hint = "the database is on another machine: set REFERRAL_TLS, or add ?sslmode=verify-full&sslrootcert=FILE; never in clear"
            raise Rejected("not-encrypted", "REFERRAL_DATABASE", hint)
        authority = str(tls / "authority.pem")
    try:
        context = ssl.create_default_context(cafile=authority if isinstance(authority, str) else None)
    except OSError:
        raise Rejected("no-authority", "REFERRAL_DATABASE", "sslrootcert must be a readable file with certificates in PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return plain, {"ssl": context}


def engine(settings: Settings, role: str, *, size: int = 8) -> AsyncEngine:
    """Return an engine with a connection pool for one service's role.

    size: connections at most; further users wait POOL seconds, then get an error for which `away` is true.
    """
    address, tls = encrypted(url(settings, role), settings.tls)
    pooled = create_async_engine(
        address,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL,
        pool_use_lifo=True,
        hide_parameters=True,  # an error's text never contains the parameters
        connect_args={
            **tls,
            "async_creator_fn": hosts.connector(CONNECT),
            "timeout": CONNECT,
            "command_timeout": STATEMENT,
            "server_settings": {
                "search_path": f"{role},runtime",
                "application_name": f"{role} {settings.instance}",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": f"{SILENT * 1000:.0f}",
            },
        },
    )
    bell = bells.Doorbell(pooled, role)

    def returned(_: Any, record: Any) -> None:  # the connection is back in the pool, so its transaction has ended
        record.info[_SINCE] = time.monotonic()
        bells.ended(record.info)

    def made(_: Any, record: Any) -> None:
        record.info[bells.DOOR] = bell

    event.listen(pooled.sync_engine, "connect", made)
    event.listen(pooled.sync_engine, "checkin", returned)
    event.listen(pooled.sync_engine, "checkout", _there)
    event.listen(pooled.sync_engine, "handle_error", _follows)
    return pooled


def _follows(context: Any) -> None:
    """Drop every connection to a server that refused a write because it is a standby: the next ones look for the primary."""
    if getattr(getattr(context.original_exception, "orig", context.original_exception), "sqlstate", None) == STANDBY:
        context.is_disconnect = True


def _there(connection: Any, record: Any, _: Any) -> None:
    """Refuse a pooled connection whose server is gone: the pool then replaces it, and every older connection."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
    if time.monotonic() - record.info.get(_SINCE, math.inf) > RESTED:
        try:
            connection.run_async(lambda driver: driver.execute(NOTHING))
        except Exception as error:
            raise InvalidatePoolError from error


def single(engine: AsyncEngine) -> AsyncEngine:
    """Return the same pool for statements that are a transaction each: one round trip, where begin and commit make it three."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@asynccontextmanager
async def singly(tx: AsyncConnection) -> AsyncIterator[None]:
    """Let each statement of the block be a transaction of its own, which is one round trip where begin and commit make it three."""
    driver = cast(AsyncAdapt_asyncpg_connection, (await tx.get_raw_connection()).dbapi_connection)
    driver.autocommit = True
    try:
        yield
    finally:
        driver.autocommit = False


def admin(settings: Settings) -> AsyncEngine:
    """Return an engine for the administrator's role of the URL: for `prepare`, `doctor` and the drill clock."""
    address, tls = encrypted(administrator(settings), settings.tls)
    return create_async_engine(
        address,
        pool_size=2,
        hide_parameters=True,
        connect_args={**tls, "async_creator_fn": hosts.connector(CONNECT), "timeout": CONNECT, "server_settings": {"timezone": "UTC"}},
    )


DRIVERS = asyncpg.InterfaceError | asyncpg.PostgresConnectionError | asyncpg.TargetServerAttributeNotMatched
"""The driver's own errors of a server that is away: its connection has ended, or none of several servers takes writes now."""


def away(error: BaseException) -> bool:
    """Return whether an error means that the database is unreachable or closed the connection, not that the statement was wrong."""
    if isinstance(error, OSError | PoolTimeout | TimeoutError | DRIVERS):
        return not isinstance(error, asyncpg.DataError)
    if not isinstance(error, DBAPIError):
        return False
    if error.orig is not None and isinstance(error.orig.__cause__, asyncpg.TargetServerAttributeNotMatched):
        return True
    state: Any = getattr(error.orig, "sqlstate", None)
    # 08 connection, 57P shutdown or terminated, 53 out of resources, 25P03 idle transaction ended by the server, 25006 a standby
    gone = str(state).startswith(("08", "57P", "53")) or state in ("25P03", STANDBY) or "InterfaceError" in type(error.orig).__name__
    return error.connection_invalidated or gone


async def close(engine: AsyncEngine) -> None:
    """End every connection of an engine, or leave them to the end of the process: a server that hangs says no goodbye."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            await engine.dispose()


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
