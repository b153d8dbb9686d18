"""Record a reading of the running system in the log before a command opens a case or lends a key. An export was recorded when made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from referral.cli import connection
from referral.cli.audit.live_log import Rows
from referral.cli.audit.source import Keys, Opened
from referral.proof.reading import OPERATOR, How, Reading
from referral.runtime.postgres import database, readings
from referral.runtime.settings import Settings


def recorded(there: Opened, how: How, case: str = "") -> Keys:
    """Return the keys of a log so that the first use of one on the running system is an entry. case: the only one; empty: all.

    The function raises Unavailable where audit does not log the reading.
    """
    rows = there.archive
    if not isinstance(rows, Rows):
        return there.keys
    done = False

    def keys(ids: Iterable[str] | None) -> Mapping[str, bytes]:
        nonlocal done
        held = there.keys(ids)
        if held and not done:
            record(rows.settings, Reading(reader=OPERATOR, how=how, cases=(case,) if case else ()))
            done = True
        return held

    return keys


def record(found: Settings, reading: Reading) -> None:
    """Wait until the log has an entry of this reading. Unavailable: it has none, so nothing may be shown or lent."""

    async def whole() -> None:
        engine = database.admin(found)
        try:
            await readings.record(engine, reading.encode())
        finally:
            await engine.dispose()

    with connection.reached():
        asyncio.run(whole())
