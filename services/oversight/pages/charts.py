"""Draw charts as SVG on the server, from shown values alone: black on white, a length and a number, hatching for hidden values. Pure.

Nothing is drawn from a hidden value: the length of its hatching is the same whatever it hides. Every drawn length has its number beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

HATCH = Markup(
    '<svg class="defs" width="0" height="0" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect width="2" height="6" fill="currentColor"/></pattern></defs></svg>'
)
"""Pattern of hatched shapes, once on each page; every hatched shape refers to it."""
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 340, 128, 4, 18, 20
"""Size of the chart over time, in the pixels of the narrowest phone, so that its letters are never smaller than they are drawn."""
LEAST = 2
"""Pixels of the lowest bar: a bar that exists is visible."""


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


def bar(value: int | None, most: int) -> Markup:
    """Return a bar of length value/most, as wide as its place; hatched from end to end for None."""
    if value is None:
        return Markup('<svg class="bar" aria-hidden="true"><rect width="100%" height="100%" fill="url(#hatch)" opacity=".55"/></svg>')
    percent = min(100.0, 100 * value / most) if most else 0.0
    drawn = f'<rect width="{percent:.1f}%" height="100%" fill="currentColor"/>' if value else ""
    frame = '<rect width="100%" height="100%" fill="none" stroke="currentColor" opacity=".35"/>'
    return Markup(f'<svg class="bar" aria-hidden="true">{frame}{drawn}</svg>')  # noqa: S704 (numbers only)


def over_time(spans: Sequence[Span], ticks: Sequence[str], highest: float, description: str) -> Markup:
    """Return bars over months; the area of a bar is its value.

    ticks: a text under each month. highest: rate at the top. description: the chart in words, for readers who cannot see it.
    """
    step = (WIDTH - 2 * LEFT) / max(len(ticks), 1)
    ground = HEIGHT - BOTTOM
    drawn = [Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="currentColor"/>').format(LEFT, ground, WIDTH - LEFT, ground)]
    for number, tick in enumerate(ticks):
        if tick:
            x = _round(LEFT + number * step)
            drawn.append(Markup('<line x1="{0}" y1="{1}" x2="{0}" y2="{2}" stroke="currentColor"/>').format(x, ground, ground + 4))
            drawn.append(Markup('<text x="{}" y="{}">{}</text>').format(x, HEIGHT - 4, tick))
    drawn += [_span(span, step, ground, highest) for span in spans]
    whole = Markup('<svg class="time" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return whole.format(WIDTH, HEIGHT, description, Markup("").join(drawn))


def _span(span: Span, step: float, ground: int, highest: float) -> Markup:
    begin = max(span.start, 0)
    x, width = LEFT + begin * step, (span.end - begin) * step
    if span.value is None:
        high, paint = (ground - TOP) * 0.3, Markup('fill="url(#hatch)" stroke="currentColor" stroke-dasharray="3 3"')
    else:
        high, paint = max(LEAST, (ground - TOP) * span.rate / highest), Markup('class="solid"')
    rect = Markup('<rect x="{}" y="{}" width="{}" height="{}" {}/>').format(
        _round(x + 1), _round(ground - high), _round(max(width - 2, 1)), _round(high), paint
    )
    text = Markup('<text x="{}" y="{}" text-anchor="middle" class="value">{}</text>')
    return rect + text.format(_round(x + width / 2), _round(ground - high - 4), span.text)


def _round(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
