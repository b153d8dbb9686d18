"""`referral doctor`: check the state of the whole system, and print the operator's remedy for each fault."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection, console
from referral.cli.admin import roster
from referral.cli.admin.doctor import installation
from referral.cli.admin.doctor.checks import diagnose
from referral.cli.admin.doctor.facts import Facts, gather
from referral.cli.admin.doctor.result import BLIND, NAMES, Check, Result, write
from referral.errors import Unavailable
from referral.runtime.settings import Settings

Everything = Annotated[bool, typer.Option("--all", help="Read the topics from their beginning, not the last week alone.")]
Textfile = Annotated[
    Path | None, typer.Option(metavar="FILE.prom", help="Write the results there for Prometheus' node_exporter too, also when it fails.")
]


def doctor(everything: Everything = False, as_json: console.Json = False, textfile: Textfile = None) -> int:
    """Check conservation, positions, leases, sequences, alarms, keys, topics, outbox, quarantine, places, policy, clock, rotas, rights,
    passwords, tokens, commands, events, walls, backup, certificates and older faults. A warning names what an operator must do in weeks.
    Of the case topics it reads the last week; with --all everything, for instance after a restore.

    Exit 0 all good, or warnings alone, 1 something is bad, 2 database or broker down, 3 something could not be checked.

    Example: referral doctor
    """
    checks = [BLIND]
    try:
        facts, checks = _examined(everything)
    finally:
        if textfile:
            write(textfile, checks)
    if as_json:
        console.document({"now": facts.now, "clock_ahead_us": facts.ahead, "checks": [msgspec.to_builtins(c) for c in checks]})
    else:
        console.table(("check", "result", "what was found", "what to do"), [(c.name, c.result, c.said, c.do) for c in checks])
        if facts.ahead:
            console.console.print(f"drill: the clock of this stack is {facts.ahead // 1_000_000} s ahead")
    return exit_code(checks)


def _examined(everything: bool) -> tuple[Facts, list[Check]]:
    async def examine(tx: AsyncConnection, found: Settings) -> tuple[Facts, list[Check]]:
        facts = await gather(tx, found, everything)
        return facts, [*diagnose(facts), *await installation.examine(tx, found)]

    try:
        facts, checks = connection.ask(examine)
    except (KafkaError, OSError) as error:
        raise Unavailable("the broker") from error
    checks.append(installation.duty(roster.notifier_history()["rungs"]))
    return facts, sorted(checks, key=lambda check: NAMES.index(check.name))


def exit_code(checks: list[Check]) -> int:
    """Return 0 for good, 1 for bad, 3 for not fully checked."""
    results = {c.result for c in checks}
    return 1 if Result.BAD in results else 3 if Result.UNCHECKED in results else 0
