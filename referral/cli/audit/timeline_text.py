"""Format a timeline as text: each day once, times when they change, consequences indented below their cause, at most WIDTH columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from msgspec import Struct

from referral.domain.local_time import local
from referral.proof.history.timeline import Line, sentence

WIDTH = 100
"""Columns (ours): fits two thirds of a laptop's screen, and a printed page."""
INDENT = 3
MARKED = len("said by routing") + 2


class TextLine(Struct, frozen=True, kw_only=True):
    """One line of text. style: for rich; a pipe receives the text alone."""

    text: str
    style: str = ""


def render(lines: Sequence[Line], *, day: str = "", numbers: bool = True, marks: Sequence[str] = ()) -> Iterator[TextLine]:
    """Yield the timeline line by line.

    day: the day printed last. numbers: print the entry numbers. marks: one for each line, or none.
    """
    clock = ""
    for place, line in enumerate(lines):
        at = local(line.at)
        if (today := day_of(line)) != day:
            day, clock = today, ""
            yield TextLine(text=f"{day} (time in Kosovo, UTC{at:%z})", style="bold")
        now = at.strftime("%H:%M:%S")
        shown = now if now != clock or not line.depth else ""
        clock = now
        number = str(line.idx) if line.idx is not None and numbers else ""
        margin = f"{shown:<8} {number:>6}  " + (f"{marks[place]:<{MARKED}}" if marks else "")
        blank = " " * len(margin)
        yield from _wrapped(margin, line.depth, sentence(line, day, marked=not marks), "" if line.depth else "cyan")
        if line.why:
            yield from _wrapped(blank, line.depth + 1, f"why: {line.why}", "dim")
        for candidate in line.passed:
            yield from _wrapped(blank, line.depth + 1, f"not asked: {candidate}", "yellow")


def day_of(line: Line) -> str:
    """Return the day in Kosovo on which the event happened."""
    return local(line.at).strftime("%d.%m.%Y")


def _wrapped(margin: str, depth: int, text: str, style: str) -> Iterator[TextLine]:
    room = WIDTH - len(margin) - INDENT * depth
    for n, part in enumerate(textwrap.wrap(text, max(room, 40), subsequent_indent="  ") or [""]):
        yield TextLine(text=f"{margin if not n else ' ' * len(margin)}{' ' * (INDENT * depth)}{part}", style=style)
