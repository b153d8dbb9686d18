"""The figures of a simulation as rows: what the CSV file holds, and what tables and pictures are made of."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from referral.cli.simulate_run import Result
from referral.domain.deadline import DAY
from referral.domain.simulate_tally import Tally, minutes, quantile

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
    """Every figure of one policy."""
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
    """Days a year without a free place, by service, the fullest first."""
    days = {service: tally.total("full", service) / DAY / years for service in tally.of("full")}
    return dict(sorted(days.items(), key=lambda item: (-item[1], item[0])))


def write(path: Path, result: Result, compared: bool) -> None:
    """All of it as CSV; with a second column of figures, and the cases that go elsewhere, where two policies were compared."""
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
