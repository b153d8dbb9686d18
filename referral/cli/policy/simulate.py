"""`referral policy simulate`: run a made-up caseload through the decision engine, under one policy or under two."""

from __future__ import annotations

import csv
import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from referral.analysis.compare import Differences, Parted, Side
from referral.analysis.simulation.run import Result, SimulationOptions, policies, run
from referral.analysis.simulation.tally import Tally, minutes, quantile
from referral.cli import console
from referral.cli.policy import charts, policy_folder
from referral.domain.describe import span
from referral.domain.policy import Policy, PolicyErrors
from referral.proof.history import reasons
from referral.proof.history.words import english
from referral.runtime import settings

MOST = 1_000_000
CORES = os.cpu_count() or 1
Cases = Annotated[
    int, typer.Option("--cases", min=1, max=MOST, help="Number of cases; more than one year's are spread over several years.")
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same cases, people and answers.")]
Other = Annotated[Path | None, typer.Option("--against", help="A second policy folder: run the same cases under it, and compare.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write every figure to this file.")]
Svg = Annotated[Path | None, typer.Option("--svg", help="Draw the figures into this file.")]
Year = Annotated[int, typer.Option("--year", help="The calendar year of the first cases.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Processes; the result is the same for any number.")]


def simulate(
    folder: policy_folder.Folder = None,
    cases: Cases = 1000,
    seed: Seed = 1,
    against: Other = None,
    csv: Csv = None,
    svg: Svg = None,
    year: Year = 2026,
    jobs: Jobs = CORES,
    as_json: console.Json = False,
) -> int:
    """Simulate a year of made-up cases under a policy: times, declines, rungs, desks, full shelters. It uses no real person and no server.

    Exit 0 done, 1 a policy has an error, 2 folder, year or file cannot be used.

    Example: referral policy simulate --cases 1000 --seed 7
    """
    files = policy_folder.read_argument(folder or settings.CHECKOUT / "policy")
    options = SimulationOptions(
        files=files, other=policy_folder.read_argument(against) if against else None, cases=cases, seed=seed, year=year
    )
    for path in filter(None, (csv, svg)):
        if not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"{path}: there is no such folder")
    try:
        before, _ = policies(options)
    except PolicyErrors as error:
        console.wrong(error.errors)
        return 1
    _calendar(before, year)
    began = time.perf_counter()
    with console.progress(quiet=as_json) as bar:
        task = bar.add_task("cases", total=cases)
        result = run(options, jobs, lambda ended: bar.advance(task, ended))
    seconds = time.perf_counter() - began
    if csv:
        write(csv, result, against is not None)
    if svg:
        svg.write_text(charts.figures(result, before, against is not None), "utf-8")
    if as_json:
        return console.document(_document(result, against is not None))
    _print(result, before, cases, seconds, against is not None)
    return 0


def _calendar(found: Policy, year: int) -> None:
    """Refuse a year whose holidays the policy does not hold, because its working days cannot be counted."""
    known = sorted({(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).year for day in found.calendar.holidays})
    if known and year not in known:
        raise typer.BadParameter(f"--year {year}: the calendar of the policy knows {known[0]} to {known[-1]}")


def _print(result: Result, found: Policy, cases: int, seconds: float, compared: bool) -> None:
    inputs, before = result.before.total("decisions"), result.before
    everyone = before.total("cases") + before.total("raised")
    per_year = "one year" if result.years == 1 else f"{result.years} years of {cases // result.years}"
    console.say(
        f"{cases} cases in {per_year}, and {before.total('raised')} that they raised: {inputs} inputs ({inputs / everyone:.1f} a case), "
        f"{before.total('events')} events; {cases / seconds:,.0f} cases/s"
    )
    print_tables(result, found, compared)
    if compared:
        print_differences(result.differences, cases, found)


def _document(result: Result, compared: bool) -> dict[str, object]:
    document: dict[str, object] = {"years": result.years, "before": list(rows(result.before, result.years))}
    if compared:
        differences = result.differences
        document["after"] = list(rows(result.after, result.years))
        document["elsewhere"] = [
            {"kind": k, "pathway": p, "municipality": m, "cases": n} for (k, p, m), n in sorted(differences.elsewhere.items())
        ]
        document["told_otherwise"] = differences.said
        document["names"] = differences.names
        document["examples"] = differences.examples
    return document


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
    console.table(
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
    console.table((title, "count", "share"), rows)


def _services(tallies: list[Tally], years: int) -> None:
    days = [t.full(years) for t in tallies]
    rows = [(service, _both([f"{d.get(service, 0):.1f}" for d in days])) for service in list(days[-1])[:SHOWN]]
    console.table(("without a free place", "days a year"), rows)


def _places(tallies: list[Tally], policy: Policy) -> None:
    slow = {place: quantile(tallies[0].words("place", place), 0.9) or 0 for place in tallies[0].of("place")}
    rows = [
        (policy.names("municipality", place, "en"), _both([length(quantile(t.words("place", place), 0.9)) for t in tallies]))
        for place in sorted(slow, key=lambda p: (-slow[p], p))[:SHOWN]
    ]
    console.table(("slowest municipalities", "accepted p90"), rows)


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
        console.table((title, "cases"), rows)
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
    for service, share in tally.full(years).items():
        yield Row("full", service, "", "days a year", round(share, 2))


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
