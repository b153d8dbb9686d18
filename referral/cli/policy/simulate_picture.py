"""Draw the figures of a simulation as one SVG picture: curves of time, bars of counts; a second policy is drawn beside the first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from referral.analysis.simulation.run import Result
from referral.analysis.simulation.tally import Tally, minutes
from referral.cli.policy.simulate_report import full
from referral.domain.policy import Policy

WIDTH, HEIGHT, MARGIN = 560, 250, 20
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f", "#e08e45", "#5c5c5c", "#2a9d8f", "#b5838d")
LABEL = 190
"""Pixels for the words left of bars."""
TICKS = {15: "15 min", 60: "1 h", 240: "4 h", 1440: "1 d", 5760: "4 d", 20160: "14 d"}
LONGEST = 30 * 1440
MANY = 9
BEFORE, AFTER = "#1b6ca8", "#e08e45"


def draw(result: Result, policy: Policy, compared: bool) -> str:
    """Return the whole picture."""
    tallies = [result.before, *([result.after] if compared else [])]
    panels = [
        _curves("Time to the first acceptance, share of cases", tallies, "first", policy),
        _curves("Time to a bed, share of those who got one", tallies, "bed", policy),
        _bars("Declines by reason", [_words(t, "declined") for t in tallies]),
        _bars("Rung on which an offer was accepted", [_words(t, "rung") for t in tallies]),
        _bars("What desks were asked about", [_words(t, "desk") for t in tallies]),
        _bars("Days a year without a free place", [full(t, result.years) for t in tallies]),
        _bars("How cases ended", [_words(t, "ended") for t in tallies]),
        _bars("Cases that go elsewhere", [_moved(result)])
        if compared
        else _bars("Why others were not asked", [_words(result.before, "passed")]),
    ]
    columns, rows = 2, (len(panels) + 1) // 2
    width, height = columns * (WIDTH + MARGIN) + MARGIN, rows * (HEIGHT + MARGIN) + MARGIN + 30
    years = "one year" if result.years == 1 else f"{result.years} years"
    title = f"{result.before.total('cases')} made-up cases in {years}" + (" · blue: before, orange: now" if compared else "")
    body = [_text(MARGIN, 28, title, size=16, bold=True)]
    for number, panel in enumerate(panels):
        x, y = MARGIN + number % columns * (WIDTH + MARGIN), 40 + MARGIN + number // columns * (HEIGHT + MARGIN)
        body.append(f'<g transform="translate({x},{y})">{panel}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>{"".join(body)}</svg>\n'
    )


def _short(word: str, room: int) -> str:
    return word if len(word) <= room else f"{word[: room - 1]}…"


def _words(tally: Tally, measure: str) -> dict[str, float]:
    return {str(word): float(count) for word, count in tally.words(measure).most_common()}


def _moved(result: Result) -> dict[str, float]:
    found: dict[str, float] = {}
    for (kind, _, _), count in result.differences.elsewhere.items():
        found[kind] = found.get(kind, 0) + count
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _text(x: float, y: float, words: str, *, size: int = 11, bold: bool = False, end: bool = False, colour: str = "#222") -> str:
    more = ' font-weight="bold"' * bold + ' text-anchor="end"' * end
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{colour}"{more}>{escape(words)}</text>'


def _bars(title: str, counts: Sequence[Mapping[str, float]]) -> str:
    """Draw up to MANY words, each with one bar per policy."""
    words = list(dict.fromkeys(word for count in counts for word in count))
    words = sorted(words, key=lambda w: (-max(c.get(w, 0) for c in counts), w))[:MANY]
    most = max((c.get(w, 0) for c in counts for w in words), default=0) or 1
    out, high = [_text(0, 12, title, bold=True, size=12)], (HEIGHT - 30) / MANY
    for row, word in enumerate(words):
        y, thick = 24 + row * high, (high - 6) / len(counts)
        out.append(_text(LABEL - 6, y + high / 2 + 1, _short(word, 32), end=True))
        for number, count in enumerate(counts):
            long = (WIDTH - LABEL - 60) * count.get(word, 0) / most
            top, colour = y + number * thick, BEFORE if number == 0 else AFTER
            out.append(f'<rect x="{LABEL}" y="{top:.1f}" width="{long:.1f}" height="{thick:.1f}" fill="{colour}"/>')
            out.append(_text(LABEL + long + 4, top + thick / 2 + 4, f"{count.get(word, 0):,.0f}", size=10))
    return "".join(out)


def _curves(title: str, tallies: Sequence[Tally], measure: str, policy: Policy) -> str:
    """Draw one curve per pathway: the share of cases within a time, on a logarithmic scale; the second policy's curves are dashed.

    A pathway has the same colour and number in every panel; each number is on its curve at a height of its own.
    """
    out, low = [_text(0, 12, title, bold=True, size=12)], HEIGHT - 20
    for tick, name in TICKS.items():
        x = _x(tick)
        out.append(f'<line x1="{x:.1f}" y1="22" x2="{x:.1f}" y2="{low}" stroke="#ddd"/>{_text(x - 12, low + 14, name, size=10)}')
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        out.append(f'<line x1="0" y1="{y:.1f}" x2="{WIDTH - 150}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(_text(2, y - 2, f"{share:.0%}", size=9, colour="#777"))
    pathways = sorted(pathway.id for pathway in policy.current)
    for number, pathway in enumerate(pathways, 1):
        if not tallies[0].total(measure, pathway):
            continue
        colour = COLOURS[(number - 1) % len(COLOURS)]
        name = _short(f"{number} {policy.names('pathway', pathway, 'en')}", 24)
        out.append(_text(WIDTH - 144, 18 + 16 * number, name, colour=colour))
        for which, tally in enumerate(tallies):
            points, dash = _points(tally, measure, pathway), ' stroke-dasharray="5 3"' if which else ""
            way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.8"{dash} points="{way}"/>')
            x, y = _between(points, _y(number / (len(pathways) + 1)))
            out.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="#fff" stroke="{colour}"/>{_text(x - 3, y + 4, str(number), colour=colour)}'
            )
    return "".join(out)


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
