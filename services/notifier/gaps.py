"""Find the holes of the rota before they bite: `python -m services.notifier.gaps DAYS [AGENCY]`. `referral duty gaps` prints it.

The same rules as for a knock (`duty.on_duty`), so that a hole that is found is a hole, and one that is not found is none. The head's page
shows what these functions find.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import text

from referral.domain.durations import DAY_US
from referral.runtime.postgres import clock, database
from referral.runtime.settings import load
from services.notifier import roster
from services.notifier.duty import Roster, rungs_of
from services.notifier.spans import spans
from services.notifier.steps import WAKES

_AGENCIES = text("SELECT DISTINCT agency FROM person WHERE ended_at IS NULL AND agency <> 'canary' ORDER BY agency")


class Kind(StrEnum):
    """NOBODY: nobody is on duty; the next rung is asked at once. MAIL: only e-mail reaches those on duty, and e-mail wakes nobody."""

    NOBODY = "nobody"
    MAIL = "e-mail only"


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole at a rung from one instant to another, µs UTC, half-open."""

    rung: str
    begins: int
    ends: int
    kind: Kind


def gaps(known: Roster, agency: str, begins: int, ends: int) -> Iterator[Gap]:
    """Yield the holes at every rung for which somebody is registered or has a shift, by rung and time. Pure; neighbours of a kind are one.

    begins, ends: the window, µs UTC. A rung for which nobody is registered is not known here: `missing` finds it.
    """
    own = of_agency(known, agency)
    loud = {p.account for p in own.people if not frozenset(WAKES).isdisjoint(p.channels)}
    for rung in rungs_of(own, agency):
        held: Gap | None = None
        for span in spans(own, agency, rung, begins, ends):
            kind = Kind.NOBODY if not span.people else Kind.MAIL if loud.isdisjoint(span.people) else None
            if held is not None and held.kind is not kind:
                yield held
                held = None
            if kind is not None:
                held = replace(held, ends=span.ends) if held is not None else Gap(rung, span.begins, span.ends, kind)
        if held is not None:
            yield held


def missing(ladder: Iterable[str], known: Iterable[str], begins: int, ends: int) -> list[Gap]:
    """Return the rungs of a ladder at which there is nobody at all. known: the rungs with people or shifts."""
    there = set(known)
    return [Gap(rung, begins, ends, Kind.NOBODY) for rung in ladder if rung not in there]


def of_agency(known: Roster, agency: str) -> Roster:
    """Return the part of a roster that one agency's duty depends on."""
    people = tuple(p for p in known.people if p.agency == agency)
    names = {p.account for p in people}
    shifts, given = tuple(s for s in known.shifts if s.agency == agency), tuple(g for g in known.given if g.agency == agency)
    return Roster(people, shifts, tuple(a for a in known.absences if a.account in names), given)


async def answer(days: int, agency: str | None = None) -> dict[str, Any]:
    """Report the next days of one agency, or of all that have people. rungs: by agency, those with people or shifts."""
    engine = database.engine(load(), "notifier", size=1)
    try:
        async with engine.connect() as tx:
            names = list((await tx.execute(_AGENCIES)).scalars()) if agency is None else [agency]
            known, now = await roster.load(tx, names), await clock.now(tx)
    finally:
        await engine.dispose()
    begins = now - now % 60_000_000  # a page and a table show minutes
    ends = begins + days * DAY_US
    parts = {name: of_agency(known, name) for name in names}
    return {
        "begins": begins,
        "ends": ends,
        "rungs": {name: rungs_of(part, name) for name, part in parts.items()},
        "gaps": {name: list(gaps(part, name, begins, ends)) for name, part in parts.items()},
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(answer(int(sys.argv[1]), *sys.argv[2:3]))))
