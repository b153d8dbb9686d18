"""Print the figures of a simulation, by pathway and by problem, and the cases that another policy moves; write them as CSV rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from rich.table import Table

from referral.analysis.compare import Differences, Parted, Side
from referral.analysis.simulation.run import Result
from referral.analysis.simulation.tally import Tally, minutes, quantile
from referral.cli import console
from referral.domain.describe import span
from referral.domain.durations import DAY_US
from referral.domain.policy import Policy
from referral.proof.history import reasons
from referral.proof.history.words import english

SHOWN = 8
"""Lines of each list (ours); the CSV file has all."""


def print_tables(result: Result, policy: Policy, compared: bool) -> None:
    """Print all figures of one policy, or of two side by side."""
    tallies = [result.before, *([result.after] if compared else [])]
    _pathways(tallies, policy)
    for measure, title in (
        ("declined", "declines by reason"),
        ("rung", "rung on which an offer was accepted"),
        ("desk", "what desks were asked about"),
        ("opened", "procedures that cases turned out to need besides"),
        ("ended", "how cases ended"),
    ):
        _words(tallies, measure, title)
    _services(tallies, result.years)
    _places(tallies, policy)


def length(minutes: float | None) -> str:
    """Return a length of time in the unit that suits it; `–` for none."""
    if minutes is None:
        return "–"
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes >= 2 * size:
            return f"{minutes / size:.1f} {unit}"
    return f"{minutes:.0f} min"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str | int]], title: str = "") -> None:
    """Print a table whose first column never wraps; the columns of figures shrink instead."""
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        grid.add_column(name, no_wrap=not number)
    for row in rows:
        grid.add_row(*map(str, row))
    console.console.print(grid)


def _both(cells: list[str]) -> str:
    """Return one figure, or two with an arrow where they differ."""
    return cells[0] if len(set(cells)) == 1 else " → ".join(cells)


def _pathways(tallies: list[Tally], policy: Policy) -> None:
    def times(measure: str, pathway: str, share: float) -> str:
        return _both([length(quantile(t.words(measure, pathway), share)) for t in tallies])

    def each(measure: str, pathway: str) -> str:
        return _both([f"{t.total(measure, pathway) / (t.total('cases', pathway) + t.total('raised', pathway)):.1f}" for t in tallies])

    rows = []
    for pathway in sorted({p for t in tallies for p in t.of("ended")}):
        all_ = [t.total("cases", pathway) + t.total("raised", pathway) for t in tallies]
        if not all(all_):
            continue
        rows.append(
            (
                pathway,
                _both([str(n) for n in all_]),
                times("first", pathway, 0.5),
                times("first", pathway, 0.9),
                times("bed", pathway, 0.5),
                times("bed", pathway, 0.9),
                _both([str(t.total("nobody", pathway)) for t in tallies]),
                each("inputs", pathway),
                each("desk", pathway),
            )
        )
    columns = ("pathway", "cases", "yes p50", "p90", "bed p50", "p90", "none", "inputs", "desk")
    _table(
        columns,
        rows,
        title="By pathway: time to the first acceptance and to a bed; cases that nobody accepted; inputs and desk tasks of each",
    )


def _words(tallies: list[Tally], measure: str, title: str) -> None:
    counts = [t.words(measure) for t in tallies]
    sums = [sum(c.values()) or 1 for c in counts]
    words = [word for word, _ in Counter({w: n for c in counts for w, n in c.items()}).most_common(SHOWN)]
    rows = [
        (word, _both([str(c[word]) for c in counts]), _both([f"{100 * c[word] / n:.1f} %" for c, n in zip(counts, sums, strict=True)]))
        for word in words
    ]
    _table((title, "count", "share"), rows)


def _services(tallies: list[Tally], years: int) -> None:
    days = [full(t, years) for t in tallies]
    rows = [(service, _both([f"{d.get(service, 0):.1f}" for d in days])) for service in list(days[-1])[:SHOWN]]
    _table(("without a free place", "days a year"), rows)


def _places(tallies: list[Tally], policy: Policy) -> None:
    slow = {place: quantile(tallies[0].words("place", place), 0.9) or 0 for place in tallies[0].of("place")}
    rows = [
        (policy.names("municipality", place, "en"), _both([length(quantile(t.words("place", place), 0.9)) for t in tallies]))
        for place in sorted(slow, key=lambda p: (-slow[p], p))[:SHOWN]
    ]
    _table(("slowest municipalities", "accepted p90"), rows)


def print_differences(found: Differences, cases: int, policy: Policy) -> None:
    """Print the cases that take another course, grouped, with one example of each kind as a story."""
    moved = sum(found.elsewhere.values())
    console.console.print(f"{moved} of {cases} cases go elsewhere", soft_wrap=True, style="bold")
    console.say(f"{found.said} more go the same way, but somebody is told another limit or shown something else")
    if not moved:
        return
    for index, title in enumerate(("what is different first", "pathway", "municipality")):
        groups: Counter[str] = Counter()
        for key, count in found.elsewhere.items():
            groups[key[index]] += count
        kind = ("", "pathway", "municipality")[index]
        rows = [(policy.names(kind, word, "en") if kind else word, str(count)) for word, count in groups.most_common(SHOWN)]
        _table((title, "cases"), rows)
    kinds: Counter[str] = Counter()
    for (kind, _, _), count in found.elsewhere.items():
        kinds[kind] += count
    for kind, _ in kinds.most_common(3):
        if kind in found.examples:
            print_example(found.examples[kind][0])


def print_example(parted: Parted) -> None:
    """Print one case: its recent events, and each policy's decision where the two part."""
    console.console.print(f"\n[bold]case {parted.name}[/] · {parted.pathway} · {parted.place} · {parted.kind}", soft_wrap=True)
    for line in parted.story[-6:]:
        console.say(f"   {line}")
    for name, side in (("before", parted.before), ("now", parted.after)):
        at = f"+{span(side.at - parted.arrived)}" if side.at else "nothing further"
        console.console.print(f"  [bold]{name}[/] {at}: {'; '.join(side.lines[:4])}", soft_wrap=True)
        if why := _why(side):
            console.console.print(f"      why: {why}", soft_wrap=True, markup=False, style="dim")
    if parted.unused:
        console.console.print(
            f"      {parted.unused} recorded inputs after it say nothing about the other way", style="dim", soft_wrap=True
        )


