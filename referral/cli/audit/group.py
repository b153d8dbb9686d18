"""Read the entries and the key of one case from the running log, for commands that display a case."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection
from referral.proof.entry import Entry
from referral.proof.forgeries import Believed, judge
from referral.runtime import record_signing
from referral.runtime.settings import Settings


async def case_entries(tx: AsyncConnection, found: Settings, case: str) -> tuple[list[Entry], dict[str, bytes]]:
    """Return the log's entries of one case without forged ones, and its key if it is not erased."""
    entries, keys = await connection.of_case(tx, case), await connection.case_keys(tx, found, [case])
    return judge(entries, keys.get(case), Believed(record_signing.writers(found))).genuine(entries), keys
