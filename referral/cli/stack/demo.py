"""`referral demo`: run one made-up child's referral on real servers, from the first call to the audit's verdict."""

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

from referral.cli import console
from referral.cli.admin.doctor import command as doctor
from referral.cli.audit import verify
from referral.cli.policy import policy_folder
from referral.cli.stack import cast, every_pathway, story, tour, up
from referral.cli.stack.stage import Late, Stage
from referral.domain.policy import policy as domain
from referral.domain.policy.procedure import Pathway
from referral.errors import Rejected
from referral.local.config import StackConfig, forget, root
from referral.local.data_folder import Trouble
from referral.local.stack import Stack
from referral.runtime.settings import CHECKOUT, SERVICES

VERDICT: tuple[tuple[str, Callable[[], int]], ...] = (("audit verify", verify.verify_command), ("doctor", doctor.doctor))
MUNICIPALITY = "prishtine"
"""Municipality of the story."""
Data = Annotated[Path | None, typer.Option("--data", help="Keep everything in this folder; by default a temporary one that is removed.")]


Named = Annotated[str, typer.Option("--pathways", help="Instead of the story: run these procedures, or all, each once to its end.")]


def demo(data: Data = None, pathways: Named = "", as_json: console.Json = False) -> int:
    """Tell the story of one referral on a stack of its own. Hours pass by the drill clock. Exit 0: audit and doctor found nothing wrong.

    Exit 1: they found a fault, or the story stopped. 2: the stack could not start, or no such pathway. 130: interrupted. With --json the
    story goes to standard error, and the exit codes of the two commands to standard output. At the end it prints a page for each role; at a
    terminal these answer until you press Enter.

    Example: referral demo

    Example: referral demo --pathways all
    """
    if as_json:
        console.console.file = sys.stderr
    with contextlib.ExitStack() as kept:
        if data is None:
            data = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="referral-", ignore_cleanup_errors=True)))
        forget(os.environ)
        try:
            rules = domain.compile(policy_folder.read(CHECKOUT / "policy"))
            toured = every_pathway.chosen(rules, pathways) if pathways else ()
            codes = asyncio.run(_play(data.expanduser().absolute(), toured, stays=not as_json and sys.stdin.isatty()))
        except (Trouble, Rejected, ExceptionGroup) as error:
            cause = up.first_error(error)
            if not isinstance(cause, Trouble | Rejected):
                raise
            console.wrong([f"referral: {cause}"])
            return 2
    if as_json:
        console.document({name: code for (name, _), code in zip(VERDICT, codes, strict=False)})
    return 0 if codes == [0, 0] else 1


async def _play(data: Path, toured: tuple[Pathway, ...], *, stays: bool) -> list[int]:
    """Run the story and return the exit codes of the verdict; an empty list where the story stopped. stays: keep the pages until Enter."""
    console.console.rule("[bold]a drill: every person, agency and place is made up")
    console.say("Starting Kafka, PostgreSQL, a mail server and five services on this machine …")
    begun = time.monotonic()
    config = StackConfig(data=data, drill=True, witnesses=up.WITNESSES, services=SERVICES, handset=True)
    async with up.running(config, told=console.console.print) as stack:
        console.say(f"ready after {time.monotonic() - begun:.1f} s; agencies and staff would use {stack.url('intake')}\n")
        stage = Stage(stack, cast.load(data))
        try:
            await asyncio.to_thread(lambda: every_pathway.tell(stage, toured) if toured else story.tell(stage, story.demo()))
        except Late as late:
            console.errors.print(f"referral: {late}; the logs are in {data / 'log'} (use --data to keep them)", soft_wrap=True)
            return []
        finally:
            stage.close()
        os.environ.update(stack.environment)  # the verdict commands read the stack from the environment, as any user's would
        codes = [await asyncio.to_thread(_verdict, name, command) for name, command in VERDICT]
        await _pages(stack, cast.load(data), stays=stays)
        return codes


async def _pages(stack: Stack, people: cast.Cast, *, stays: bool) -> None:
    """Print the page of each role, as the story left them. stays: keep the stack until Enter."""
    console.console.rule("[bold]a page for each role")
    for one in tour.roles(tour.of_stack(stack), people, MUNICIPALITY):
        console.say(f"{one.role:<15} {one.address:<42} {one.who}")
    secrets = ", ".join(f"{office} {token}" for office, token in people.readers.items())
    console.say(f"{'password':<15} {people.password} (every account); tokens: {secrets}")
    console.say(f"{'certificates':<15} of {root(stack.addresses)}: import it in a browser, or accept its warning at each address")
    if not stays:
        console.say("these end with the demo: `referral up` keeps a stack running, and `referral tour` walks through it")
        return
    console.say("they answer until you press Enter; `referral up` keeps a stack running, and `referral tour` walks through it")
    pressed, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(sys.stdin, pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin)


def _verdict(name: str, command: Callable[[], int]) -> int:
    console.console.rule(f"[bold]referral {name}")
    return command()
