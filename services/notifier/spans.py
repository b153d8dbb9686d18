"""Report who will be on duty, hour by hour: `python -m services.notifier.spans HOURS [AGENCY]`. `referral duty sheet` prints it.

The same rules as for a knock (`duty.on_duty`), so that paper and notifier always agree.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import text

from referral.domain.durations import HOUR_US
from referral.runtime.postgres import clock, database
from referral.runtime.settings import load
from services.notifier import roster
from services.notifier.duty import Roster, next_change, on_duty, rungs_of

_AGENCIES = text("SELECT DISTINCT agency FROM person WHERE ended_at IS NULL AND agency <> 'canary' ORDER BY agency")


@dataclass(frozen=True, slots=True)
class Span:
    """The same people on duty from one instant to another, µs UTC, half-open. people: accounts; none is a hole."""

    begins: int
    ends: int
    people: tuple[str, ...]


def spans(known: Roster, agency: str, rung: str, begins: int, ends: int) -> Iterator[Span]:
    """Yield who is on duty at a rung between two instants, without a gap; neighbours differ."""
    held = None
    at = begins
    while at < ends:
        after = min(ends, next_change(known, agency, rung, at) or ends)
        people = tuple(person.account for person in on_duty(known, agency, rung, at).people)
        if held is not None and held.people == people:
            held = replace(held, ends=after)
        else:
            if held is not None:
                yield held
            held = Span(at, after, people)
        at = after
    if held is not None:
        yield held


async def answer(hours: int, agency: str | None = None) -> dict[str, Any]:
    """Report the next hours of one agency, or of all that have people."""
    engine = database.engine(load(), "notifier", size=1)
    try:
        async with engine.connect() as tx:
            names = list((await tx.execute(_AGENCIES)).scalars()) if agency is None else [agency]
            known, now = await roster.load(tx, names), await clock.now(tx)
    finally:
        await engine.dispose()
    ends = now + hours * HOUR_US
    found = [
        {"agency": name, "rung": rung, "spans": list(spans(known, name, rung, now, ends))}
        for name in names
        for rung in rungs_of(known, name)
    ]
    return {"begins": now, "ends": ends, "rungs": found}


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(answer(int(sys.argv[1]), *sys.argv[2:3]))))
