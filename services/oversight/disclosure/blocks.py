"""A block: the months of one procedure that are told together, with all its figures, so that nobody can bound one that is hidden. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from referral.domain.events import FigureReleased, Mark, Unit
from services.oversight.calendar import month, span
from services.oversight.counting.model import Course, Spread, Table
from services.oversight.disclosure.attack import Sums, attack
from services.oversight.disclosure.suppress import ALL, K, Told, hide, suppress, waits

FIRST = ("children", "municipality", "sex-age", "stage", "rung")
"""Where two measures betray one another, the later one is hidden; all others come after these, by name."""
GATHER = 3
"""Thresholds of children that a block gathers (ours): of fewer, hardly anything but their number could be told."""
LONGEST = 12
"""Months after which the threshold itself is enough (ours): a rare procedure is told once a year."""
OPEN = ("declined.", "late.")
"""Measures of lists that are long: one of which nothing can be told is not named at all."""


class Measures(Struct, frozen=True):
    """What is counted. pathways: that are told or wait. tables, spreads: of these children, as things stood when a month closed."""

    pathways: tuple[str, ...]
    tables: Callable[[Sequence[Course], str], Sequence[Table]]
    spreads: Callable[[Sequence[Course], str], Sequence[Spread]]
    k: int = K

    def sums(self, month: str) -> Sums:
        """Which groups are sums of which atoms in a block that ends with this month: a later policy changes nothing in it."""
        return {table.measure: table.groups for table in self.tables((), month)}


class Block(Struct, frozen=True):
    """Months of one procedure, and the release that tells them."""

    release: int
    first: str
    last: str
    pathway: str

    def figure(self, measure: str, group: str, unit: Unit, value: int | None, mark: Mark | None = None) -> FigureReleased:
        """One figure of it. mark: as the value tells, unless given."""
        mark = mark or (Mark.HIDDEN if value is None else Mark.SHOWN)
        return FigureReleased(
            release=self.release,
            first=self.first,
            last=self.last,
            pathway=self.pathway,
            measure=measure,
            group=group,
            unit=unit,
            value=value,
            mark=mark,
        )

    def wants(self, k: int) -> int:
        """How many children it takes to be told."""
        return k if len(span(self.first, self.last)) >= LONGEST else GATHER * k

    def holds(self, course: Course) -> bool:
        """Whether a child is one of it."""
        return course.pathway == self.pathway and self.first <= month(course.began_at) <= self.last


def waiting(block: Block) -> FigureReleased:
    """What is said of months that are not told yet."""
    return block.figure("children", ALL, Unit.CHILDREN, None, Mark.WAITING)


def tell(block: Block, courses: Sequence[Course], measures: Measures) -> tuple[FigureReleased, ...] | None:
    """The figures of a block; None where it has too few children, or an attacker would bound a hidden one whatever else is hidden."""
    held, k = [course for course in courses if block.holds(course)], measures.k
    if len(held) < block.wants(k):
        return None
    tables = sorted(measures.tables(held, block.last), key=_rank)
    spreads = sorted(measures.spreads(held, block.last), key=lambda spread: spread.measure)
    sums = measures.sums(block.last)

    def figures(told: Mapping[str, Told]) -> tuple[FigureReleased, ...]:
        named = [table.measure for table in tables if _named(table.measure, told[table.measure])]
        found = [block.figure(measure, group, Unit.CHILDREN, value) for measure in named for group, value in told[measure].items()]
        for spread in spreads:
            found += [block.figure(spread.measure, group, Unit.MINUTES, value) for group, value in waits(spread, len(held), k).items()]
        return tuple(found)

    def safe(told: Mapping[str, Told]) -> bool:
        narrowest = attack(figures(told), lambda _: sums, k).narrowest
        return narrowest is None or narrowest >= k

    best = {table.measure: suppress(table, k) for table in tables}
    if safe(best):
        return figures(best)
    told = {table.measure: hide(table, k) for table in tables}
    for table in tables:
        more = told | {table.measure: best[table.measure]}
        told = more if safe(more) else told
    return figures(told) if safe(told) else None


def _named(measure: str, told: Told) -> bool:
    return not measure.startswith(OPEN) or None not in told.values()


def _rank(table: Table) -> tuple[int, str]:
    return (FIRST.index(table.measure) if table.measure in FIRST else len(FIRST), table.measure)
