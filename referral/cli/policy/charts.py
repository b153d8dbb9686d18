"""Draw the results of `policy check` and `policy simulate` as SVG, by the templates beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from referral.analysis.reachability.run import Result as Checked
from referral.analysis.simulation.run import Result
from referral.analysis.simulation.tally import Tally, minutes
from referral.cli.policy.picture import render
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.policy import Policy

CELL, HIGH, LABEL, HEAD, MARGIN = 78, 20, 170, 120, 24
"""Pixels of the waits: a cell, a row, the names beside and above, and around everything."""
LIGHT, DARK = 15 * MINUTE_US, 30 * 24 * HOUR_US
"""Times that are drawn white and black; between them the grey follows the logarithm."""
WIDTH, HEIGHT, BETWEEN = 560, 250, 20
"""Pixels of a panel of figures, and between two."""
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f", "#e08e45", "#5c5c5c", "#2a9d8f", "#b5838d")
TICKS = {15: "15 min", 60: "1 h", 240: "4 h", 1440: "1 d", 5760: "4 d", 20160: "14 d"}
LONGEST = 30 * 1440
UNITS = ((2 * HOUR_US, MINUTE_US, "min"), (3 * DAY_US, HOUR_US, "h"), (1 << 62, DAY_US, "d"))
MANY = 9
"""Words of a panel of bars."""


def waits(micros: int) -> str:
    """Return a wait, rounded up to minutes, hours or days; – for never."""
    if micros < 0:
        return "–"
    size, unit = next((size, unit) for most, size, unit in UNITS if micros < most)
    return f"{-(-micros // size)} {unit}"


def longest_waits(result: Checked, policy: Policy, failing: str) -> str:
    """Draw municipalities down, procedures across; a darker cell is a longer wait, with the time in it. failing: who, in words."""
    rows = result.tally.rows
    places = sorted({place for _, place in rows}, key=lambda id: policy.names("municipality", id, "en"))
    panels, x = list[Any](), MARGIN
    for name, title in (("first", "First acceptance"), ("bed", "A bed")):
        pathways = [p.id for p in policy.current if any(getattr(row, name) >= 0 for (id, _), row in rows.items() if id == p.id)]
        if pathways:
            cells = [
                (policy.names("municipality", place, "en"), [_cell(getattr(rows.get((id, place)), name, -1)) for id in pathways])
                for place in places
            ]
            panels.append((title, x, [policy.names("pathway", id, "en") for id in pathways], cells))
            x += LABEL + CELL * len(pathways) + MARGIN
    height = MARGIN * 2 + 50 + HEAD + HIGH * len(places)
    sizes = {"cell": CELL, "high": HIGH, "label": LABEL, "head": HEAD}
    return render("waits.svg", width=x, height=height, failing=failing, panels=panels, **sizes)


def _cell(micros: int) -> tuple[int, str]:
    grey = 0.0 if micros < 0 else min(max(math.log(max(micros, 1) / LIGHT) / math.log(DARK / LIGHT), 0.0), 1.0)
    return round(255 - 215 * grey), waits(micros)


def figures(result: Result, policy: Policy, compared: bool) -> str:
    """Draw curves of time and bars of counts; a second policy is drawn beside the first."""
    tallies = [result.before, *([result.after] if compared else [])]

    def bars(measure: str) -> dict[str, object]:
        return _bars([{str(word): float(count) for word, count in t.words(measure).most_common()} for t in tallies])

    moved: dict[str, float] = {}
    for (kind, _, _), count in result.differences.elsewhere.items():
        moved[kind] = moved.get(kind, 0) + count
    panels = [
        ("Time to the first acceptance, share of cases", _curves(tallies, "first", policy)),
        ("Time to a bed, share of those who got one", _curves(tallies, "bed", policy)),
        ("Declines by reason", bars("declined")),
        ("Rung on which an offer was accepted", bars("rung")),
        ("What desks were asked about", bars("desk")),
        ("Days a year without a free place", _bars([t.full(result.years) for t in tallies])),
        ("How cases ended", bars("ended")),
        ("Cases that go elsewhere", _bars([moved])) if compared else ("Why others were not asked", bars("passed")),
    ]
    years = "one year" if result.years == 1 else f"{result.years} years"
    title = f"{result.before.total('cases')} made-up cases in {years}" + (" · blue: before, orange: now" if compared else "")
    width, height = 2 * (WIDTH + BETWEEN) + BETWEEN, (len(panels) + 1) // 2 * (HEIGHT + BETWEEN) + BETWEEN + 30
    return render("figures.svg", title=title, panels=panels, width=width, height=height, wide=WIDTH, high=HEIGHT)


def _bars(counts: Sequence[Mapping[str, float]]) -> dict[str, object]:
    """Return up to MANY words, each with one bar per policy."""
    words = {word for count in counts for word in count}
    chosen = sorted(words, key=lambda w: (-max(c.get(w, 0) for c in counts), w))[:MANY]
    return {"words": chosen, "counts": counts, "most": max((c.get(w, 0) for c in counts for w in chosen), default=0) or 1}


def _curves(tallies: Sequence[Tally], measure: str, policy: Policy) -> dict[str, object]:
    """Return one curve per pathway: the share of cases within a time, on a logarithmic scale.

    A pathway has the same colour and number in every panel; each number is on its curve at a height of its own.
    """
    drawn, pathways = list[object](), sorted(pathway.id for pathway in policy.current)
    for number, pathway in enumerate(pathways, 1):
        if tallies[0].total(measure, pathway):
            lines = [_points(tally, measure, pathway) for tally in tallies]
            marked = [(points, _between(points, _y(number / (len(pathways) + 1)))) for points in lines]
            drawn.append((number, policy.names("pathway", pathway, "en"), COLOURS[(number - 1) % len(COLOURS)], marked))
    ticks, shares = [(_x(tick), name) for tick, name in TICKS.items()], [(_y(share), f"{share:.0%}") for share in (0.0, 0.5, 1.0)]
    return {"ticks": ticks, "shares": shares, "pathways": drawn}


def _points(tally: Tally, measure: str, pathway: str) -> list[tuple[float, float]]:
    buckets, reached = tally.words(measure, pathway), 0
    whole, points = sum(buckets.values()) or 1, [(_x(1), _y(0))]
    for bucket in sorted(int(b) for b in buckets):
        reached += buckets[bucket]
        points.append((_x(minutes(bucket + 1)), _y(reached / whole)))
    return points


def _between(points: Sequence[tuple[float, float]], y: float) -> tuple[float, float]:
    """Return the point at which a rising curve (its y falls) has this height."""
    for (left, low), (right, high) in pairwise(points):
        if high <= y < low:
            return left + (right - left) * (low - y) / (low - high), y
    return points[-1]


def _x(after: float) -> float:
    return (WIDTH - 150) * math.log(max(min(after, LONGEST), 1)) / math.log(LONGEST)


def _y(share: float) -> float:
    return HEIGHT - 20 - (HEIGHT - 44) * share
