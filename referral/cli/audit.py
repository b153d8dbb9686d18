"""`referral audit replay|verify`: the log of one case told, and the whole log proven."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import Progress
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import log, show
from referral.cli.replay import elsewhere
from referral.cli.telling import tell
from referral.errors import Rejected
from referral.proof.entry import Entry
from referral.proof.report import Report, Weight
from referral.proof.timeline import timeline
from referral.proof.verify import Verification
from referral.runtime.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The log: who did what, when and why, and whether it can be believed.")
SHOWN = 20
"""Findings printed for people; --json has all."""

Case = Annotated[str, typer.Option("--case", help="Case id.")]
Other = Annotated[Path | None, typer.Option("--policy", help="A policy folder: which recorded cases would go elsewhere under it.")]


@app.command()
def replay(case: Case = "", policy: Other = None, as_json: show.Json = False) -> int:
    """Tell one case from the log: time, event, who, why, and what led to what. Or decide the log again under another policy.

    Exit 0 told, 1 the log has no such case or the policy is wrong, 2 the database or the folder is away, 3 some case could not be compared.

    Example: referral audit replay --case CASE
    """
    if policy is not None:
        return elsewhere(policy, case, as_json)
    if not case:
        raise typer.BadParameter("name a case with --case, or a policy folder with --policy")
    entries, keys = log.ask(lambda tx, found: case_entries(tx, found, case))
    if not entries:
        raise Rejected("unknown-case", "--case", "the log has no entry of this case; audit may lag by a second")
    lines = timeline(entries, keys.get(case))
    if as_json:
        show.document({"case_id": case, "lines": [msgspec.to_builtins(line) for line in lines]})
    else:
        show.console.print(f"case {case}: {len(lines)} lines from the log", soft_wrap=True, markup=False)
        for told in tell(lines):
            show.console.print(told.text, style=told.style, soft_wrap=True, markup=False)
    return 0


@app.command("verify")
def verify_command(as_json: show.Json = False) -> int:
    """Prove the log: nothing missing, nothing changed, every decision the one that the rules lead to.

    Exit 0 good, 1 bad, 3 could not be fully checked.

    Example: referral audit verify
    """
    with show.progress(quiet=as_json) as bar:
        report = log.ask(lambda tx, found: _prove(tx, found, bar))
    if as_json:
        show.document(report.as_json())
    else:
        _print(report)
    return report.exit_code()


async def _prove(tx: AsyncConnection, found: Settings, bar: Progress) -> Report:
    """Both passes over one snapshot; nothing of the log but one case at a time is held."""
    proof = Verification(await log.case_keys(tx, found), await log.torn(tx))
    entries, cases = await log.size(tx)
    hashed = bar.add_task("entries hashed", total=entries)
    async for entry in log.entries(tx):
        proof.take(entry)
        bar.advance(hashed)
    proof.taken()
    decided = bar.add_task("cases decided again", total=cases)
    async for case_id, of_case in log.by_case(tx):
        proof.case(case_id, of_case)
        bar.advance(decided)
    return proof.report


def _print(report: Report) -> None:
    rows = sorted(report.findings, key=lambda f: (-f.weight, f.place()))
    if rows:
        show.table(
            ("weight", "entry", "code", "what", "where"),
            [(f.weight.name, "" if f.idx is None else f.idx, f.code, f.what, f.where) for f in rows[:SHOWN]],
        )
        if len(rows) > SHOWN:
            show.console.print(f"… and {len(rows) - SHOWN} more; --json has all")
    show.console.print(" · ".join(f"{number} {name}" for name, number in report.counts.items()), soft_wrap=True)
    first = report.first_bad()
    unchecked = sum(f.weight is Weight.UNCHECKED for f in report.findings)
    if first:
        show.console.print(f"BAD: the first bad entry is {first}", soft_wrap=True)
    elif unchecked:
        show.console.print(f"NOT FULLY CHECKED: nothing bad was found, {unchecked} findings could not be proven either way")
    else:
        show.console.print("GOOD: the log is whole, its bytes are the logged ones, and the rules lead to its decisions", soft_wrap=True)


async def case_entries(tx: AsyncConnection, found: Settings, case: str) -> tuple[list[Entry], dict[str, bytes]]:
    """The log's entries of one case, and its key if it is not erased."""
    return await log.of_case(tx, case), await log.case_keys(tx, found, [case])
