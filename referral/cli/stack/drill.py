"""`referral drill pass MINUTES`: advance the clock of a stack that was started with --drill."""

from __future__ import annotations

from typing import Annotated

import typer

from referral.cli import connection, console
from referral.domain.durations import MINUTE_US
from referral.domain.local_time import moment
from referral.runtime import settings
from referral.runtime.postgres import clock


def drill(
    minutes: Annotated[int, typer.Argument(min=0, max=100_000, help="Minutes to pass; 0 only displays the time.")],
    as_json: console.Json = False,
) -> int:
    """Pass time by the drill clock: limits run out, alarms go off. Only forward, only on a stack started with --drill.

    Exit 0 done, 2 the stack is not a drill, or the database is down.

    Example: referral drill pass 16
    """
    found = settings.load()
    now = connection.write(found, lambda tx: clock.advance(tx, found, minutes * MINUTE_US))
    return console.answer(as_json, {"now": now}, f"by the drill clock it is {moment(now)}")
