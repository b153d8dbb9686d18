"""What `referral up` shows: progress, then addresses, then a table that stays true; or one JSON line."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import NoReturn

import msgspec
from rich.live import Live
from rich.table import Table
from rich.text import Text

from referral.cli import cast, show
from referral.local.stack import Stack

REFRESH_S = 0.5
SHOWN = ("police-prizren", "csw-prizren", "desk-prizren", "school-drita")
"""The agencies whose accounts and tokens docs/agencies.md works with."""
COLOURS = (
    dict.fromkeys(("starting", "waiting", "paused"), "yellow") | dict.fromkeys(("unready", "failed", "down"), "red") | {"ready": "green"}
)


class Screen:
    """One stack on one terminal, or, with as_json, for one program."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json

    def told(self, line: str) -> None:
        """Something that takes time was done."""
        (show.errors if self._json else show.console).print(line)

    def ready(self, made: Stack) -> None:
        """Everything answers."""
        if self._json:
            sys.stdout.buffer.write(msgspec.json.encode(report(made)) + b"\n")
            sys.stdout.flush()
            return
        print_ = partial(show.console.print, soft_wrap=True)
        print_(f"inbox and agencies' API  {made.url('intake')}   (all instances: {', '.join(p.address for p in made.of('intake'))})")
        for process in made.of("oversight"):
            print_(f"figures for oversight    http://{process.address}/oversight   (`referral oversight reader add` makes a token)")
        for process in made.of("audit"):
            print_(f"the auditor's page       http://{process.address}/auditor   (`referral audit token` makes a token)")
        print_(f"Kafka                    {made.addresses.kafka}")
        print_(f"mail                     {made.addresses.smtp}, kept in {made.wish.data / 'mail'}")
        print_(f"logs                     {made.wish.data / 'log'}")
        print_(f"for other commands       . {made.wish.data / 'environment'}")
        people = made.wish.data / cast.FILE
        if people.exists():
            found = cast.load(made.wish.data)
            some = ", ".join(member.login for agency in SHOWN for member in found.of(agency)[:1])
            print_(f"made-up people           {len(found.staff)} accounts, each <agency>.<rung>, password {found.password}: {some} …")
            print_(f"made-up agencies' tokens {people}   (`referral agency token` makes another)")
        print_("what to do with it       docs/agencies.md (curl, Python, Kafka), docs/operators.md; Ctrl-C ends all of it")
        if made.wish.drill:
            print_("drill: hours of this stack may be passed in seconds; never with real cases")

    async def follow(self, made: Stack) -> NoReturn:
        """Show the state of every process until cancelled; where nobody looks, a line for each change."""
        if show.console.is_terminal and not self._json:
            with Live(console=show.console, refresh_per_second=4) as live:
                while True:
                    live.update(table(made))
                    await asyncio.sleep(REFRESH_S)
        known: dict[str, tuple[str, int]] = {}
        while True:
            for name, process in made.processes.items():
                now = (process.state, process.restarts)
                if known.get(name, now) != now:
                    show.errors.print(f"{name}: {process.state}, pid {process.pid}, {process.restarts} restarts")
                known[name] = now
            await asyncio.sleep(REFRESH_S)

    def ended(self) -> None:
        """A signal came and everything was ended."""
        self.told("ended; the data stays")


def table(made: Stack) -> Table:
    """One row for each process."""
    grid = Table("process", "state", "pid", "address", "restarts", box=None, pad_edge=False, header_style="bold")
    for name, process in made.processes.items():
        address = "Unix socket" if name == "postgres" else process.address
        state = Text(process.state, style=COLOURS.get(process.state, ""))
        grid.add_row(name, state, str(process.pid or ""), address, str(process.restarts))
    return grid


def report(made: Stack) -> dict[str, object]:
    """The same for a program."""
    return {
        "ready": all(process.state == "ready" for process in made.processes.values()),
        "data": str(made.wish.data),
        "url": made.url("intake"),
        "kafka": made.addresses.kafka,
        "smtp": made.addresses.smtp,
        "mail": str(made.wish.data / "mail"),
        "environment": made.environment,
        "people": str(made.wish.data / cast.FILE) if (made.wish.data / cast.FILE).exists() else None,
        "processes": {
            name: {"state": p.state, "pid": p.pid, "address": p.address, "restarts": p.restarts} for name, p in made.processes.items()
        },
    }
