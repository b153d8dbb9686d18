"""Draw a procedure as a flow picture: SVG, black on white, readable in print and by a screen reader.

Its steps stand in rows, each below every step that it waits for: pure arithmetic, no library. `templates/procedure.svg` has the drawing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from referral.cli.policy.sheet import Speaker
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway, Step
from referral.web import frame

FOLDER = Path(__file__).with_name("templates")
WIDTH, LINE, SMALL, LETTER = 232.0, 15.0, 13.0, 5.9
"""Pixels of a box, a line of its name, a line below that, and a letter beside a line."""
MARGIN, BETWEEN, TOP = 24.0, 76.0, 74.0
"""Pixels around everything, between two rows, and above the first row."""
SWEEPS = 12
"""Rounds that move each step to the middle of its neighbours; after eight, no step of our procedures moves any more."""
GAP, BEND = 34.0, 22.0
"""Pixels between two boxes, and the width that a line needs to pass through a row."""


SHORT = {"acknowledge-missed": "not seen in time", "secure": "locks up", "misplaced": "no longer right"}
"""Short words beside a line, where the sheet has longer ones."""
LEGEND = (
    "Box: somebody is asked. Cut corners: a decision. Thick: a place. Dashed: somebody is told.",
    "Line: waits for it. Dashed line: begins without waiting. Dotted line: is done only then.",
)


class Edge(NamedTuple):
    """`target` waits for a word of `source`. how: after, at-once or when."""

    source: str
    target: str
    word: str
    how: str


class Spot(NamedTuple):
    """A step; or, with `edge` (a line's number), the point where that line passes a row, and `step` then names the row."""

    step: str
    edge: int = -1


def render(template: str, **values: object) -> str:
    """Return a picture or a page. px, tenth: whole pixels, and tenths of them. Only pictures escape what they print."""
    found = frame.templates(FOLDER)
    found.autoescape = template.endswith(".svg")
    found.filters |= {"px": "{:.0f}".format, "tenth": "{:.1f}".format}
    return found.get_template(template).render(values).rstrip("\n") + "\n"


def picture(pathway: Pathway, policy: Policy) -> str:
    """Return the whole SVG file."""
    speak, lines = Speaker(policy), edges(pathway)
    table, middles = arrange(pathway, lines, WIDTH)
    texts = {step.id: list(_lines(step, pathway, speak)) for step in pathway.asking}
    tops, heights, y = list[float](), list[float](), TOP
    for row in table:
        tops.append(y)
        heights.append(max((_height(texts[spot.step]) for spot in row if spot.edge < 0), default=0.0))
        y += heights[-1] + BETWEEN
    tall = {spot: _height(texts[spot.step]) for row in table for spot in row if spot.edge < 0}
    where = {spot: (MARGIN + middles[spot], tops[n]) for n, row in enumerate(table) for spot in row}
    width = max((x + WIDTH / 2 for x, _ in where.values()), default=0) + MARGIN
    notes = [part for text in (*_foot(pathway, speak), *LEGEND) for part in textwrap.wrap(text, max(int(width / 6.2), 40))]
    leaving, coming = _ports(lines, where, speak)
    foot = y - BETWEEN + 30
    return render(
        "procedure.svg",
        name=speak.name("pathway", pathway.id),
        version=pathway.version,
        told=_told(pathway, speak),
        width=width,
        height=foot + len(notes) * SMALL + MARGIN,
        box=WIDTH,
        lines=[(edge.how, route) for edge, route in _routes(lines, where, tall, heights, leaving, coming)],
        words=[word for at, x in leaving.items() for word in _words(*at, x, where, tall, speak)],
        boxes=[(pathway.by_id[s.step], where[s], list(_placed(texts[s.step])), high) for s, high in tall.items()],
        notes=notes,
        foot=foot,
    )


def _lines(step: Step, pathway: Pathway, speak: Speaker) -> Iterator[tuple[str, str]]:
    """Yield class and text of each line in a box."""
    yield from (("name", line) for line in textwrap.wrap(speak.name("step", step.id), 26))
    parts = [_who(step, speak)]
    if step.codes:
        parts.append(f"{speak.all('decision', step.codes, ' / ')}?")
    circumstances = [group for group in step.when if any("=" in mark for mark in group)]
    if circumstances:
        parts.append(f"only when {speak.every(circumstances)}")
    if step.unless:
        parts.append(f"not when {speak.any_of(step.unless)}")
    traits = frozenset(mark for mark in step.at_once if "=" in mark)
    if traits:
        parts.append(f"at once when {speak.any_of(traits)}")
    if step.at:
        parts.append(f"{', '.join(map(str, step.at))} later{f', then every {step.then_every}' if step.then_every else ''}")
    if step.again:
        parts.append(f"again after {speak.any_of(step.again)}")
    if pathway.consent.needed and step.without_consent:
        parts.append("also without consent")
    parts.append(" · ".join(f"{name} {limit}".replace(" ", "\u00a0") for name, limit in step.limits.items()))
    yield from (("small", line) for text in parts for line in textwrap.wrap(text, 34))


def _who(step: Step, speak: Speaker) -> str:
    if step.kind is StepKind.DECIDE:
        return f"decided by {', '.join(dict.fromkeys(speak.name('step', rule.name.partition('.')[0]) for rule in step.seats))}"
    if (placement := step.placement) is not None:
        roles = dict.fromkeys([*placement.until_known, *(role for some in placement.roles.values() for role in some)])
        return speak.all("role", roles)
    return "; ".join(
        f"whoever holds {speak.name('step', rule.holder[0])}" if rule.holder else speak.all("role", rule.roles) for rule in step.seats
    )


def _height(texts: Sequence[tuple[str, str]]) -> float:
    return 14 + sum(LINE if kind == "name" else SMALL for kind, _ in texts)


def _placed(texts: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, float]]:
    """Yield class, text and base line of each line in a box, from its upper edge."""
    base = 4.0
    for kind, text in texts:
        base += LINE if kind == "name" else SMALL
        yield kind, text, base


