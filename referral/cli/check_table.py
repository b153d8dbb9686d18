"""What `policy check` found, for a tired person: how long a case waits at worst, and what is wrong, each with where and for whom."""

from __future__ import annotations

from collections.abc import Iterator

from referral.cli import show
from referral.cli.check_run import Found, Result
from referral.domain.policy import Policy
from referral.domain.reach_tally import Row
from referral.domain.told import span

TITLE = "Longest wait when everybody answers in the last minute → when one agency fails"
COLUMNS = ("first acceptance", "a bed", "a desk is asked")
WORST = 3
"""Municipalities that are named of each procedure."""


def print_times(result: Result, policy: Policy, every: bool) -> None:
    """For each procedure the longest waits, and where; or every municipality."""
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
    show.table(("procedure", where, *COLUMNS), rows, title=TITLE)


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
    return "–" if worst < 0 else f"{_time(calm)} → {_time(worst)}"


def _time(micros: int) -> str:
    return "–" if micros < 0 else span(micros)


def print_found(result: Result, policy: Policy) -> None:
    """What is wrong, one paragraph each, then what is weak, one line each."""
    for found in result.weak.values():
        one = found.finding
        more = "everywhere" if len(found.places) == len(policy.municipalities) else f"{len(found.places)} municipalities"
        show.console.print(f"note: {one.pathway}, step {one.step}: {one.said} ({more})", soft_wrap=True, markup=False, style="dim")
    for found in result.found.values():
        for line in lines(found, policy):
            show.errors.print(line, soft_wrap=True, markup=False)


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
