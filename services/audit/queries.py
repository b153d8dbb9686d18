"""Read what an auditor may see over HTTP: the list of cases, one case, and the policy whose names its codes have.

A name helps to read and proves nothing: the page shows the logged code beside it. It is that of the newest policy bundle of the log that
two signers signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.concurrency import run_in_threadpool

from referral.domain.events import PolicyActivated
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.errors import Malformed, NewerVersion
from referral.proof import act
from referral.proof.entry import Entry, entry, plain
from referral.proof.reading import Reading, parse
from referral.wire import leaf
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.policy_signature import Believed, Trusted
from services.audit import case_view, checkpoints
from services.audit.checkpoints import Signed

CASES = text(
    "SELECT case_id, count(*) AS entries, min(recorded_at) AS first, max(recorded_at) AS last"
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
ERASURES = text("SELECT idx, leaf, key, value, headers FROM audit.entry WHERE case_id = ANY(:ids) AND kind = 'ERASURE' ORDER BY idx")
CASE = text("SELECT idx, leaf, key, value, headers FROM audit.entry WHERE case_id = :case_id ORDER BY idx")
READINGS = text("SELECT idx, leaf, value FROM audit.entry WHERE kind = 'READING' ORDER BY idx DESC LIMIT :most")
MADE = text(
    "SELECT e.idx, e.value FROM audit.act AS a JOIN audit.entry AS e ON e.idx = a.idx AND e.kind = 'ADMINISTRATION'"
    " WHERE position(convert_to('\"audit token\"', 'UTF8') IN a.value) > 0 ORDER BY e.idx"
)
NEWEST = text("SELECT coalesce(max(idx), -1) FROM audit.entry WHERE kind = 'POLICY'")
BUNDLES = text("SELECT idx, leaf, key, value, headers FROM audit.entry WHERE kind = 'POLICY' ORDER BY idx")


class MadeToken(Struct, frozen=True):
    """An act that made a token. idx: its entry. who: the operators."""

    idx: int
    who: str


class LoggedReading(Struct, frozen=True):
    """A reading of the log. at: µs UTC. made: by whom the token was made with which somebody read; None: no act says so."""

    idx: int
    at: int
    reading: Reading
    made: MadeToken | None


class CaseSummary(Struct, frozen=True):
    """A case in a list. first, last: µs UTC, by the writers' clock. erased: by an erasure that is believed; a forged one erases nothing."""

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


async def cases(
    tx: AsyncConnection, erasers: Erasers, begin: str, start: int, end: int, most: int, ids: Sequence[str] | None = None
) -> list[CaseSummary]:
    """Return cases with something recorded in [start, end) whose id begins with `begin`; the newest first.

    erasers: those whom an erasure is believed. ids: of these cases alone.
    """
    values = {"begin": begin, "start": start, "end": end, "most": most, "ids": None if ids is None else list(ids)}
    rows = (await tx.execute(CASES, values)).all()
    erased = set[str]()
    for row in await tx.execute(ERASURES, {"ids": [row.case_id for row in rows]}):
        with suppress(Malformed, NewerVersion, msgspec.DecodeError):
            if case_view.erased(found := _entry(row), erasers):
                erased.add(found.case_id)
    return [CaseSummary(**row._mapping, erased=row.case_id in erased) for row in rows]


async def case_ids(tx: AsyncConnection) -> list[str]:
    """Return the id of every case of the log, each found through the index without reading its other entries."""
    return list((await tx.execute(CASE_IDS)).scalars())


async def known(tx: AsyncConnection, case_id: str) -> bool:
    """Return whether the log has an entry of this case."""
    return bool((await tx.execute(KNOWN, {"case_id": case_id})).scalar_one())


async def readings(tx: AsyncConnection, most: int) -> list[LoggedReading]:
    """Return the newest readings of the log, the newest first; without those that somebody damaged, which `verify` names."""
    found, made = list[LoggedReading](), await _made(tx)
    for row in await tx.execute(READINGS, {"most": most}):
        with suppress(Malformed, NewerVersion):
            reading = parse(row.value)
            by = None if reading.token is UNSET else made.get(reading.token)
            found.append(LoggedReading(row.idx, leaf.decode(row.leaf).logged_at, reading, by))
    return found


async def _made(tx: AsyncConnection) -> dict[str, MadeToken]:
    """Return subject of an auditor's token → the act that made it, the first that names it; an act that ends one names it later."""
    found = dict[str, MadeToken]()
    for row in await tx.execute(MADE):
        with suppress(Malformed):
            said = act.parse(row.value)
            for subject in said.about:
                found.setdefault(subject, MadeToken(row.idx, said.who))
    return found


async def case(tx: AsyncConnection, case_id: str) -> CaseEntries:
    """Return everything that the log has of a case. Malformed: a tile is torn, so nothing of the case is proven."""
    published, damaged = await checkpoints.cosigned(tx), list[int]()
    entries, leaves = list[Entry](), dict[int, bytes]()
    for row in await tx.execute(CASE, {"case_id": case_id}):
        try:
            entries.append(_entry(row))
            leaves[row.idx] = row.leaf
        except (Malformed, NewerVersion, msgspec.DecodeError):
            damaged.append(row.idx)
    size = published.size if published else 0
    proofs = await checkpoints.inclusions(tx, [idx for idx in leaves if idx < size], size)
    return CaseEntries(entries, leaves, proofs, published, damaged)


def _entry(row: Row[Any]) -> Entry:
    """Return the entry of a row. Malformed, NewerVersion, msgspec.DecodeError."""
    headers = msgspec.msgpack.decode(row.headers, type=tuple[tuple[str, bytes], ...])
    return entry(row.idx, row.leaf, row.key, row.value, headers)


class CodeNames:
    """The names of one process, compiled again when the log has a further bundle. trusted: the policy keepers of `trust.toml`."""

    def __init__(self, trusted: Trusted) -> None:
        self._trusted = trusted
        self._read: tuple[int, Policy | None] = (-1, None)

    async def policy(self, tx: AsyncConnection) -> Policy | None:
        """Return the policy whose names hold; None where no bundle is believed: codes stay codes."""
        newest = int((await tx.execute(NEWEST)).scalar_one())
        if newest != self._read[0]:
            bodies = list[PolicyActivated]()
            for row in await tx.execute(BUNDLES):
                with suppress(Malformed, NewerVersion, msgspec.DecodeError):
                    body = plain(_entry(row))
                    if isinstance(body, PolicyActivated):
                        bodies.append(body)
            self._read = newest, await run_in_threadpool(_compiled, bodies, self._trusted)
        return self._read[1]


def _compiled(bodies: list[PolicyActivated], trusted: Trusted) -> Policy | None:
    """Return the newest believed bundle that compiles."""
    believed = Believed(trusted=trusted)
    for body in reversed([body for body in bodies if not believed.take(body)]):
        with suppress(PolicyErrors):
            return policy.compile(body.files)
    return None
