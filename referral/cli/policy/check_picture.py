"""Draw the longest waits as a picture: municipalities down, procedures across; a darker cell is a longer wait, with the time in it.

It uses greys alone, so that it is readable in black and white.
"""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from referral.analysis.reachability.run import Result
from referral.cli.policy.check_report import waits
from referral.domain.durations import HOUR_US, MINUTE_US
from referral.domain.policy import Policy

CELL, HIGH, LABEL, HEAD, MARGIN = 78, 20, 170, 120, 24
LIGHT, DARK = 15 * MINUTE_US, 30 * 24 * HOUR_US
"""Times that are drawn white and black; between them the grey follows the logarithm."""
PANELS = (("first", "First acceptance"), ("bed", "A bed"))


def draw(result: Result, policy: Policy, failing: str) -> str:
    """Return the whole picture. failing: the agencies that fail, in words."""
    rows = result.tally.rows
    places = sorted({place for _, place in rows}, key=lambda id: policy.names("municipality", id, "en"))
    panels, x = [], MARGIN
    for name, title in PANELS:
        pathways = [p.id for p in policy.current if any(getattr(row, name) >= 0 for (id, _), row in rows.items() if id == p.id)]
        if not pathways:
            continue
        panels.append(f'<g transform="translate({x},{MARGIN + 30})">{_panel(result, policy, name, title, pathways, places)}</g>')
        x += LABEL + CELL * len(pathways) + MARGIN
    width, height = x, MARGIN * 2 + 50 + HEAD + HIGH * len(places)
    title = f"Longest wait while {failing}, and everybody else answers in the last minute"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f"{_text(MARGIN, 28, title, size=15)}{''.join(panels)}</svg>\n"
    )


def _panel(result: Result, policy: Policy, name: str, title: str, pathways: list[str], places: list[str]) -> str:
    out = [_text(0, 12, title, size=13)]
    for column, pathway in enumerate(pathways):
        x, y = LABEL + column * CELL + CELL / 2, HEAD - 4
        words = escape(_short(policy.names("pathway", pathway, "en"), 26))
        out.append(f'<text x="{x:.0f}" y="{y}" transform="rotate(-38 {x:.0f} {y})">{words}</text>')
    for number, place in enumerate(places):
        y = HEAD + number * HIGH
        out.append(_text(LABEL - 6, y + 14, _short(policy.names("municipality", place, "en"), 26), end=True))
        for column, pathway in enumerate(pathways):
            row = result.tally.rows.get((pathway, place))
            out.append(_cell(LABEL + column * CELL, y, -1 if row is None else getattr(row, name)))
    return "".join(out)


def _cell(x: float, y: float, micros: int) -> str:
    grey = 0.0 if micros < 0 else min(max(math.log(max(micros, 1) / LIGHT) / math.log(DARK / LIGHT), 0.0), 1.0)
    level = round(255 - 215 * grey)
    fill, ink = f"#{level:02x}{level:02x}{level:02x}", "#fff" if level < 130 else "#000"
    words = waits(micros)
    box = f'<rect x="{x}" y="{y}" width="{CELL}" height="{HIGH}" fill="{fill}" stroke="#999" stroke-width="0.5"/>'
    return f'{box}<text x="{x + CELL / 2}" y="{y + 14}" text-anchor="middle" fill="{ink}">{escape(words)}</text>'


def _short(word: str, room: int) -> str:
    return word if len(word) <= room else f"{word[: room - 1]}…"


def _text(x: float, y: float, words: str, *, size: int = 11, end: bool = False) -> str:
    more = ' font-weight="bold"' * (size > 11) + ' text-anchor="end"' * end
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}"{more}>{escape(words)}</text>'
