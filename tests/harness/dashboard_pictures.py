"""Draw the dashboards of deploy/monitoring as SVG: each panel's questions, asked of a Prometheus. Grafana draws them otherwise: this shows
that each question is understood, what it answers, and whether a panel can be read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from tests.harness.dashboards import COLUMNS, ROLES, WIDE, Panel

BROAD, TALL, EDGE = 400, 236, 12
"""Width and height of a panel and the space around what it shows, in pixels."""
PLOT = 110
"""Height of a panel's lines in pixels; below it stand the names of the series."""
NAMES = 6
"""Series of a panel that are named: more do not fit."""
STILL = 0.01
"""Share of the time at whose end a series must have a point to stand as of now."""
COLOURS = ("#3274d9", "#e0752d", "#56a64b", "#8f3bb8", "#e02f44", "#1f9fa8", "#a68a2d", "#7a7a7a")
SCALES = {"bytes": ((1 << 30, " GiB"), (1 << 20, " MiB"), (1 << 10, " KiB")), "s": ((86400, " d"), (3600, " h"), (60, " min"), (1, " s"))}


@dataclass(frozen=True, slots=True)
class Series:
    """A line: its name, and its points (seconds UTC, value)."""

    name: str
    points: Sequence[tuple[float, float]]


def named(legend: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series: its legend, with its labels filled in as Grafana does."""
    return re.sub(r"\{\{(\w+)\}\}", lambda word: labels.get(word[1], ""), legend).strip()


def page(role: str, answers: Mapping[str, Sequence[Series]], begin: float, until: float) -> str:
    """Return the dashboard of a role as SVG. answers: question → series. begin, until: seconds UTC."""
    across = COLUMNS // WIDE
    rows = math.ceil(len(ROLES[role]) / across)
    wide, high = across * BROAD, 40 + rows * TALL
    times = " to ".join(datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S") for at in (begin, until))
    drawn = [
        f'<rect width="{wide}" height="{high}" fill="#f4f5f5"/>',
        _text(EDGE, 26, f"Referral line: {role.replace('-', ' ')}, {times}", 16),
    ]
    for number, panel in enumerate(ROLES[role]):
        place = f'<g transform="translate({number % across * BROAD} {40 + number // across * TALL})">'
        lines = [one for question in panel.asks for one in answers.get(question, ())]
        drawn += [place, *_panel(panel, lines, begin, until), "</g>"]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" font-family="sans-serif">\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def _panel(panel: Panel, lines: Sequence[Series], begin: float, until: float) -> list[str]:
    box = f'<rect x="4" y="4" width="{BROAD - 8}" height="{TALL - 8}" fill="white" stroke="#d8d9da"/>'
    drawn = [box, _text(EDGE, 24, panel.title, 13)]
    if panel.stat:
        lines = [line for line in lines if line.points[-1][0] >= until - STILL * (until - begin)]
    if not lines:
        return [*drawn, _text(EDGE, 60, "nothing", 13, "#7a7a7a")]
    drawn += [] if panel.stat else _lines(panel, lines, begin, until)
    at, size = (58, 20) if panel.stat else (40 + PLOT + 18, 11)
    for number, line in enumerate(lines[:NAMES]):
        column, row = (0, number) if panel.stat and len(lines) < NAMES - 1 else (number % 2, number // 2)
        now = line.points[-1][1]
        over = panel.limit is not None and (now < panel.limit if panel.below else now >= panel.limit)
        colour = "#e02f44" if panel.stat and over else COLOURS[number % len(COLOURS)]
        words = f"{amount(now, panel.unit)} {line.name}" if panel.stat else f"{line.name} {amount(now, panel.unit)}"
        drawn.append(
            _text(EDGE + column * (BROAD - 2 * EDGE) // 2, at + row * (size + 5), words[: 44 if column or row else 60], size, colour)
        )
    return drawn + ([_text(BROAD - 70, TALL - 14, f"+ {len(lines) - NAMES} more", 11)] if len(lines) > NAMES else [])


def _lines(panel: Panel, lines: Sequence[Series], begin: float, until: float) -> list[str]:
    values = [value for line in lines for _, value in line.points if math.isfinite(value)]
    low, top = min(0.0, *values, 0.0), max([*values, panel.limit or 0.0]) or 1.0
    across, up = (BROAD - 2 * EDGE) / ((until - begin) or 1), PLOT / ((top - low) or 1)
    drawn = [_text(EDGE, 42, amount(top, panel.unit), 10, "#7a7a7a")]
    if panel.limit is not None:
        y = 44 + PLOT - (panel.limit - low) * up
        drawn.append(f'<path d="M{EDGE} {y:.0f}H{BROAD - EDGE}" stroke="#e02f44" stroke-dasharray="5 4"/>')
    for number, line in enumerate(lines):
        points = [(EDGE + (at - begin) * across, 44 + PLOT - (value - low) * up) for at, value in line.points if math.isfinite(value)]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.5"/>')
    return drawn


def amount(value: float, unit: str) -> str:
    """Return a number as a reader wants it."""
    if not math.isfinite(value):
        return str(value)
    if unit == "percentunit":
        return f"{value:.0%}"
    size, name = next(
        ((size, name) for size, name in SCALES.get(unit, ()) if abs(value) >= size), (1, {"s": " s", "bytes": " B"}.get(unit, ""))
    )
    number = value / size
    return f"{number:,.0f}{name}" if number >= 100 or number == int(number) else f"{number:.3g}{name}"


def _text(x: int, y: int, words: str, size: int, colour: str = "#202226") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}">{escape(words)}</text>'
