"""Select from the releases what the pages display: valid blocks, waiting months, corrections, and bars over time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from referral.domain.events import FigureReleased, Mark
from referral.wire.figure_release import Published
from services.oversight.pages.naming import Naming

CHILDREN, ALL = "children", "all"
LONGEST = 24
"""Months of a chart over time (ours): older ones are in the tables."""
SHORTEST = 12
"""Least months of a chart (ours): months that are not released yet stay empty, at the right."""


class Block(Struct, frozen=True):
    """Months of one procedure that are released together. tables: measure → group → figure. corrects: number of the release it replaces."""

    pathway: str
    first: str
    last: str
    release: int
    corrects: int | None
    tables: Mapping[str, Mapping[str, FigureReleased]]

    @property
    def children(self) -> int:
        """Return the number of children that it counts: always released."""
        figure = self.tables.get(CHILDREN, {}).get(ALL)
        return (figure.value if figure else None) or 0

    @property
    def months(self) -> int:
        """Return the number of its months."""
        return index(self.last) - index(self.first) + 1

    @property
    def id(self) -> str:
        """Return its months as text, e.g. 2027-01..2027-03."""
        return f"{self.first}..{self.last}"

    def figure(self, measure: str, group: str) -> FigureReleased | None:
        """Return a figure of the block; None if it has no such figure."""
        return self.tables.get(measure, {}).get(group)

    def measures(self, start: str) -> list[str]:
        """Return the parts of a measure, in the order of their codes."""
        return sorted(measure for measure in self.tables if measure.partition(".")[0] == start)

    def __repr__(self) -> str:
        return f"Block({self.pathway}, {self.id})"


def blocks(releases: Iterable[Published]) -> list[Block]:
    """Return each block from the newest of these releases that contains it, by procedure and time."""
    newest_by_place: dict[tuple[str, str, str], Block] = {}
    for published in releases:
        tables_by_place: dict[tuple[str, str, str], dict[str, dict[str, FigureReleased]]] = {}
        for figure in published.figures:
            if figure.pathway and figure.mark is not Mark.WAITING:
                place = (figure.pathway, figure.first, figure.last)
                tables_by_place.setdefault(place, {}).setdefault(figure.measure, {})[figure.group] = figure
        for place, tables in tables_by_place.items():
            newest_by_place[place] = Block(*place, published.number, published.made.corrects, tables)
    return [block for _, block in sorted(newest_by_place.items())]


def newest(released: Iterable[Block]) -> dict[str, Block]:
    """Return the last block of each procedure."""
    return {block.pathway: block for block in released}  # they are sorted by time


def waiting(releases: Iterable[Published]) -> list[FigureReleased]:
    """Return the waiting figure of each procedure whose last months are not released yet, by procedure."""
    waits: dict[str, FigureReleased] = {}
    for published in releases:
        for figure in published.figures:
            if not figure.pathway:
                continue
            if figure.mark is Mark.WAITING:
                before = waits.get(figure.pathway)
                if before is None or before.last <= figure.last:
                    waits[figure.pathway] = figure
            elif figure.pathway in waits and figure.last >= waits[figure.pathway].last:
                del waits[figure.pathway]
    return [figure for _, figure in sorted(waits.items())]


def full(releases: Iterable[Published]) -> dict[str, dict[str, FigureReleased]]:
    """Return the days without a free place: role → month → figure, from the newest of these releases."""
    by_role: dict[str, dict[str, FigureReleased]] = {}
    for published in releases:
        for figure in published.figures:
            if not figure.pathway and figure.measure == "full":
                by_role.setdefault(figure.group, {})[figure.first] = figure
    return {role: dict(sorted(months.items())) for role, months in sorted(by_role.items())}


def corrected(releases: Iterable[Published]) -> dict[int, list[int]]:
    """Return the number of a release → the releases that correct it."""
    corrections: dict[int, list[int]] = {}
    for published in releases:
        if published.made.corrects is not None:
            corrections.setdefault(published.made.corrects, []).append(published.number)
    return corrections


class Span(Struct, frozen=True):
    """A bar over time.

    start, end: months since the chart's first one, end not included; a bar that begins before the chart is cut, and keeps its height.
    value: None is hatched. text: at the bar.
    """

    start: int
    end: int
    value: int | None
    text: str

    @property
    def rate(self) -> float:
        """Return the value per month: the area of a bar is its value."""
        return (self.value or 0) / (self.end - self.start)


class Charts(Struct, frozen=True):
    """One small chart over time for each procedure, all with the same months and the same scale.

    ticks: a text under each month. highest: rate at the top.
    bars: by procedure, in the order of their names; each with the chart in words, for readers who cannot see it.
    """

    ticks: Sequence[str]
    highest: float
    bars: Mapping[str, tuple[Sequence[Span], str]]


def over_time(released: Sequence[Block], waits: Sequence[FigureReleased], naming: Naming) -> Charts | None:
    """Return the charts; None if nothing is released and nothing waits."""
    if not released and not waits:
        return None
    first, last = window(released, waits)
    start, end = index(first), index(last) + 1
    every = 3 if end - start > 6 else 1
    ticks = [_tick(month, naming) if month % every == 0 else "" for month in range(start, end)]
    found: dict[str, list[tuple[Span, str]]] = {}
    for block in released:
        left, number = index(block.first) - start, naming.say.number(block.children)
        bar = Span(left, left + block.months, block.children, number), f"{naming.period(block.first, block.last)}: {number}"
        found.setdefault(block.pathway, []).append(bar)
    for figure in waits:
        span = Span(max(index(figure.first) - start, 0), index(figure.last) - start + 1, None, "…")
        found.setdefault(figure.pathway, []).append((span, f"{naming.period(figure.first, figure.last)}: {naming.say('section.waiting')}"))
    highest = max((span.rate for bars in found.values() for span, _ in bars if span.end > 0), default=0.0) or 1.0
    bars = {
        pathway: ([span for span, _ in found[pathway] if span.end > 0], "; ".join(words for _, words in found[pathway]))
        for pathway in sorted(found, key=naming.pathway)
    }
    return Charts(ticks, highest, bars)


def _tick(month: int, naming: Naming) -> str:
    name = naming.say(f"month.{month % 12 + 1}")
    return f"{name} {month // 12}" if month % 12 == 0 else name


def window(released: Sequence[Block], waits: Sequence[FigureReleased]) -> tuple[str, str]:
    """Return the first and last month of the charts over time. ValueError: nothing is released or waits."""
    ends = [*(block.last for block in released), *(figure.last for figure in waits)]
    starts = [*(block.first for block in released), *(figure.first for figure in waits)]
    first = max(min(starts), month(index(max(ends)) - LONGEST + 1))
    return first, max(*ends, month(index(first) + SHORTEST - 1))


def index(month: str) -> int:
    """Return the months since the year 0, so that months can be subtracted."""
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def month(number: int) -> str:
    """Return the month of an index."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
