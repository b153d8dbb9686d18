"""What `policy check` found, for a tired person: how long a case waits at worst, and what is wrong, each with where and for whom."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from referral.cli import show
from referral.cli.check_run import Found, Result
from referral.domain.deadline import DAY, HOUR, MINUTE
from referral.domain.policy import Policy
from referral.domain.reach_story import text
from referral.domain.reach_tally import Row

TITLE = "Longest wait when everybody answers in the last minute → when {} (one time: the same)"
UNITS = ((2 * HOUR, MINUTE, "min"), (3 * DAY, HOUR, "h"), (1 << 62, DAY, "d"))
COLUMNS = ("first acceptance", "a bed", "a desk is asked")
STEPS = 6
"""Steps that are named in one note."""
WORST = 3
"""Municipalities that are named of each procedure."""


def print_times(result: Result, policy: Policy, fails: str, every: bool) -> None:
    """For each procedure the longest waits, and where; or every municipality. fails: who does, in words."""
    rows = []
    for pathway in policy.current:
        found = {place: row for (id, place), row in result.tally.rows.items() if id == pathway.id}
        if not found:
            continue
        whole = Row()
        for row in found.values():
            whole.add(row)
        name = policy.names("pathway", pathway.id, "en")
        if every:
            rows += [(name, policy.names("municipality", place, "en"), *_cells(row)) for place, row in sorted(found.items())]
        else:
            rows.append((name, _worst(found, policy), *_cells(whole)))
    where = "municipality" if every else "where it is longest"
    show.table(("procedure", where, *COLUMNS), rows, title=TITLE.format(fails))


def _worst(found: dict[str, Row], policy: Policy) -> str:
    longest = max(max(row.bed, row.first) for row in found.values())
    places = [place for place, row in found.items() if max(row.bed, row.first) == longest]
    if len(places) == len(policy.municipalities):
        return "everywhere"
    names = [policy.names("municipality", place, "en") for place in places]
    more = f" and {len(names) - WORST} more" if len(names) > WORST else ""
    return ", ".join(names[:WORST]) + more


def _cells(row: Row) -> tuple[str, ...]:
    return _times(row.calm_first, row.first), _times(row.calm_bed, row.bed), f"{row.desks / row.ways:.0%}" if row.ways else ""


def _times(calm: int, worst: int) -> str:
    if worst < 0 or calm == worst:
        return waits(worst)
    return f"{waits(calm)} → {waits(worst)}"


def waits(micros: int) -> str:
    """At most so long: rounded up to minutes, hours or days; – where it is never."""
    if micros < 0:
        return "–"
    size, unit = next((size, unit) for most, size, unit in UNITS if micros < most)
    return f"{-(-micros // size)} {unit}"


def print_found(result: Result, policy: Policy, *, told: bool) -> None:
    """What is weak, one line each, then what is wrong, one paragraph each, and of the first how one comes to it, as a story."""
    for line in _notes(result, policy):
        show.console.print(line, soft_wrap=True, markup=False, style="dim")
    for found in result.found.values():
        for line in lines(found, policy):
            show.errors.print(line, soft_wrap=True, markup=False)
    example = next((found.story for found in result.found.values() if found.story is not None), None)
    if example is not None and told:
        show.errors.print(
            f"\nHow one comes to the first (--stories DIR writes this for all):\n{text(example)}", soft_wrap=True, markup=False
        )


def _notes(result: Result, policy: Policy) -> Iterator[str]:
    """What is weak, by procedure: the steps for which the same is so in as many municipalities stand together."""
    steps: dict[tuple[str, str, int], list[str]] = {}
    for found in result.weak.values():
        one = found.finding
        steps.setdefault((one.pathway, one.said, len(found.places)), []).append(one.step)
    for (pathway, said, count), those in steps.items():
        where = "everywhere" if count == len(policy.municipalities) else f"in {count} municipalit{'ies' if count > 1 else 'y'}"
        more = f" and {len(those) - STEPS} more" if len(those) > STEPS else ""
        yield f"note: {pathway}, {', '.join(those[:STEPS])}{more}: {said} ({where})"


def lines(found: Found, policy: Policy) -> Iterator[str]:
    """What is wrong, where and for whom, and what may help."""
    one = found.finding
    step = f", step {one.step}" if one.step else ""
    yield f"pathways/{one.pathway}.yaml{step}: {one.said}"
    if found.places:
        where = ", ".join(policy.names("municipality", place, "en") for place in found.places[:WORST])
        more = f" and {len(found.places) - WORST} more" if len(found.places) > WORST else ""
        place = "everywhere" if len(found.places) == len(policy.municipalities) else where + more
        yield f"    where: {place}; for example: {one.who}"
    if one.do:
        yield f"    {one.do}"


def print_sums(result: Result, seconds: float) -> None:
    """How much has been looked at, and what none of it did."""
    tally = result.tally
    apart = f" ({tally.excluded} with somebody excluded)" if tally.excluded else ""
    looked = f"{tally.classes} kinds of cases on {tally.ways} ways{apart}, {tally.decisions} decisions; {seconds:.0f} s"
    show.console.print(looked, soft_wrap=True)
    if not any(found.finding.kind == "forbidden" for found in result.found.values()):
        said = "no one of them went to somebody banned or excluded, or showed a section that its step does not show"
        show.console.print(f"{tally.offers} offers: {said}", soft_wrap=True)


def document(result: Result) -> dict[str, object]:
    """Everything, for a program. Times in seconds; -1: never."""
    tally = result.tally
    return {
        "times": [
            {
                "pathway": pathway,
                "municipality": place,
                "first_nobody_fails": _seconds(row.calm_first),
                "first": _seconds(row.first),
                "first_when": row.by_first,
                "bed_nobody_fails": _seconds(row.calm_bed),
                "bed": _seconds(row.bed),
                "bed_when": row.by_bed,
                "desk_before_anybody": _seconds(row.desk),
                "ways": row.ways,
                "ways_to_a_desk": row.desks,
                "ways_without_a_bed": row.no_bed,
            }
            for (pathway, place), row in sorted(tally.rows.items())
        ],
        "wrong": [_found(found) for found in result.found.values()],
        "weak": [_found(found) for found in result.weak.values()],
        "looked_at": {"classes": tally.classes, "ways": tally.ways, "decisions": tally.decisions, "offers": tally.offers},
    }


def _found(found: Found) -> dict[str, object]:
    said: dict[str, object] = msgspec.to_builtins(found.finding)
    return {**said, "municipalities": found.places, **({"story": text(found.story)} if found.story else {})}


def _seconds(micros: int) -> float:
    return micros / 1e6 if micros >= 0 else -1
