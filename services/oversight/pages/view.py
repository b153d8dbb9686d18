"""What the pages say of the releases: which block counts now, what waits, what was corrected, and rows for tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from referral.domain.events import FigureReleased, Mark
from referral.wire.figure_release import Published

CHILDREN, ALL = "children", "all"
LONGEST = 24
"""Months of a chart over time (ours): what is older stands in the tables."""
SHORTEST = 12
"""What is not yet told stays empty, at the right."""


class Block(Struct, frozen=True):
    """Months of one procedure that are told together. tables: measure → group → figure. corrects: number of the release it replaces."""

    pathway: str
    first: str
    last: str
    release: int
    corrects: int | None
    tables: Mapping[str, Mapping[str, FigureReleased]]

    @property
    def children(self) -> int:
        """How many children it counts: told always."""
        found = self.tables.get(CHILDREN, {}).get(ALL)
        return (found.value if found else None) or 0

    @property
    def months(self) -> int:
        return index(self.last) - index(self.first) + 1

    @property
    def id(self) -> str:
        return f"{self.first}..{self.last}"

    def figure(self, measure: str, group: str) -> FigureReleased | None:
        return self.tables.get(measure, {}).get(group)

    def measures(self, start: str) -> list[str]:
        """Those of a measure with several parts, in the order of their codes."""
        return sorted(measure for measure in self.tables if measure.partition(".")[0] == start)

    def __repr__(self) -> str:
        return f"Block({self.pathway}, {self.id})"


def blocks(releases: Iterable[Published]) -> list[Block]:
    """Each block as the newest of these releases tells it, by procedure and time."""
    found: dict[tuple[str, str, str], Block] = {}
    for published in releases:
        made: dict[tuple[str, str, str], dict[str, dict[str, FigureReleased]]] = {}
        for figure in published.figures:
            if figure.pathway and figure.mark is not Mark.WAITING:
                place = (figure.pathway, figure.first, figure.last)
                made.setdefault(place, {}).setdefault(figure.measure, {})[figure.group] = figure
        for place, tables in made.items():
            found[place] = Block(*place, published.number, published.made.corrects, tables)
    return [block for _, block in sorted(found.items())]


def newest(told: Iterable[Block]) -> dict[str, Block]:
    """The last block of each procedure."""
    return {block.pathway: block for block in told}  # they come by time


def waiting(releases: Iterable[Published]) -> list[FigureReleased]:
    """Procedures whose last months are not told yet, by name."""
    found: dict[str, FigureReleased] = {}
    for published in releases:
        for figure in published.figures:
            if not figure.pathway:
                continue
            if figure.mark is Mark.WAITING:
                before = found.get(figure.pathway)
                if before is None or before.last <= figure.last:
                    found[figure.pathway] = figure
            elif figure.pathway in found and figure.last >= found[figure.pathway].last:
                del found[figure.pathway]
    return [figure for _, figure in sorted(found.items())]


def full(releases: Iterable[Published]) -> dict[str, dict[str, FigureReleased]]:
    """Days on which no place of a role was free: role → month → figure, as the newest of these releases tells it."""
    found: dict[str, dict[str, FigureReleased]] = {}
    for published in releases:
        for figure in published.figures:
            if not figure.pathway and figure.measure == "full":
                found.setdefault(figure.group, {})[figure.first] = figure
    return {role: dict(sorted(months.items())) for role, months in sorted(found.items())}


def corrected(releases: Iterable[Published]) -> dict[int, list[int]]:
    """Number of a release → those that correct it."""
    found: dict[int, list[int]] = {}
    for published in releases:
        if published.made.corrects is not None:
            found.setdefault(published.made.corrects, []).append(published.number)
    return found


def window(told: Sequence[Block], waits: Sequence[FigureReleased]) -> tuple[str, str]:
    """First and last month of the charts over time. ValueError: nothing is told or waits."""
    ends = [*(block.last for block in told), *(figure.last for figure in waits)]
    starts = [*(block.first for block in told), *(figure.first for figure in waits)]
    first = max(min(starts), month(index(max(ends)) - LONGEST + 1))
    return first, max(*ends, month(index(first) + SHORTEST - 1))


def index(month: str) -> int:
    """Months since the year 0, so that months can be subtracted."""
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def month(number: int) -> str:
    """The month of an index."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