def _routes(
    lines: Sequence[Edge],
    where: Mapping[Spot, tuple[float, float]],
    tall: Mapping[Spot, float],
    heights: Sequence[float],
    leaving: Mapping[tuple[str, str], float],
    coming: Mapping[int, float],
) -> Iterator[tuple[Edge, str]]:
    """Yield every line from below its source to above its target. Lines for the same word of the same step leave together."""
    tops = sorted({y for _, y in where.values()})
    level = {top: n for n, top in enumerate(tops)}
    for number, edge in enumerate(lines):
        source, target = where[Spot(edge.source)], where[Spot(edge.target)]
        if target[1] <= source[1]:
            yield edge, _upwards(source, target)
            continue
        x, y = leaving[edge.source, edge.word], source[1] + tall[Spot(edge.source)]
        route = f"M{x:.0f} {y:.0f}"
        for row in range(level[source[1]], level[target[1]]):
            bottom = tops[row] + heights[row] + 22
            to = where.get(Spot(f"~{row + 1}", number), (coming[number], target[1] - 1))
            middle = (bottom + to[1]) / 2
            route += f"L{x:.0f} {bottom:.0f}C{x:.0f} {middle:.0f},{to[0]:.0f} {middle:.0f},{to[0]:.0f} {to[1]:.0f}"
            x = to[0]
        yield edge, route


def _words(
    id: str, word: str, x: float, where: Mapping[Spot, tuple[float, float]], tall: Mapping[Spot, float], speak: Speaker
) -> Iterator[tuple[float, float, float, str]]:
    """Yield middle, base line, half width and text of each line of the label where lines leave a step."""
    top = where[Spot(id)][1] + tall[Spot(id)] + 12
    for n, said in enumerate(_said(id, word, speak)):
        yield x, top + 11 * n, len(said) * LETTER / 2, said


