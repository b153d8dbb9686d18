"""Read what an auditor may see over HTTP: the list of cases, and one case."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Malformed, NewerVersion
from referral.proof.entry import Entry, entry
from referral.proof.reading import Reading, parse
from referral.wire import leaf
from services.audit import checkpoints
from services.audit.checkpoints import Signed

CASES = text(
    "SELECT case_id, count(*) AS entries, min(recorded_at) AS first, max(recorded_at) AS last, bool_or(kind = 'ERASURE') AS erased"
    " FROM audit.entry WHERE case_id IN (SELECT DISTINCT case_id FROM audit.entry WHERE case_id <> ''"
    " AND recorded_at >= :start AND recorded_at < :end AND starts_with(case_id, :begin)"
    " AND (CAST(:ids AS text[]) IS NULL OR case_id = ANY(CAST(:ids AS text[]))))"
    " GROUP BY case_id ORDER BY max(recorded_at) DESC LIMIT :most"
)
CASE_IDS = text(
    "WITH RECURSIVE found AS ((SELECT case_id FROM audit.entry WHERE case_id <> '' ORDER BY case_id LIMIT 1) UNION ALL"
    " SELECT (SELECT e.case_id FROM audit.entry e WHERE e.case_id <> '' AND e.case_id > found.case_id ORDER BY e.case_id LIMIT 1)"
    " FROM found WHERE found.case_id IS NOT NULL) SELECT case_id FROM found WHERE case_id IS NOT NULL"
)
KNOWN = text("SELECT EXISTS (SELECT FROM audit.entry WHERE case_id = :case_id)")
CASE = text("SELECT idx, leaf, key, value, headers FROM audit.entry WHERE case_id = :case_id ORDER BY idx")


READINGS = text("SELECT idx, leaf, value FROM audit.entry WHERE kind = 'READING' ORDER BY idx DESC LIMIT :most")


class LoggedReading(Struct, frozen=True):
    """A reading of the log. at: µs UTC."""

    idx: int
    at: int
    reading: Reading


class CaseSummary(Struct, frozen=True):
    """A case in a list. first, last: µs UTC, by the writers' clock."""

    case_id: str
    entries: int
    first: int
    last: int
    erased: bool


class CaseEntries(Struct, frozen=True):
    """The entries of one case.

    leaves: exact bytes, by index. proofs: inclusion in the tree of `published`. damaged: indexes of entries that cannot be read.
    """

    entries: list[Entry]
    leaves: dict[int, bytes]
    proofs: dict[int, list[bytes]]
    published: Signed | None
    damaged: list[int]


async def cases(tx: AsyncConnection, begin: str, start: int, end: int, most: int, ids: Sequence[str] | None = None) -> list[CaseSummary]:
    """Return cases with something recorded in [start, end) whose id begins with `begin`; the newest first. ids: of these alone."""
    values = {"begin": begin, "start": start, "end": end, "most": most, "ids": None if ids is None else list(ids)}
    rows = await tx.execute(CASES, values)
    return [CaseSummary(**row._mapping) for row in rows]


async def case_ids(tx: AsyncConnection) -> list[str]:
    """Return the id of every case of the log, each found through the index without reading its other entries."""
    return list((await tx.execute(CASE_IDS)).scalars())


async def known(tx: AsyncConnection, case_id: str) -> bool:
    """Return whether the log has an entry of this case."""
    return bool((await tx.execute(KNOWN, {"case_id": case_id})).scalar_one())


async def readings(tx: AsyncConnection, most: int) -> list[LoggedReading]:
    """Return the newest readings of the log, the newest first; without those that somebody damaged, which `verify` names."""
    found = list[LoggedReading]()
    for row in await tx.execute(READINGS, {"most": most}):
        with suppress(Malformed, NewerVersion):
            found.append(LoggedReading(row.idx, leaf.decode(row.leaf).logged_at, parse(row.value)))
    return found


async def case(tx: AsyncConnection, case_id: str) -> CaseEntries:
    """Return everything that the log has of a case. Malformed: a tile is torn, so nothing of the case is proven."""
    published, damaged = await checkpoints.cosigned(tx), list[int]()
    entries, leaves = list[Entry](), dict[int, bytes]()
    for row in await tx.execute(CASE, {"case_id": case_id}):
        try:
            headers = msgspec.msgpack.decode(row.headers, type=tuple[tuple[str, bytes], ...])
            entries.append(entry(row.idx, row.leaf, row.key, row.value, headers))
            leaves[row.idx] = row.leaf
        except (Malformed, NewerVersion, msgspec.DecodeError):
            damaged.append(row.idx)
    size = published.size if published else 0
    proofs = await checkpoints.inclusions(tx, [idx for idx in leaves if idx < size], size)
    return CaseEntries(entries, leaves, proofs, published, damaged)
