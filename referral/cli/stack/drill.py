"""`referral drill pass MINUTES`: advance the clock of a stack that was started with --drill."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from referral.cli import console
from referral.domain.durations import MINUTE_US
from referral.domain.local_time import moment
from referral.errors import Unavailable
from referral.runtime import settings
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings


def drill(
    minutes: Annotated[int, typer.Argument(min=0, max=100_000, help="Minutes to pass; 0 only displays the time.")],
    as_json: console.Json = False,
) -> int:
    """Pass time by the drill clock: limits run out, alarms go off. Only forward, only on a stack started with --drill.

    Exit 0 done, 2 the stack is not a drill, or the database is down.

    Example: referral drill pass 16
    """
    try:
        now = asyncio.run(_advance(settings.load(), minutes * MINUTE_US))
    except Exception as error:
        if not database.away(error):
            raise
        raise Unavailable("the database") from error
    console.document({"now": now}) if as_json else console.console.print(f"by the drill clock it is {moment(now)}")
    return 0


async def _advance(found: Settings, by: int) -> int:
    engine = database.admin(found)
    try:
        async with engine.begin() as tx:
            return await clock.advance(tx, found, by)
    finally:
        await engine.dispose()
