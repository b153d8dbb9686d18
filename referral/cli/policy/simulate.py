"""`referral policy simulate`: run a made-up caseload through the decision engine, under one policy or under two."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from referral.analysis.simulation.run import Result, SimulationOptions, policies, run
from referral.cli import console
from referral.cli.policy import charts, policy_folder
from referral.cli.policy.simulate_report import print_differences, print_tables, rows, write
from referral.domain.policy import Policy, PolicyErrors
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
