"""Read what stands in the tables of a running installation, for a comparison with its log."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection
from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Malformed, NewerVersion
from referral.proof.act import Act, parse, token
from referral.proof.entry import OWNERS, Kind
from referral.proof.unlogged import Account, Standing, Token, read_book, unlogged
from referral.roster import log
from referral.runtime.postgres.tokens import AGENCIES, AUDITORS, OVERSIGHT

_ACCOUNTS = text("SELECT id, agency, desk, head, disabled FROM intake.account ORDER BY id")
_BUNDLES = text("SELECT number, digest FROM routing.policy ORDER BY number")
_WAITING = text("SELECT value FROM audit.act WHERE idx IS NULL ORDER BY id")
_LOGGED = text(f"SELECT value FROM audit.entry WHERE kind = '{Kind.ADMINISTRATION.value}' ORDER BY idx")  # noqa: S608 - our constant
_BOOKS = ("intake", "notifier")
"""Services that write in the roster's book."""


async def read(tx: AsyncConnection) -> Standing:
    """Return what the tables say, in one snapshot of the caller's. It needs the administrator's rights."""
    tables = ((AGENCIES, "agency"), (AUDITORS, "office"), (OVERSIGHT, "office"))
    tokens = [(one, word) for table, word in tables for one in await table.read(tx) if one.ended_at is None]
    written, queued = {}, False
    for topic, service in OWNERS.items():
        if service in _BOOKS:
            seen = text(f"SELECT max(seq) FROM {service}.seen WHERE topic = :topic AND case_id = :book")  # noqa: S608 - a word above
            written[topic] = (await tx.execute(seen, {"topic": topic, "book": ROSTER_BOOK})).scalar_one() or 0
            waits = text(f"SELECT EXISTS (SELECT FROM {service}.queue WHERE case_id = :book AND NOT sent)")  # noqa: S608 - likewise
            queued |= (await tx.execute(waits, {"book": ROSTER_BOOK})).scalar_one()
    return Standing(
        accounts=[Account(*row) for row in await tx.execute(_ACCOUNTS)],
        tokens=[Token(token(bytes.fromhex(one.digest)), f"{word}:{one.holder.name}", one.made_at) for one, word in tokens],
        bundles={row.number: row.digest for row in await tx.execute(_BUNDLES)},
        roster=await log.in_force(tx),
        waiting=_acts(await tx.execute(_WAITING)),
        written=written,
        queued=queued,
    )


async def by_hand(tx: AsyncConnection, key: bytes | None) -> tuple[int, list[str]]:
    """Return the number of acts in the log, and what stands in the tables without an entry, by the rows of the log.

    key: of the roster's book. `audit verify` does the same by what the tree proves.
    """
    acts = _acts(await tx.execute(_LOGGED))
    try:
        book = read_book(await connection.of_case(tx, ROSTER_BOOK), key)
    except (Malformed, NewerVersion) as error:
        return len(acts), [f"the log cannot be read: {error}"]
    return len(acts), [one.what for one in unlogged(await read(tx), acts, book) if one.sure]


def _acts(rows: Iterable[Row[Any]]) -> list[Act]:
    found = list[Act]()
    for row in rows:
        with suppress(Malformed):  # no command has written it: `doctor` counts those that the log never takes, `verify` names others
            found.append(parse(row.value))
    return found
