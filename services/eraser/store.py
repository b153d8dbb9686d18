"""SQL of the eraser: what it has found on the topic, what is due, and the destruction itself. The caller commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import DAY_US

"""Time between the two steps (P): long enough for a person to notice, and to bring the keys back. `keys.erase` refuses an earlier call."""
_STATE = text(
    "SELECT count(*) FILTER (WHERE destroyed_at IS NOT NULL) AS done, coalesce(bool_or(approved_at IS NOT NULL AND destroyed_at IS NULL"
    " AND NOT EXISTS (SELECT FROM eraser.erasure e WHERE e.case_id = i.case_id)), false) AS unknown FROM intake.erasure i"
)
_FOUND = text(
    "INSERT INTO eraser.erasure (case_id, event_id, sha256) SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:events AS text[]),"
    " CAST(:hashes AS text[])) ON CONFLICT DO NOTHING"
)
_READ = text("SELECT partition, next FROM eraser.read")
_HAVE_READ = text(
    "INSERT INTO eraser.read (partition, next) SELECT * FROM unnest(CAST(:partitions AS int[]), CAST(:nexts AS bigint[]))"
    " ON CONFLICT (partition) DO UPDATE SET next = excluded.next"
)
_UNPROVEN = text("SELECT case_id, event_id, sha256 FROM eraser.erasure WHERE NOT proven AND destroyed_at IS NULL ORDER BY case_id")
_PROVEN = text("UPDATE eraser.erasure SET proven = true WHERE case_id = :case_id AND event_id = :event_id")
_WAITS = (
    "SELECT DISTINCT e.case_id{what} FROM eraser.erasure e LEFT JOIN keys.retirement r ON r.case_id = e.case_id"
    " WHERE e.proven AND e.destroyed_at IS NULL AND {when} ORDER BY e.case_id"
)
_NEW = text(
    _WAITS.format(
        what=", EXISTS (SELECT FROM intake.casefile c WHERE c.case_id = e.case_id AND c.closed_at IS NULL) AS open",
        when="r.case_id IS NULL",
    )
)
_DUE = text(_WAITS.format(what="", when=f"r.at <= runtime.clock() - {DAY_US}"))
_RETIRE = text("SELECT keys.retire(CAST(:ids AS text[]))")
_ERASE = text("SELECT keys.erase(CAST(:ids AS text[]))")
_ADMIT = text("SELECT set_config('referral.permit', :cases, true)")
_TABLES = (
    *("section", "draft", "exercise", "recorded", "happening", "answer", "offer", "task", "track", "exclusion", "referral"),
    "casefile",
)
_GONE = tuple(
    text(sql)
    for sql in (
        *(f"DELETE FROM intake.{table} WHERE case_id = ANY(CAST(:ids AS text[]))" for table in _TABLES),  # noqa: S608 - the names above
        "DELETE FROM intake.link WHERE case_id = ANY(CAST(:ids AS text[])) OR other = ANY(CAST(:ids AS text[]))",
        # Used idempotency keys stay used, so that a repeated request opens no new case; the digests of the bodies are deleted.
        "UPDATE intake.submission SET body = '' WHERE case_id = ANY(CAST(:ids AS text[]))",
        "UPDATE intake.queue SET body = '', sent = true WHERE case_id = ANY(CAST(:ids AS text[]))",
    )
)
_ERASED = text("SELECT DISTINCT case_id FROM eraser.erasure WHERE destroyed_at IS NOT NULL")
_HAS_ROWS = " OR ".join(f"EXISTS (SELECT FROM intake.{table} WHERE case_id = id)" for table in _TABLES)
_THERE = text(f"SELECT id FROM unnest(CAST(:ids AS text[])) AS asked(id) WHERE {_HAS_ROWS}")  # noqa: S608 - the names above
_AGAIN = text("UPDATE eraser.erasure SET destroyed_at = NULL WHERE case_id = ANY(CAST(:ids AS text[]))")
_DONE = tuple(
    text(sql)
    for sql in (
        "UPDATE eraser.erasure SET destroyed_at = runtime.clock() WHERE case_id = ANY(CAST(:ids AS text[])) AND destroyed_at IS NULL",
        "UPDATE intake.erasure SET destroyed_at = coalesce(destroyed_at, runtime.clock())"
        " WHERE case_id = ANY(CAST(:ids AS text[])) AND approved_at IS NOT NULL",
    )
)
_UNCOPIED = text("SELECT case_id, reader, wrapped FROM keys.uncopied(:most)")
_COPIED = text("SELECT keys.copied(CAST(:ids AS text[]))")


class Found(Struct, frozen=True):
    """An erasure on the topic that two approvers signed. sha256: of its record, in hex."""

    case_id: str
    event_id: str
    sha256: str


async def state(tx: AsyncConnection) -> tuple[int, bool]:
    """Return the number of erasures that intake knows as done, and whether one is approved that was not found on the topic yet."""
    row = (await tx.execute(_STATE)).one()
    return row.done, row.unknown


async def read_up_to(tx: AsyncConnection) -> dict[int, int]:
    """Return partition of `referral-intake` → first offset that was not read."""
    return {row.partition: row.next for row in await tx.execute(_READ)}


async def found(tx: AsyncConnection, some: Sequence[Found], ends: Mapping[int, int]) -> None:
    """Store erasures, and how far the topic was read."""
    words = {"cases": [one.case_id for one in some], "events": [one.event_id for one in some], "hashes": [one.sha256 for one in some]}
    await tx.execute(_FOUND, words)
    await tx.execute(_HAVE_READ, {"partitions": list(ends), "nexts": list(ends.values())})


async def unproven(tx: AsyncConnection) -> list[Found]:
    """Return the erasures for which the log's proof is missing."""
    return [Found(row.case_id, row.event_id, row.sha256) for row in await tx.execute(_UNPROVEN)]


