"""Registries of bearer tokens, one table for each kind of holder: agencies, auditors, readers of oversight.

A table stores the digest of a token, never the token (`random_secret`). An ended token keeps its row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import DAY_US
from referral.runtime.postgres import clock
from referral.runtime.random_secret import digest as digest
from referral.runtime.random_secret import made as made

OFFICE = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""Name of an auditor or a reader, an office and no person: tables store it, and log lines contain it."""


class Holder(Struct, frozen=True):
    """Holder of a valid token. name: the agency or office. note: an agency's label, an oversight reader's role; else empty.

    digest: of the token with which somebody came; empty in a list, whose tokens have their own.
    """

    name: str
    note: str
    digest: bytes = b""


AUDITOR_TOKEN_DAYS = 90
"""Days until an auditor's token ends (ours): a copy that nobody misses opens cases for a quarter at most. The office asks for the next."""


class Token(Struct, frozen=True):
    """A token in a list. digest: hexadecimal. made_at, ended_at: µs UTC; ended_at is None unless somebody ended the token."""

    digest: str
    holder: Holder
    made_at: int
    ended_at: int | None


class TokenTable:
    """The tokens of one table.

    name: of the table, with its schema. holder, note, made, ended: names of its columns; note is empty where the table has none.
    days: after which a token ends by itself; 0: never.
    """

    def __init__(self, name: str, *, holder: str, note: str = "", made: str, ended: str, days: int = 0) -> None:
        # the names are constants of this file, never input
        columns, values = (f", {note}", ", :note") if note else ("", "")
        held = f"{holder} AS name, {note} AS note" if note else f"{holder} AS name, '' AS note"
        digits = "encode(hash, 'hex')"
        self._add = text(
            f"INSERT INTO {name} (hash, {holder}{columns}, {made}) VALUES (:hash, :holder{values}, :at) ON CONFLICT DO NOTHING"  # noqa: S608
        )
        self._list = text(
            f"SELECT {digits} AS digest, {held}, {made} AS made_at, {ended} AS ended_at FROM {name}"  # noqa: S608
            f" WHERE CAST(:holder AS text) IS NULL OR {holder} = :holder ORDER BY {holder}, {made}, hash"
        )
        self._end = text(
            f"UPDATE {name} SET {ended} = :at WHERE {holder} = :holder AND {ended} IS NULL"  # noqa: S608
            f" AND starts_with({digits}, :digits) RETURNING hash"
        )
        young = f" AND {made} > runtime.clock() - {days * DAY_US}" if days else ""
        self._former = text(f"SELECT {holder} FROM {name} WHERE hash = :hash")  # noqa: S608
        self._holder = text(f"SELECT {held} FROM {name} WHERE hash = :hash AND {ended} IS NULL{young}")  # noqa: S608

    async def add(self, tx: AsyncConnection, tokens: Mapping[str, str], note: str = "") -> None:
        """Store new tokens, by the names of their holders. A token that is stored already stays as it is."""
        if tokens:
            at = await clock.now(tx)
            rows = [{"hash": digest(token), "holder": holder, "note": note, "at": at} for holder, token in tokens.items()]
            await tx.execute(self._add, rows)

    async def read(self, tx: AsyncConnection, holder: str | None = None) -> Sequence[Token]:
        """Return the tokens of one holder, or of all, by name and age; ended ones too."""
        rows = await tx.execute(self._list, {"holder": holder})
        return [Token(row.digest, Holder(row.name, row.note), row.made_at, row.ended_at) for row in rows]

    async def end(self, tx: AsyncConnection, holder: str, digits: str = "") -> list[bytes]:
        """End the valid tokens of a holder whose digest begins with these hexadecimal digits; return their digests."""
        rows = await tx.execute(self._end, {"holder": holder, "digits": digits, "at": await clock.now(tx)})
        return [bytes(row.hash) for row in rows]

    async def holder(self, tx: AsyncConnection, hash_: bytes | None) -> Holder | None:
        """Return the holder of a token by its digest; None: the token is unknown, or it has ended."""
        row = (await tx.execute(self._holder, {"hash": hash_})).one_or_none()
        return Holder(row.name, row.note, hash_ or b"") if row else None

    async def former(self, tx: AsyncConnection, hash_: bytes | None) -> str:
        """Return who holds or held a token, also one that has ended; empty: nobody."""
        return str((await tx.execute(self._former, {"hash": hash_})).scalar_one_or_none() or "")


AGENCIES = TokenTable("intake.agency_token", holder="agency", note="label", made="created_at", ended="revoked_at")
AUDITORS = TokenTable("audit.reader", holder="name", made="made_at", ended="ended_at", days=AUDITOR_TOKEN_DAYS)
OVERSIGHT = TokenTable("oversight.reader", holder="name", note="role", made="created_at", ended="ended_at")
