"""Report the comparison as one table and one chart. A ratio divides figures of one round; the median of the rounds is shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from rich.console import Console
from rich.table import Table

from bench.peers import quiet
from bench.peers.system import NAMES, OURS, TWICE

BARE = "bare"
SHOWN = {**NAMES, BARE: ("bare loop, same bytes", "nothing")}
LINE, LEFT, WIDE, TOP = 34, 250, 380, 40
"""Pixels of the chart: height of a bar with its gap, room for names, width of the longest bar, room for the title."""


class Run(NamedTuple):
    """One system, measured once. figures: none if it failed. round: counts from 0."""

    name: str
    round: int
    what: str
    figures: dict[str, float]


def values(runs: Sequence[Run], name: str, what: str, key: str) -> dict[int, float]:
    """Return round → figure."""
    return {r.round: r.figures[key] for r in runs if (r.name, r.what) == (name, what) and key in r.figures}


def ratios(runs: Sequence[Run], over: str, under: str, what: str = "full", key: str = "pace") -> list[float]:
    """Return one figure ÷ another, of every round that has both, smallest first."""
    one, other = values(runs, over, what, key), values(runs, under, what, key)
    return sorted(one[number] / other[number] for number in one.keys() & other.keys() if other[number])


def _middle(found: Sequence[float], form: str = ",.0f", spread: bool = True) -> str:
    if not found:
        return "–"
    ends = f" ({min(found):{form}}–{max(found):{form}})" if spread and len(found) > 1 else ""
    return f"{statistics.median(found):{form}}{ends}"


def show(runs: Sequence[Run]) -> None:
    """Print the table."""
    heads = ("system", "promises", "events/s", "ours ÷ it", "µs an event: process + broker + PostgreSQL", "MB")
    more = ("50/s p50 · p99 ms", "half load p50 · p99 ms", "killed: first · all s", "repeats · missing · wrong")
    table = Table(*heads, *more, box=None, header_style="bold")
    for name, (title, promise) in SHOWN.items():
        if not any(run.name == name for run in runs):
            continue

        def of(what: str, key: str, form: str = ",.0f", spread: bool = False, name: str = name) -> str:
            return _middle(list(values(runs, name, what, key).values()), form, spread)

        spent = " + ".join(of("full", key) for key in ("process", "broker", "postgres"))
        times = [f"{of(what, 'p50')} · {of(what, 'p99')}" for what in ("steady", "half")]
        killed = f"{of('crash', 'first', '.1f')} · {of('crash', 'all', '.1f')}"
        counts = " · ".join(of("crash", key) for key in ("repeats", "missing", "wrong"))
        against = _middle(ratios(runs, OURS[0], name), ".2f")
        table.add_row(title, promise, of("full", "pace", spread=True), against, spent, of("full", "memory"), *times, killed, counts)
    Console(width=220).print(table)
    others = [run.figures["others"] for run in runs if "others" in run.figures]
    loud = sum(1 for cores in others if cores > quiet.QUIET)
    print(f"other programs took {_middle(others, '.2f')} cores; in {loud} of {len(others)} runs more than {quiet.QUIET}")
    print(f"{sum(1 for run in runs if not run.figures)} of {len(runs)} runs failed")


def chart(runs: Sequence[Run]) -> str:
    """Return a bar for each system, SVG: its events a second, of ours in the same round."""
    shares = {name: ratios(runs, name, OURS[0]) for name in SHOWN}
    bars = sorted(((statistics.median(some), name, some) for name, some in shares.items() if some), reverse=True)
    longest = max((some[-1] for _, _, some in bars), default=1.0)
    high = TOP + LINE * len(bars) + 30
    box = f'viewBox="0 0 {LEFT + WIDE + 90} {high}" role="img" font-family="sans-serif" font-size="13"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        "<title>Events in and out per second, of ours in the same round</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<text x="10" y="22" font-weight="bold">events in and out per second, ours = 1</text>',
    ]
    for row, (middle, name, some) in enumerate(bars):
        y, length = TOP + LINE * row, middle / longest * WIDE
        color = "#1d70b8" if name in (OURS[0], TWICE) else "#b1b4b6"
        ends = [LEFT + end / longest * WIDE for end in (some[0], some[-1])]
        out += [
            f'<text x="{LEFT - 8}" y="{y + 18}" text-anchor="end">{escape(SHOWN[name][0])}</text>',
            f'<rect x="{LEFT}" y="{y + 4}" width="{length:.0f}" height="{LINE - 12}" fill="{color}"/>',
            f'<path d="M{ends[0]:.0f} {y + 15}H{ends[1]:.0f}" stroke="#0b0c0c" stroke-width="2"/>',
            f'<text x="{max(ends[1], LEFT + length) + 8:.0f}" y="{y + 19}">{middle:.2f}</text>',
        ]
    out.append(f'<text x="10" y="{high - 8}" fill="#505a5f">bar: median; line: from the smallest round to the largest</text></svg>')
    return "\n".join(out) + "\n"