def _why(side: Side) -> str:
    passed = [p.rpartition(" ") for p in side.passed]
    words = [f"{service}: {reasons.passed(english(), reason)}" for service, _, reason in passed]
    return "; ".join(filter(None, [reasons.rule(english(), side.rule), *words]))


SHARES = (0.5, 0.9, 0.99)
TIMES = ("first", "bed", "place")
WORDS = ("ended", "opened", "rung", "declined", "passed", "desk", "tasks", "asked")
NUMBERS = ("cases", "raised", "nobody", "inputs", "decisions", "events")
COLUMNS = ("measure", "of", "what", "unit", "before")


class Row(Struct, frozen=True):
    """One figure. of: pathway, municipality or service; empty for all."""

    measure: str
    of: str
    what: str
    unit: str
    value: float


def rows(tally: Tally, years: int) -> Iterator[Row]:
    """Yield every figure of one policy."""
    for measure in NUMBERS:
        for of in tally.of(measure):
            yield Row(measure, of, "", "count", tally.total(measure, of))
    for measure in TIMES:
        for of in tally.of(measure):
            buckets = tally.words(measure, of)
            for share in SHARES:
                yield Row(measure, of, f"p{share * 100:.0f}", "min", round(quantile(buckets, share) or 0, 1))
            for bucket in sorted(int(b) for b in buckets):
                yield Row(f"{measure}-histogram", of, f"{minutes(bucket):.1f}", "cases from so many min", buckets[bucket])
    for measure in WORDS:
        for of in tally.of(measure):
            for word, count in sorted(tally.words(measure, of).items(), key=lambda item: (str(type(item[0])), item[0])):
                yield Row(measure, of, str(word), "count", count)
    for service, share in full(tally, years).items():
        yield Row("full", service, "", "days a year", round(share, 2))


def full(tally: Tally, years: int) -> dict[str, float]:
    """Return days a year without a free place, by service, the fullest first."""
    days = {service: tally.total("full", service) / DAY_US / years for service in tally.of("full")}
    return dict(sorted(days.items(), key=lambda item: (-item[1], item[0])))


def write(path: Path, result: Result, compared: bool) -> None:
    """Write all figures as CSV. For two policies, add a second column and the cases that take another course."""
    before = {(r.measure, r.of, r.what, r.unit): r.value for r in rows(result.before, result.years)}
    after = {(r.measure, r.of, r.what, r.unit): r.value for r in rows(result.after, result.years)} if compared else {}
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow((*COLUMNS, "after") if compared else COLUMNS)
        for key in [*before, *(key for key in after if key not in before)]:
            out.writerow((*key, before.get(key, ""), after.get(key, "")) if compared else (*key, before[key]))
        for (kind, pathway, place), count in sorted(result.differences.elsewhere.items()):
            out.writerow(("elsewhere", pathway, f"{kind} ({place})", "cases", "", count))
        for name in result.differences.names:
            out.writerow(("elsewhere-case", "", name, "", "", ""))
