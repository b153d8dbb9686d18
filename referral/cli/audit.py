"""`referral audit replay`: the log of one case told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import log, show
from referral.cli.replay import elsewhere
from referral.cli.telling import tell
from referral.errors import Rejected
from referral.proof.entry import Entry
from referral.proof.timeline import timeline
from referral.runtime.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The log: who did what, when and why, and whether it can be believed.")
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


async def case_entries(tx: AsyncConnection, found: Settings, case: str) -> tuple[list[Entry], dict[str, bytes]]:
    """The log's entries of one case, and its key if it is not erased."""
    return await log.of_case(tx, case), await log.case_keys(tx, found, [case])
