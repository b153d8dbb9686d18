"""Form blocks: consecutive months of one procedure, grouped until there are enough children to release. Pure.

All figures of a block are released together, so that nobody can bound a hidden one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from referral.domain.events import FigureReleased, Mark, Unit
from services.oversight.calendar import month, span
from services.oversight.counting.model import Course, Spread, Table
from services.oversight.disclosure.attack import Sums, attack
from services.oversight.disclosure.suppress import ALL, K, Values, hide, suppress, waits

FIRST = ("children", "municipality", "sex-age", "stage", "rung")
"""Order of measures: if two betray one another, the later one is hidden. All other measures follow these, by name."""
GATHER = 3
"""Thresholds of children that a block gathers (ours): with fewer, hardly anything but their number could be released."""
LONGEST = 12
"""Months after which the threshold itself is enough (ours): a rare procedure is released once a year."""
OPEN = ("declined.", "late.")
"""Measures with long lists of parts: a part with a hidden figure is left out of the release."""


class Measures(Struct, frozen=True):
    """The measures to release.

    pathways: procedures that are released or wait. tables, spreads: of these children, at the close of a month.
    """

    pathways: tuple[str, ...]
    tables: Callable[[Sequence[Course], str], Sequence[Table]]
    spreads: Callable[[Sequence[Course], str], Sequence[Spread]]
    k: int = K

    def sums(self, month: str) -> Sums:
        """Return which groups are sums of which atoms in a block that ends with this month: a later policy changes nothing in it."""
        return {table.measure: table.groups for table in self.tables((), month)}


class Block(Struct, frozen=True):
    """Months of one procedure, and the release that contains them."""

    release: int
    first: str
    last: str
    pathway: str

    def figure(self, measure: str, group: str, unit: Unit, value: int | None, mark: Mark | None = None) -> FigureReleased:
        """Return one figure of the block. mark: SHOWN or HIDDEN by the value, unless given."""
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
        """Return the number of children that the block needs for its release."""
        return k if len(span(self.first, self.last)) >= LONGEST else GATHER * k

    def holds(self, course: Course) -> bool:
        """Return whether a child belongs to the block."""
        return course.pathway == self.pathway and self.first <= month(course.began_at) <= self.last


def waiting(block: Block) -> FigureReleased:
    """Return the figure for months that are not released yet."""
    return block.figure("children", ALL, Unit.CHILDREN, None, Mark.WAITING)


def figures_of(block: Block, courses: Sequence[Course], measures: Measures) -> tuple[FigureReleased, ...] | None:
    """Return the figures of a block; None: too few children, or an attacker could bound a hidden figure whatever else is hidden."""
    held, k = [course for course in courses if block.holds(course)], measures.k
    if len(held) < block.wants(k):
        return None
    tables = sorted(measures.tables(held, block.last), key=_rank)
    spreads = sorted(measures.spreads(held, block.last), key=lambda spread: spread.measure)
    sums = measures.sums(block.last)

    def figures(values: Mapping[str, Values]) -> tuple[FigureReleased, ...]:
        named = [table.measure for table in tables if _named(table.measure, values[table.measure])]
        rows = [block.figure(measure, group, Unit.CHILDREN, value) for measure in named for group, value in values[measure].items()]
        for spread in spreads:
            rows += [block.figure(spread.measure, group, Unit.MINUTES, value) for group, value in waits(spread, len(held), k).items()]
        return tuple(rows)

    def safe(values: Mapping[str, Values]) -> bool:
        narrowest = attack(figures(values), lambda _: sums, k).narrowest
        return narrowest is None or narrowest >= k

    best = {table.measure: suppress(table, k) for table in tables}
    if safe(best):
        return figures(best)
    values = {table.measure: hide(table, k) for table in tables}
    for table in tables:
        more = values | {table.measure: best[table.measure]}
        values = more if safe(more) else values
    return figures(values) if safe(values) else None


def _named(measure: str, values: Values) -> bool:
    return not measure.startswith(OPEN) or None not in values.values()


def _rank(table: Table) -> tuple[int, str]:
    return (FIRST.index(table.measure) if table.measure in FIRST else len(FIRST), table.measure)
