"""Build one small chart over time for each procedure, all with the same months and the same scale. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup
from msgspec import Struct

from referral.domain.events import FigureReleased
from services.oversight.pages import charts, view
from services.oversight.pages.charts import Span
from services.oversight.pages.naming import Naming
from services.oversight.pages.view import Block


class Panel(Struct, frozen=True):
    """A procedure's chart. note: the last period, with its children or as waiting."""

    pathway: str
    name: str
    note: str
    chart: Markup


def over_time(blocks: Sequence[Block], waits: Sequence[FigureReleased], naming: Naming) -> list[Panel]:
    """Return the panels in the order of the procedures' names; empty if nothing is released and nothing waits."""
    if not blocks and not waits:
        return []
    first, last = view.window(blocks, waits)
    start, end = view.index(first), view.index(last) + 1
    every = 3 if end - start > 6 else 1
    ticks = [_tick(month, naming) if month % every == 0 else "" for month in range(start, end)]
    spans = {pathway: _spans(pathway, blocks, waits, start, naming) for pathway in {*_pathways(blocks), *_pathways(waits)}}
    highest = max((span.rate for row in spans.values() for span in row), default=0.0) or 1.0
    panels = [_panel(pathway, row, ticks, highest, blocks, waits, naming) for pathway, row in spans.items()]
    return sorted(panels, key=lambda panel: panel.name)


def _panel(
    pathway: str,
    row: Sequence[Span],
    ticks: Sequence[str],
    highest: float,
    blocks: Sequence[Block],
    waits: Sequence[FigureReleased],
    naming: Naming,
) -> Panel:
    parts = [f"{naming.period(b.first, b.last)}: {naming.say.number(b.children)}" for b in blocks if b.pathway == pathway]
    parts += [f"{naming.period(f.first, f.last)}: {naming.say('section.waiting')}" for f in waits if f.pathway == pathway]
    return Panel(pathway, naming.pathway(pathway), parts[-1], charts.over_time(row, ticks, highest, "; ".join(parts)))


def _spans(pathway: str, blocks: Iterable[Block], waits: Iterable[FigureReleased], start: int, naming: Naming) -> list[Span]:
    """Return the bars of one procedure. A block that began before the chart keeps its height and is cut."""
    bars = []
    for block in blocks:
        if block.pathway == pathway and view.index(block.last) >= start:
            left = view.index(block.first) - start
            bars.append(Span(left, left + block.months, block.children, naming.say.number(block.children)))
    for figure in waits:
        if figure.pathway == pathway:
            bars.append(Span(max(view.index(figure.first) - start, 0), view.index(figure.last) - start + 1, None, "…"))
    return bars


def _pathways(things: Iterable[Block | FigureReleased]) -> Iterable[str]:
    return (thing.pathway for thing in things)


def _tick(month: int, naming: Naming) -> str:
    name = naming.say(f"month.{month % 12 + 1}")
    return f"{name} {month // 12}" if month % 12 == 0 else name
