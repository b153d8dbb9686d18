"""Read the audit log and the case keys from the database, for commands that judge or display the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Unavailable
from referral.proof.entry import Entry
from referral.proof.entry import entry as made
from referral.proof.forgeries import TORN, Believed, judge
from referral.runtime import record_signing, settings
from referral.runtime.keys import case_keys as keys
from referral.runtime.postgres import database
from referral.runtime.settings import Settings

T = TypeVar("T")
ALL = text("SELECT * FROM audit.entry ORDER BY idx")
OF_CASE = text("SELECT * FROM audit.entry WHERE case_id = :case_id ORDER BY idx")
BY_CASE = text("SELECT * FROM audit.entry WHERE case_id <> '' ORDER BY case_id, idx")
TORN_ONES = text(
    "SELECT * FROM audit.entry WHERE case_id IN (SELECT case_id FROM audit.entry WHERE kind = ANY(CAST(:torn AS text[]))) ORDER BY idx"
)
SIZE = text("SELECT count(*) AS entries, count(DISTINCT case_id) FILTER (WHERE case_id <> '') AS cases FROM audit.entry")
CASES = text("SELECT DISTINCT case_id FROM keys.case_key")


async def entries(tx: AsyncConnection) -> AsyncIterator[Entry]:
    """Stream all entries, in the order of idx."""
    async with tx.stream(ALL) as rows:
        async for row in rows:
            yield entry(row)


async def by_case(tx: AsyncConnection) -> AsyncIterator[tuple[str, list[Entry]]]:
    """Stream the cases one after another, each with its entries in the order of idx."""
    held: list[Entry] = []
    async with tx.stream(BY_CASE) as rows:
        async for row in rows:
            if held and held[0].case_id != row.case_id:
                yield held[0].case_id, held
                held = []
            held.append(entry(row))
    if held:
        yield held[0].case_id, held


async def torn(tx: AsyncConnection) -> list[Entry]:
    """Return all entries of the cases in which audit logged a fork or a gap."""
    return [entry(row) for row in await tx.execute(TORN_ONES, {"torn": [*TORN]})]


async def size(tx: AsyncConnection) -> tuple[int, int]:
    """Return the number of entries and the number of cases."""
    row = (await tx.execute(SIZE)).one()
    return row.entries, row.cases


async def of_case(tx: AsyncConnection, case_id: str) -> list[Entry]:
    """Return the entries of one case, in the order of idx."""
    return [entry(row) for row in await tx.execute(OF_CASE, {"case_id": case_id})]


def entry(row: Row[tuple[object, ...]]) -> Entry:
    """Return the entry of a row. Only the leaf and its payload are used; the search columns are not trusted.

    Malformed, NewerVersion: the leaf.
    """
    headers = msgspec.msgpack.decode(row.headers, type=tuple[tuple[str, bytes], ...])
    return made(row.idx, row.leaf, row.key, row.value, headers)


async def case_keys(tx: AsyncConnection, found: Settings, ids: Iterable[str] | None = None) -> dict[str, bytes]:
    """Return the keys of these cases, or of all cases; erased cases have none."""
    wanted = [row.case_id for row in await tx.execute(CASES)] if ids is None else list(ids)
    return await keys.read(found).load(tx, wanted)


@contextmanager
def reached() -> Iterator[None]:
    """Raise Unavailable where the database is down."""
    try:
        yield
    except Exception as error:
        if not database.away(error):
            raise
        raise Unavailable("the database") from error


@asynccontextmanager
async def opened(found: Settings, **options: Any) -> AsyncIterator[AsyncConnection]:
    """Connect as the administrator, for one block."""
    engine = database.admin(found)
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(**options)
    finally:
        await engine.dispose()


def snapshot(found: Settings) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open one read-only snapshot of the database."""
    return opened(found, isolation_level="REPEATABLE READ", postgresql_readonly=True)


def ask(question: Callable[[AsyncConnection, Settings], Awaitable[T]], where: Settings | None = None) -> T:
    """Run a query in one snapshot. where: the stack; by default the one that the environment names. Unavailable: the database is down."""

    async def run() -> T:
        found = where or settings.load()
        async with snapshot(found) as tx:
            return await question(tx, found)

    with reached():
        return asyncio.run(run())


def run(found: Settings, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Run one transaction as the administrator that can only read. Unavailable: the database is down."""
    with reached():
        return asyncio.run(_whole(found, work, postgresql_readonly=True))


def write(found: Settings, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Run one transaction as the administrator. Unavailable: the database is down.

    Only `administration` calls it, which records the change; and what moves the clock of a drill, or is part of another act.
    """
    with reached():
        return asyncio.run(_whole(found, work))


async def _whole(found: Settings, work: Callable[[AsyncConnection], Awaitable[T]], **options: Any) -> T:
    async with opened(found, **options) as tx, tx.begin():
        return await work(tx)


async def case_entries(tx: AsyncConnection, found: Settings, case: str) -> tuple[list[Entry], dict[str, bytes]]:
    """Return the log's entries of one case without forged ones, and its key if it is not erased."""
    entries, keys = await of_case(tx, case), await case_keys(tx, found, [case])
    return judge(entries, keys.get(case), Believed(record_signing.writers(found))).genuine(entries), keys
