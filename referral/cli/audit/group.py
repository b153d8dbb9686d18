"""Read the entries and the key of one case from the running log, for commands that display a case."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection
from referral.proof.entry import Entry
from referral.runtime.settings import Settings


async def case_entries(tx: AsyncConnection, found: Settings, case: str) -> tuple[list[Entry], dict[str, bytes]]:
    """Return the log's entries of one case, and its key if it is not erased."""
    return await connection.of_case(tx, case), await connection.case_keys(tx, found, [case])
