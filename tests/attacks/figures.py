"""The attack on the figures of oversight: a simulated year, twelve releases, and what can be computed from all of them together.

python -m tests.attacks.figures [--seed N]; exit code 1 when a hidden figure can be bounded to fewer values than the threshold, or when the
attacker does not break what is told without complementary suppression (then it would prove nothing).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table as Lines

from referral.domain.events import FigureReleased, Mark, Unit
from services.oversight.calendar import after, begins, closes, span
from services.oversight.counting.model import Course
from services.oversight.counting.projection import Courses
from services.oversight.counting.tables import known
from services.oversight.disclosure.attack import AttackResult, attack
from services.oversight.disclosure.blocks import Block
from services.oversight.disclosure.releases import correct, make
from services.oversight.release import Release
from services.oversight.release_builder import measured
from tests.harness.oversight_log import AGO, NEVER, WHOLE, folded, year

MONTHS = span("2026-01", "2026-12")
KNOWN = known(WHOLE)
MEASURES = measured(sorted(pathway.id for pathway in WHOLE.current), lambda _: KNOWN)
K = MEASURES.k


def everybody(courses: Courses) -> list[Course]:
    """All children of the year."""
    return [course for pathway in courses.pathways() for course in courses.of(pathway, AGO, NEVER)]


def twelve(courses: Courses) -> list[Release]:
    """The releases of a year."""
    made: list[Release] = []
    for month in MONTHS:
        end = closes(month)
        made.append(make(month, everybody(courses), courses.fulls(month, WHOLE, end), made, courses.counted(end), MEASURES))
    return made


def said(releases: Sequence[Release]) -> list[FigureReleased]:
    """All that a stranger has."""
    return [figure for release in releases for figure in release.figures]


def unprotected(releases: Sequence[Release], courses: Sequence[Course]) -> list[FigureReleased]:
    """The same releases with complementary suppression off: only what is below the threshold is hidden."""
    found = []
    for figure in said(releases):
        if figure.pathway and figure.mark is not Mark.WAITING and figure.unit is Unit.CHILDREN:
            block = Block(figure.release, figure.first, figure.last, figure.pathway)
            held = tuple(course for course in courses if block.holds(course))
            value = _raw(held, figure.last)[figure.measure, figure.group]
            figure = block.figure(figure.measure, figure.group, Unit.CHILDREN, value if value >= K else None)
        found.append(figure)
    return found


def _raw(held: tuple[Course, ...], month: str) -> dict[tuple[str, str], int]:
    key = (held[0].pathway, held[0].began_at, len(held), month)
    if key not in RAW:
        RAW[key] = {
            (table.measure, group): sum(table.atoms[atom] for atom in atoms)
            for table in MEASURES.tables(held, month)
            for group, atoms in [("all", table.atoms.keys()), *((atom, {atom}) for atom in table.atoms), *table.groups.items()]
        }
    return RAW[key]


RAW: dict[tuple[str, int, int, str], dict[tuple[str, str], int]] = {}


def cumulative(releases: Sequence[Release], courses: Sequence[Course]) -> list[FigureReleased]:
    """What a monthly feed usually is: every month, all children since January."""
    return [
        Block(number, MONTHS[0], month, pathway).figure("children", "all", Unit.CHILDREN, count)
        for number, month in enumerate(MONTHS, 1)
        for pathway in MEASURES.pathways
        if (count := sum(course.pathway == pathway and course.began_at < begins(after(month)) for course in courses)) >= K
    ]


def found(figures: Sequence[FigureReleased]) -> AttackResult:
    """What the attacker makes of it."""
    return attack(figures, MEASURES.sums, K)


def forced(release: Release, courses: Sequence[Course], block: Block, number: int) -> list[FigureReleased]:
    """A correction of a block that nobody weighs: every told figure as it counts now."""
    held = tuple(course for course in courses if block.holds(course))
    now = [figure for figure in release.figures if (figure.first, figure.last, figure.pathway) == (block.first, block.last, block.pathway)]
    raw = _raw(held, block.last)
    return [
        msgspec.structs.replace(figure, release=number, value=raw[figure.measure, figure.group] if figure.value is not None else None)
        for figure in now
        if figure.unit is Unit.CHILDREN
    ]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cases", type=int, default=400)
    chosen = options.parse_args()
    console = Console(width=160)
    began = time.monotonic()
    courses = folded(year(chosen.cases, chosen.seed))
    there = everybody(courses)
    lived = time.monotonic()
    releases = twelve(courses)
    done = time.monotonic()
    rows = [("as released", found(said(releases))), ("complementary suppression off", found(unprotected(releases, there)))]
    rows.append(("every month, all since January", found(cumulative(releases, there))))
    lines = Lines(box=None, header_style="bold", pad_edge=False, title="All twelve releases together", title_justify="left")
    for name in ("version", "published", "hidden", "rolled up: region", "time", "narrowest", f"below {K} values", "exact"):
        lines.add_column(name)
    for name, what in rows:
        narrow, exact = sum(bound.values < K for bound in what.bounds), sum(bound.values == 1 for bound in what.bounds)
        lines.add_row(name, *map(str, (what.shown, what.hidden, what.region, what.time, what.narrowest, narrow, exact)))
    console.print(lines)
    console.print(
        f"\n{chosen.cases} made-up cases, seed {chosen.seed}: {len(there)} children on procedures; lived in {lived - began:.1f} s,"
        f" twelve releases made (and attacked) in {done - lived:.1f} s, attacked again in {time.monotonic() - done:.1f} s\n"
    )
    console.print(differencing(releases, there))
    broken = rows[1][1].narrowest == 1
    return 0 if (rows[0][1].narrowest or K) >= K and broken and rows[2][1].narrowest == 1 else 1


def differencing(releases: Sequence[Release], courses: Sequence[Course]) -> Lines:
    """What each way of subtracting figures from one another tells."""
    lines = Lines(box=None, header_style="bold", pad_edge=False, title="What subtracting tells", title_justify="left")
    for name in ("attack", "told", "narrowest", "the same without the rule", "narrowest "):
        lines.add_column(name)
    now, always = found(said(releases)).narrowest, str(found(cumulative(releases, courses)).narrowest)
    lines.add_row(
        "one more case between two releases", f"{_twice(releases)} months told twice", str(now), "all since January, monthly", always
    )
    for count in (1, K):
        block, late, correction = _corrected(releases, courses, count)
        told = "no correction is made, of any block" if correction is None else f"{correction.made.figures} figures of a block again"
        narrowest = found(said([*releases, correction] if correction else releases)).narrowest
        counted = found([*said(releases), *forced(releases[block.release - 1], late, block, len(releases) + 1)]).narrowest
        lines.add_row(f"a corrected release, children more: {count}", told, str(narrowest), "a block as it counts now", str(counted))
    both, bare = _overlapping(found(said(releases))), _overlapping(found(unprotected(releases, courses)))
    lines.add_row("regions over municipalities, sex by age", "with all margins", str(both), "complementary suppression off", str(bare))
    return lines


def _corrected(releases: Sequence[Release], courses: Sequence[Course], count: int) -> tuple[Block, list[Course], Release | None]:
    """The first correction that may be made when so many children like one of a block come late; else the first that was tried."""
    tried: list[tuple[Block, list[Course], Release | None]] = []
    for block in _told(releases)[:4]:
        for like in [course for course in courses if block.holds(course)]:
            late = [*courses, *[like] * count]
            tried.append((block, late, correct(block.release, late, releases, {}, MEASURES)))
            if tried[-1][2]:
                return tried[-1]
    return tried[0]


def _told(releases: Sequence[Release]) -> list[Block]:
    """The blocks that are told."""
    return [Block(f.release, f.first, f.last, f.pathway) for f in said(releases) if f.measure == "children" and f.mark is Mark.SHOWN]


def _twice(releases: Sequence[Release]) -> int:
    """Months of a procedure that stand in two blocks, in children: none, or they could be subtracted."""
    told = [
        (f.pathway, month) for f in said(releases) if f.measure == "children" and f.mark is Mark.SHOWN for month in span(f.first, f.last)
    ]
    return len(told) - len(set(told))


def _overlapping(what: AttackResult) -> int | None:
    return min((b.values for b in what.bounds if "/municipality/" in b.key or "/sex-age/" in b.key), default=None)


if __name__ == "__main__":
    sys.exit(main())
