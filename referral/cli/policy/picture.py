"""Draw a procedure as a flow picture: SVG, black on white, readable in print and by a screen reader."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from referral.cli.policy.picture_layout import Edge, Spot, arrange, edges
from referral.cli.policy.sheet import Speaker
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway, Step

WIDTH, LINE, SMALL, LETTER = 232.0, 15.0, 13.0, 5.9
"""Pixels of a box, a line of its name, a line below that, and a letter beside a line."""
MARGIN, BETWEEN, TOP = 24.0, 76.0, 74.0
"""Pixels around everything, between two rows, and above the first row."""
STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;fill:#000}.name{font-size:13px;font-weight:bold}.small{font-size:11px}"
    ".word{font-size:10px}.title{font-size:19px;font-weight:bold}.box{fill:#fff;stroke:#000;stroke-width:1.2}"
    ".PLACE{stroke-width:3}.NOTIFY{stroke-dasharray:5 3}.line{fill:none;stroke:#000;stroke-width:1}"
    ".at-once{stroke-dasharray:7 4}.when{stroke-dasharray:1.5 3.5}.back{fill:#fff;stroke:none}"
)
SHORT = {"acknowledge-missed": "not seen in time", "secure": "locks up", "misplaced": "no longer right"}
"""Short words beside a line, where the sheet has longer ones."""
LEGEND = (
    "Box: somebody is asked. Cut corners: a decision. Thick: a place. Dashed: somebody is told.",
    "Line: waits for it. Dashed line: begins without waiting. Dotted line: is done only then.",
)


def picture(pathway: Pathway, policy: Policy) -> str:
    """Return the whole SVG file."""
    speak, lines = Speaker(policy), edges(pathway)
    table, middles = arrange(pathway, lines, WIDTH)
    texts = {step.id: list(_lines(step, pathway, speak)) for step in pathway.asking}
    tops: list[float] = []
    heights: list[float] = []
    y = TOP
    for row in table:
        tops.append(y)
        heights.append(max((_height(texts[spot.step]) for spot in row if spot.edge < 0), default=0.0))
        y += heights[-1] + BETWEEN
    tall = {spot: _height(texts[spot.step]) for row in table for spot in row if spot.edge < 0}
    where = {spot: (MARGIN + middles[spot], tops[n]) for n, row in enumerate(table) for spot in row}
    width = max((x + WIDTH / 2 for x, _ in where.values()), default=0) + MARGIN
    foot = [*_foot(pathway, speak), *LEGEND]
    notes = [part for text in foot for part in textwrap.wrap(text, max(int(width / 6.2), 40))]
    height = y - BETWEEN + 30 + len(notes) * SMALL + MARGIN
    drawn = [
        *_routes(lines, where, tall, heights, speak),
        *(part for spot in tall for part in _box(pathway.by_id[spot.step], where[spot], texts[spot.step])),
        *(_text("small", MARGIN, y - BETWEEN + 30 + n * SMALL, note) for n, note in enumerate(notes)),
    ]
    name = speak.name("pathway", pathway.id)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
            ' role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(name)}</title>',
            f'<desc id="desc">{escape(_told(pathway, speak))}</desc>',
            f"<style>{STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path d="M0 0L8 4L0 8z"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
            _text("title", MARGIN, 34, f"{name} (version {pathway.version})"),
            *drawn,
            "</svg>",
            "",
        ]
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


def _box(step: Step, at: tuple[float, float], texts: Sequence[tuple[str, str]]) -> Iterator[str]:
    x, y, high = at[0] - WIDTH / 2, at[1], _height(texts)
    if step.kind is StepKind.DECIDE:
        right, low = x + WIDTH, y + high
        points = [
            (x + 10, y),
            (right - 10, y),
            (right, y + 10),
            (right, low - 10),
            (right - 10, low),
            (x + 10, low),
            (x, low - 10),
            (x, y + 10),
        ]
        yield f'<polygon class="box" points="{" ".join(f"{a:.0f},{b:.0f}" for a, b in points)}"/>'
    else:
        yield f'<rect class="box {step.kind.value}" x="{x:.0f}" y="{y:.0f}" width="{WIDTH:.0f}" height="{high:.0f}" rx="3"/>'
    base = y + 4
    for kind, text in texts:
        base += LINE if kind == "name" else SMALL
        yield _text(kind, x + 11, base, text)


def _routes(
    lines: Sequence[Edge], where: Mapping[Spot, tuple[float, float]], tall: Mapping[Spot, float], heights: Sequence[float], speak: Speaker
) -> Iterator[str]:
    """Yield every line from below its source to above its target.

    Lines for the same word of the same step leave together, labelled once.
    """
    leaving, coming = _ports(lines, where, speak)
    level = {top: n for n, top in enumerate(sorted({y for _, y in where.values()}))}
    tops = sorted(level)
    for number, edge in enumerate(lines):
        source, target = where[Spot(edge.source)], where[Spot(edge.target)]
        if target[1] <= source[1]:
            yield _path(edge.how, _upwards(source, target))
            continue
        x, y = leaving[edge.source, edge.word], source[1] + tall[Spot(edge.source)]
        route = f"M{x:.0f} {y:.0f}"
        for row in range(level[source[1]], level[target[1]]):
            bottom = tops[row] + heights[row] + 22
            to = where.get(Spot(f"~{row + 1}", number), (coming[number], target[1] - 1))
            middle = (bottom + to[1]) / 2
            route += f"L{x:.0f} {bottom:.0f}C{x:.0f} {middle:.0f},{to[0]:.0f} {middle:.0f},{to[0]:.0f} {to[1]:.0f}"
            x = to[0]
        yield _path(edge.how, route)
    for (id, word), x in leaving.items():
        top = where[Spot(id)][1] + tall[Spot(id)] + 12
        for n, said in enumerate(_said(id, word, speak)):
            y, half = top + 11 * n, len(said) * LETTER / 2
            yield f'<rect class="back" x="{x - half - 1:.0f}" y="{y - 9:.0f}" width="{2 * half + 2:.0f}" height="12"/>'
            yield f'<text class="word" x="{x:.0f}" y="{y:.0f}" text-anchor="middle">{escape(said)}</text>'


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


def _path(how: str, route: str) -> str:
    return f'<path class="line {how}" d="{route}" marker-end="url(#tip)"/>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


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