async def proven(tx: AsyncConnection, one: Found) -> None:
    await tx.execute(_PROVEN, {"case_id": one.case_id, "event_id": one.event_id})


async def new(tx: AsyncConnection) -> dict[str, bool]:
    """Return the proven cases whose keys are not retired yet → whether intake has the case as open."""
    return {row.case_id: row.open for row in await tx.execute(_NEW)}


async def due(tx: AsyncConnection) -> list[str]:
    """Return the cases whose keys were retired a day ago."""
    return list((await tx.execute(_DUE)).scalars())


async def retire(tx: AsyncConnection, cases: Iterable[str]) -> list[str]:
    """Take the first step: these keys open nothing any more. Return the cases that had one."""
    return list((await tx.execute(_RETIRE, {"ids": list(cases)})).scalars())


async def destroy(tx: AsyncConnection, cases: Sequence[str]) -> None:
    """Take the second step: destroy keys and rows. Nobody writes behind it: for a day nobody has had a key of these cases."""
    await tx.execute(_ADMIT, {"cases": ",".join(cases)})
    for sql in (*_GONE, _ERASE):
        await tx.execute(sql, {"ids": list(cases)})


async def done(tx: AsyncConnection, cases: Sequence[str]) -> None:
    for sql in _DONE:
        await tx.execute(sql, {"ids": list(cases)})


async def came_back(tx: AsyncConnection) -> list[str]:
    """Return erased cases of which keys or rows are there again, out of an older copy. Their keys are retired, and another day begins."""
    cases = list((await tx.execute(_ERASED)).scalars())
    if not cases:
        return []
    await tx.execute(_ADMIT, {"cases": ",".join(cases)})
    back = {*await retire(tx, cases), *(await tx.execute(_THERE, {"ids": cases})).scalars()}
    await tx.execute(_AGAIN, {"ids": sorted(back)})
    return sorted(back)


async def uncopied(tx: AsyncConnection, most: int) -> list[tuple[str, str, bytes]]:
    """Return (case, reader, wrapped) of new keys, at most of so many cases, and keep others from retiring them meanwhile."""
    return [(row.case_id, row.reader, row.wrapped) for row in await tx.execute(_UNCOPIED, {"most": most})]


async def copied(tx: AsyncConnection, cases: Iterable[str]) -> None:
    await tx.execute(_COPIED, {"ids": list(cases)})