def _said(id: str, word: str, speak: Speaker) -> list[str]:
    return textwrap.wrap(SHORT.get(word) or speak.mark(f"{id}.{word}")[1], 13, break_long_words=False)


def _ports(
    lines: Sequence[Edge], where: Mapping[Spot, tuple[float, float]], speak: Speaker
) -> tuple[dict[tuple[str, str], float], dict[int, float]]:
    """Return where lines leave, by step and word, and where each arrives: side by side, sorted by the other end's position."""
    aims: dict[str, dict[str, list[float]]] = {}
    coming: dict[str, list[int]] = {}
    for number, edge in enumerate(lines):
        aims.setdefault(edge.source, {}).setdefault(edge.word, []).append(where[Spot(edge.target)][0])
        coming.setdefault(edge.target, []).append(number)
    leaving: dict[tuple[str, str], float] = {}
    for id, words in aims.items():
        order = sorted(words, key=lambda word: sum(words[word]) / len(words[word]))
        wide = {word: max(len(part) for part in _said(id, word, speak)) * LETTER + 10 for word in order}
        x = where[Spot(id)][0] - sum(wide.values()) / 2
        for word in order:
            leaving[id, word] = x + wide[word] / 2
            x += wide[word]
    arriving: dict[int, float] = {}
    for id, numbers in coming.items():
        numbers.sort(key=lambda number: leaving[lines[number].source, lines[number].word])
        for n, number in enumerate(numbers):
            arriving[number] = where[Spot(id)][0] - WIDTH / 2 + WIDTH * (n + 1) / (len(numbers) + 1)
    return leaving, arriving


def _upwards(source: tuple[float, float], target: tuple[float, float]) -> str:
    """Return a line to a step in the same row or above: around the right sides."""
    right, to = source[0] + WIDTH / 2, target[0] + WIDTH / 2
    bend = f"C{right + 40:.0f} {source[1] - 30:.0f},{to + 40:.0f} {target[1] + 50:.0f}"
    return f"M{right:.0f} {source[1] + 20:.0f}{bend},{to + 2:.0f} {target[1] + 24:.0f}"


def _foot(pathway: Pathway, speak: Speaker) -> Iterator[str]:
    for change in pathway.changes:
        how = "instead" if change.switch_to else "as well, this one waits" if change.pause else "as well"
        yield f"When {speak.every(change.when)} → {speak.name('pathway', change.switch_to or change.also_open)} {how}."
    for step in pathway.steps:
        if step.kind is StepKind.FEED:
            yield f"{speak.name('step', step.id)}: counts only, for {speak.all('feed', step.feeds)}."


def _told(pathway: Pathway, speak: Speaker) -> str:
    """Return the procedure in sentences, for a screen reader."""
    sentences = []
    for number, step in enumerate(pathway.asking, 1):
        after = f" after {speak.all_of(step.after)}" if step.after else ""
        when = f", only when {speak.every(step.when)}" if step.when else ""
        sentences.append(f"{number}. {speak.name('step', step.id)}{after}{when}.")
    return " ".join(sentences)


def edges(pathway: Pathway) -> tuple[Edge, ...]:
    """Return each dependency once; a step that depends on itself has no line."""
    found: dict[Edge, None] = {}
    for step in pathway.asking:
        groups = (("after", sorted(step.after)), ("at-once", sorted(step.at_once)), ("when", sorted(m for g in step.when for m in g)))
        for how, marks in groups:
            for mark in marks:
                source, _, word = mark.partition(".")
                if "=" not in mark and source != step.id:
                    found[Edge(source, step.id, word, how)] = None
    return tuple(found)


def rows(pathway: Pathway, lines: Sequence[Edge]) -> dict[str, int]:
    """Return the row of each step. A line that would close a circle upwards does not count."""
    below: dict[str, set[str]] = {step.id: set() for step in pathway.asking}
    for edge in sorted(lines, key=lambda edge: ("after", "at-once", "when").index(edge.how)):
        if not _reaches(below, edge.target, edge.source):
            below[edge.source].add(edge.target)
    found: dict[str, int] = dict.fromkeys(below, 0)
    for _ in below:
        for source, targets in below.items():
            for target in targets:
                found[target] = max(found[target], found[source] + 1)
    return found


