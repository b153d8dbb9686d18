"""What `policy check` found, for a tired person: how long a case waits at worst, and what is wrong, each with where and for whom."""

from __future__ import annotations

from referral.cli import show
from referral.cli.check_run import Result
from referral.domain.policy import Policy
from referral.domain.reach_tally import Row
from referral.domain.told import span

TITLE = "Longest wait for the first acceptance, and for a bed, while everybody else answers in the last minute"
COLUMNS = ("nobody fails", "one fails", "bed", "bed, one fails", "a desk")
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
    desks = f"{row.desks} of {row.ways}" if row.ways else ""
    return _time(row.calm_first), _time(row.first), _time(row.calm_bed), _time(row.bed), desks


def _time(micros: int) -> str:
    return "–" if micros < 0 else span(micros)


def print_found(result: Result, policy: Policy) -> None:
    """What is wrong, one paragraph each."""
    for found in result.found.values():
        one = found.finding
        where = ", ".join(policy.names("municipality", place, "en") for place in found.places[:WORST])
        more = f" and {len(found.places) - WORST} more" if len(found.places) > WORST else ""
        everywhere = len(found.places) == len(policy.municipalities)
        place = "everywhere" if everywhere else where + more
        step = f", step {one.step}" if one.step else ""
        show.errors.print(f"pathways/{one.pathway}.yaml{step}: {one.said}", soft_wrap=True, markup=False)
        show.errors.print(f"    where: {place}; for example: {one.who}", soft_wrap=True, markup=False)
        if one.do:
            show.errors.print(f"    {one.do}", soft_wrap=True, markup=False)
