"""`referral audit replay --policy`: the recorded cases decided again under another policy, and which of them go elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from rich.progress import Progress
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import log, policy, show
from referral.cli.simulate_table import print_differences
from referral.domain import policy as domain
from referral.domain.policy import Policy, PolicyErrors
from referral.errors import Rejected
from referral.proof.bundles import Bundles
from referral.proof.elsewhere import Elsewhere
from referral.proof.entry import Entry, Kind
from referral.proof.report import Report
from referral.runtime.settings import Settings

BUNDLES = text(f"SELECT * FROM audit.entry WHERE kind = '{Kind.POLICY.value}' ORDER BY idx")  # noqa: S608 (a constant of ours)


def elsewhere(folder: Path, case: str, as_json: bool) -> int:
    """Compare, and tell. case: only this one; empty for all."""
    try:
        other = domain.compile(policy.read(folder))
    except PolicyErrors as error:
        show.wrong(error.errors)
        return 1
    with show.progress(quiet=as_json) as bar:
        found = log.ask(lambda tx, where: compare(tx, where, other, case, bar))
    if case and not found.cases and not found.unchecked:
        raise Rejected("unknown-case", "--case", "the log has no decision of this case; audit may lag by a second")
    if as_json:
        show.document(_document(found))
    else:
        _print(found, other)
    return 3 if found.unchecked else 0


async def compare(tx: AsyncConnection, found: Settings, other: Policy, case: str, bar: Progress | None = None) -> Elsewhere:
    """Every case of the log, one at a time; nothing else of it is held."""
    keys = await log.case_keys(tx, found, [case] if case else None)
    bundles = Bundles(report=Report())
    for row in await tx.execute(BUNDLES):
        bundles.take(log.entry(row))
    _, cases = await log.size(tx)
    task = bar.add_task("cases decided again", total=1 if case else cases) if bar else None
    told = Elsewhere()
    async for case_id, entries in _cases(tx, case):
        told.take(case_id, entries, keys.get(case_id), bundles.policy, other)
        if bar and task is not None:
            bar.advance(task)
    return told


async def _cases(tx: AsyncConnection, case: str) -> AsyncIterator[tuple[str, list[Entry]]]:
    if case:
        yield case, await log.of_case(tx, case)
        return
    async for case_id, entries in log.by_case(tx):
        yield case_id, entries


def _print(found: Elsewhere, other: Policy) -> None:
    show.console.print(f"{found.cases} cases with {found.inputs} decisions from the log, decided again", soft_wrap=True)
    print_differences(found.differences, found.cases, other)
    if found.unused:
        show.console.print(
            f"\n{found.unused} recorded inputs come after the point where their case goes elsewhere. They answer offers that were "
            "really made, so they say nothing about what would have followed: `referral policy simulate --against` does, with made-up "
            "cases.",
            soft_wrap=True,
        )
    if found.assumed:
        show.console.print(f"{found.assumed} times a free place was not on record; the service was taken to be empty", soft_wrap=True)
    for why, count in found.unchecked.most_common():
        show.console.print(f"NOT COMPARED: {count} cases, {why}", soft_wrap=True)


def _document(found: Elsewhere) -> dict[str, object]:
    moved = [{"kind": k, "pathway": p, "municipality": m, "cases": n} for (k, p, m), n in sorted(found.differences.elsewhere.items())]
    return {
        "cases": found.cases,
        "decisions": found.inputs,
        "elsewhere": moved,
        "told_otherwise": found.differences.said,
        "names": found.differences.names,
        "examples": found.differences.examples,
        "unused_inputs": found.unused,
        "assumed_places": found.assumed,
        "not_compared": dict(found.unchecked),
    }