def _reaches(below: Mapping[str, Iterable[str]], start: str, goal: str) -> bool:
    seen, left = set(), [start]
    while left:
        if (one := left.pop()) == goal:
            return True
        if one not in seen:
            seen.add(one)
            left += below[one]
    return False


def arrange(pathway: Pathway, lines: Sequence[Edge], width: float) -> tuple[list[list[Spot]], dict[Spot, float]]:
    """Return the spots of every row from left to right, and the middle of each, in pixels from 0.

    Steps without lines get rows at the bottom.
    """
    row = rows(pathway, lines)
    linked = {id for edge in lines for id in (edge.source, edge.target)}
    table: list[list[Spot]] = [[] for _ in range(max(row.values(), default=0) + 1)]
    for step in pathway.asking:
        if step.id in linked:
            table[row[step.id]].append(Spot(step.id))
    beside: dict[Spot, list[Spot]] = {spot: [] for line in table for spot in line}
    for number, edge in enumerate(lines):
        if row[edge.target] <= row[edge.source]:
            continue
        chain = [Spot(edge.source), Spot(edge.target)]
        for level in range(row[edge.source] + 1, row[edge.target]):
            passing = Spot(f"~{level}", number)
            table[level].append(passing)
            beside[passing] = []
            chain.insert(-1, passing)
        for upper, lower in pairwise(chain):
            beside[upper].append(lower)
            beside[lower].append(upper)
    at = _settle(table, beside, width)
    alone = [Spot(step.id) for step in pathway.asking if step.id not in linked]
    room = max(int(max(at.values(), default=0) // (width + GAP)) + 1, 4)
    for first in range(0, len(alone), room):
        table.append(alone[first : first + room])
        at |= {spot: (n + 0.5) * (width + GAP) for n, spot in enumerate(table[-1])}
    return [line for line in table if line], at


def _settle(table: list[list[Spot]], beside: Mapping[Spot, list[Spot]], width: float) -> dict[Spot, float]:
    """Move every spot towards the middle of those above and below it, row after row, without overlaps; the order follows."""
    at: dict[Spot, float] = {}
    for line in table:
        _spread(line, {spot: n * (width + GAP) for n, spot in enumerate(line)}, at, width)
    for sweep in range(SWEEPS):
        for line in table if sweep % 2 == 0 else reversed(table):
            wish = {spot: sum(at[other] for other in beside[spot]) / len(beside[spot]) if beside[spot] else at[spot] for spot in line}
            line.sort(key=lambda spot: wish[spot])
            _spread(line, wish, at, width)
    least = min((at[spot] - _half(spot, width) for spot in at), default=0.0)
    return {spot: x - least for spot, x in at.items()}


def _half(spot: Spot, width: float) -> float:
    return (BEND if spot.edge >= 0 else width + GAP) / 2


def _spread(line: list[Spot], wish: Mapping[Spot, float], at: dict[Spot, float], width: float) -> None:
    """Place the spots nearest to their wishes without overlaps: neighbours that touch become one block in the middle of its wishes."""
    blocks: list[tuple[list[Spot], float]] = []
    for spot in line:
        block, middle = [spot], wish[spot]
        while blocks and _end(blocks[-1], width) > middle - _length(block, width) / 2:
            before, was = blocks.pop()
            middle = (was * len(before) + middle * len(block)) / (len(before) + len(block))
            block = before + block
        blocks.append((block, middle))
    for block, middle in blocks:
        x = middle - _length(block, width) / 2
        for spot in block:
            at[spot] = x + _half(spot, width)
            x += 2 * _half(spot, width)


def _length(block: Iterable[Spot], width: float) -> float:
    return sum(2 * _half(spot, width) for spot in block)


def _end(placed: tuple[list[Spot], float], width: float) -> float:
    return placed[1] + _length(placed[0], width) / 2
