"""`referral demo`: one made-up child's referral, from the first call to the audit's verdict, on the real servers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from referral.cli import audit_verify, cast, doctor, policy, show, tour, up
from referral.cli.stage import Late, Stage
from referral.cli.story import tell
from referral.domain import policy as domain
from referral.domain.procedure import Pathway
from referral.errors import Rejected
from referral.local.trouble import Trouble
from referral.local.wish import Wish, forget
from referral.runtime.settings import CHECKOUT

VERDICT: tuple[tuple[str, Callable[[], int]], ...] = (("audit verify", audit_verify.verify_command), ("doctor", doctor.doctor))
Data = Annotated[Path | None, typer.Option("--data", help="Keep everything in this folder; by default a temporary one that is removed.")]


Named = Annotated[str, typer.Option("--pathways", help="Instead of the one story: these procedures, or all, each once to its end.")]


def demo(data: Data = None, pathways: Named = "", as_json: show.Json = False) -> int:
    """Tell the story of one referral on a stack of its own. Hours pass by the drill clock. Exit 0: audit and doctor found nothing wrong.

    Exit 1: they did, or the story did not go on. 2: the stack could not start, or no such pathway. 130: interrupted. With --json the
    story goes to standard error, and what the two said to standard output.

    Example: referral demo
    Example: referral demo --pathways all
    """
    if as_json:
        show.console.file = sys.stderr
    with contextlib.ExitStack() as kept:
        if data is None:
            data = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="referral-", ignore_cleanup_errors=True)))
        forget(os.environ)
        try:
            rules = domain.compile(policy.read(CHECKOUT / "policy"))
            toured = tour.chosen(rules, pathways) if pathways else ()
            codes = asyncio.run(_play(data.expanduser().absolute(), toured))
        except (Trouble, Rejected) as trouble:
            show.errors.print(f"referral: {trouble}", soft_wrap=True)
            return 2
    if as_json:
        show.document({name: code for (name, _), code in zip(VERDICT, codes, strict=False)})
    return 0 if codes == [0, 0] else 1


async def _play(data: Path, toured: tuple[Pathway, ...]) -> list[int]:
    """Exit codes of the verdict; empty when the story did not go on."""
    show.console.rule("[bold]a drill: every person, agency and place is made up")
    show.console.print("Starting Kafka, PostgreSQL, a mail server and four services on this machine …")
    begun = time.monotonic()
    async with up.running(Wish(data=data, drill=True, witnesses=up.WITNESSES), told=show.console.print) as stack:
        show.console.print(f"ready after {time.monotonic() - begun:.1f} s; agencies and staff would use {stack.url('intake')}\n")
        stage = Stage(stack, cast.load(data))
        try:
            await asyncio.to_thread(lambda: tour.tell(stage, toured) if toured else tell(stage))
        except Late as late:
            show.errors.print(f"referral: {late}; the logs are in {data / 'log'} (use --data to keep them)", soft_wrap=True)
            return []
        finally:
            stage.close()
        os.environ.update(stack.environment)  # the last word have two commands that anybody can run beside the stack
        return [await asyncio.to_thread(_verdict, name, command) for name, command in VERDICT]


def _verdict(name: str, command: Callable[[], int]) -> int:
    show.console.rule(f"[bold]referral {name}")
    return command()
