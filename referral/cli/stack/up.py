"""`referral up`: start broker, database, mail server and every service on this machine, and display their state until Ctrl-C.

`Screen` displays progress, then addresses, then a table that stays current; or one JSON line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from aiokafka.errors import KafkaError
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy import text

from referral.cli import connection, console
from referral.cli.policy import activate, policy_folder
from referral.cli.stack import cast
from referral.domain.policy import policy as domain
from referral.errors import Rejected
from referral.local import ports
from referral.local import stack as local
from referral.local.config import StackConfig, forget, root
from referral.local.data_folder import Trouble, default_data
from referral.local.stack import Stack
from referral.runtime import settings
from referral.runtime.postgres import database
from referral.runtime.settings import SERVICES, Settings

DEFAULT_PORT = 8080
WITNESSES = 3
"""Witnesses of the local log (ours): any two must have cosigned a checkpoint, so that one may be down."""
ACTIVE = text("SELECT count(*) FROM routing.policy")

Data = Annotated[Path | None, typer.Option("--data", help="Folder for all data; by default below the user's data folder.")]
Port = typer.Option(min=0, max=65535, help="0: any free port, reused at the next start.")


def up(
    data: Data = None,
    instances: Annotated[int, typer.Option(min=1, max=9, help="Instances of each service.")] = 1,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the inbox: by default the last one used, at first 8080 if free.")
    ] = None,
    kafka_port: Annotated[int, Port] = 0,
    smtp_port: Annotated[int, Port] = 0,
    drill: Annotated[bool, typer.Option("--drill", help="A drill: hours may be passed in seconds. Never with real cases.")] = False,
    brokers: Annotated[int, typer.Option(min=1, max=3, help="1, or 3 that hold three copies of each topic.")] = 1,
    standby: Annotated[
        int, typer.Option(min=0, max=4, help="Databases that follow the first; with two or more, one of them must have each commit.")
    ] = 0,
    policy_folder: Annotated[
        Path | None, typer.Option("--policy", help="Policy folder to activate if none is in force; by default the checkout's.")
    ] = None,
    as_json: console.Json = False,
) -> int:
    """Start broker, database, mail server and services, keep them running, show their state.

    Servers that REFERRAL_KAFKA and REFERRAL_DATABASE name are used instead of embedded ones, and a gateway or trunk that REFERRAL_SMS or
    REFERRAL_SIP names instead of the stand-in for telephones. Values that a stack's `environment` file has
    set are ignored. With --json: one line when ready.

    Exit 0 ended by Ctrl-C, 2 it could not start.

    Example: referral up --data /tmp/trial --drill
    """
    screen = Screen(as_json)
    if brokers == 2:
        console.errors.print("referral: --brokers is 1 or 3: of two, either one's death stops both")
        return 2
    if forget(os.environ):
        screen.told("this shell has a local stack's addresses (`. <data>/environment`); they are not used to start one")
    own = settings.read()
    folder = (data or default_data()).expanduser().absolute()
    config = StackConfig(
        data=folder,
        instances=instances,
        drill=drill,
        kafka=own.kafka or None,
        ca=own.ca and own.ca.absolute(),
        database=own.database or None,
        passwords=own.database_passwords and own.database_passwords.absolute(),
        kafka_port=kafka_port,
        http_port=_port(folder) if port is None else port,
        smtp_port=smtp_port,
        prefix=own.topic_prefix,
        policy=policy_folder,
        witnesses=WITNESSES,
        services=SERVICES,
        spare=SERVICES,
        handset=not (own.sms or own.sip),  # with a real gateway or trunk the stack has no stand-in
        brokers=brokers,
        standbys=standby,
    )
    try:
        asyncio.run(_until_told(config, screen))
    except (Trouble, Rejected, OSError, KafkaError, ExceptionGroup) as error:
        cause = _named_and_away(config, first_error(error))
        if not isinstance(cause, Trouble | Rejected):
            raise
        console.wrong([f"referral: {cause}"])
        return 2
    return 0


def _port(data: Path) -> int:
    """Return the inbox's port: 0 (the last one) where it has one, so that links in old knocks stay good; else 8080 unless it is taken."""
    known = "intake-1" in ports.before(data / "ports.json")
    return 0 if known or not ports.is_free(DEFAULT_PORT) else DEFAULT_PORT


def _named_and_away(config: StackConfig, error: BaseException) -> BaseException:
    """Return Trouble in place of the failure to reach a server that the environment names; any other error as it is."""
    if config.kafka and isinstance(error, KafkaError):
        return Trouble("the broker that REFERRAL_KAFKA names does not answer; start it, or unset the variable for an embedded one")
    if config.database and isinstance(error, Exception) and database.away(error):
        return Trouble(
            "the database that REFERRAL_DATABASE names does not answer; start it, or unset the variable: an embedded one is started"
        )
    return error


@contextlib.asynccontextmanager
async def running(config: StackConfig, told: Callable[[str], None] = lambda _: None) -> AsyncIterator[Stack]:
    """Run a stack with a policy in force and made-up people; `up`, the demo, the fault tests and the benchmarks use it.

    The people are in `cast.load(config.data)`. An external database gets no people, except for a drill.
    """

    async def first(settings: Settings) -> None:
        files = policy_folder.read(settings.policy)
        await database.patiently(lambda: _activate(settings, files, told))
        if config.database is None or config.drill:
            people = cast.gather(config.data, domain.compile(files).agencies.values())
            await database.patiently(lambda: cast.seed(settings, people, telephones=config.handset))

    async with local.stack(config, first=first, told=told) as stack:
        if config.handset and (config.data / cast.FILE).exists():
            stack.handset.names = {member.phone: member.login for member in cast.load(config.data).staff if member.phone}
        yield stack


async def _activate(settings: Settings, files: dict[str, bytes], told: Callable[[str], None]) -> None:
    """Activate the policy folder if no bundle was ever active; a bundle that an operator has activated stays."""
    async with connection.opened(settings) as tx:
        if (await tx.execute(ACTIVE)).scalar_one():
            return
    done = await activate.activate(settings, files)
    told(f"policy bundle {done.number} is in force")


def first_error(error: BaseException) -> BaseException:
    """Return the first error of a group; the others followed from it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until_told(config: StackConfig, screen: Screen) -> None:
    """Run until a signal arrives; a signal during the start ends the start."""
    ended, loop, task = asyncio.Event(), asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def end() -> None:
        if not ended.is_set():  # a second Ctrl-C must not disturb the ending
            ended.set()
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    try:
        async with running(config, screen.told) as stack:
            screen.ready(stack)
            await screen.follow(stack)
    except asyncio.CancelledError:
        if not ended.is_set():
            raise
        task.uncancel()
        screen.ended()


REFRESH_S = 0.5
SHOWN = ("police-prizren", "csw-prizren", "desk-prizren", "school-drita")
"""The agencies whose accounts and tokens docs/agencies.md uses."""
COLOURS = (
    dict.fromkeys(("starting", "waiting", "paused"), "yellow") | dict.fromkeys(("unready", "failed", "down"), "red") | {"ready": "green"}
)


class Screen:
    """The output for one stack: to a terminal, or, with as_json, to a program."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json

    def told(self, line: str) -> None:
        """Print that a step is done."""
        (console.errors if self._json else console.console).print(line)

    def ready(self, stack: Stack) -> None:
        """Print the addresses once every process answers."""
        if self._json:
            sys.stdout.buffer.write(msgspec.json.encode(report(stack)) + b"\n")
            sys.stdout.flush()
            return
        print_ = partial(console.console.print, soft_wrap=True)
        print_(f"inbox and agencies' API  {stack.url('intake')}   (all instances: {', '.join(p.address for p in stack.of('intake'))})")
        print_(f"everybody's page         {stack.url('intake')}/refer   (a child's own: /help; the desk confirms at /unverified)")
        for number, _ in enumerate(stack.of("oversight"), 1):
            print_(f"figures for oversight    {stack.url('oversight', number)}/oversight   (`referral oversight reader add` makes a token)")
        for number, _ in enumerate(stack.of("audit"), 1):
            print_(f"the auditor's page       {stack.url('audit', number)}/auditor   (`referral audit token` makes a token)")
        print_(f"the root of all https    {root(stack.addresses)}   (import it in a browser, or accept each warning; curl: --cacert)")
        for_agencies = f"   (agencies: {stack.addresses.agencies})" if stack.addresses.agencies else ""
        print_(f"Kafka                    {stack.addresses.kafka}{for_agencies}")
        print_(f"mail                     {stack.addresses.smtp}, kept in {stack.config.data / 'mail'}")
        if stack.addresses.handset:
            print_(f"telephones (a stand-in)  {stack.addresses.handset}   (`referral handset` in another shell)")
        print_(f"logs                     {stack.config.data / 'log'}")
        print_(f"for other commands       . {stack.config.data / 'environment'}")
        people = stack.config.data / cast.FILE
        if people.exists():
            everyone = cast.load(stack.config.data)
            some = ", ".join(member.login for agency in SHOWN for member in everyone.of(agency)[:1])
            print_(f"made-up people           {len(everyone.staff)} accounts, each <agency>.<rung>, password {everyone.password}: {some} …")
            print_(f"made-up agencies' tokens {people}   (an auditor's and a committee's too)")
            print_(
                'their certificates       `eval "$(referral agency connect AGENCY)"`: a token counts only beside its agency\'s certificate'
            )
            print_("a first walk             `referral tour` in another shell: ten stops, one for each role")
        print_(
            "what to do with it       docs/agencies.md (curl, Python, Kafka), docs/auditors.md, docs/operators.md; Ctrl-C ends all of it"
        )
        if stack.config.drill:
            print_("drill: hours of this stack may be passed in seconds; never with real cases")

    async def follow(self, stack: Stack) -> NoReturn:
        """Display the state of every process until cancelled; without a terminal, print a line for each change."""
        if console.console.is_terminal and not self._json:
            with Live(console=console.console, refresh_per_second=4) as live:
                while True:
                    live.update(table(stack))
                    await asyncio.sleep(REFRESH_S)
        known: dict[str, tuple[str, int, str]] = {}
        while True:
            for name, process in stack.processes.items():
                now = (process.state, process.restarts, process.trouble)
                if known.get(name, now) != now:
                    why = process.trouble and f": {process.trouble}"
                    line = f"{name}: {process.state}, pid {process.pid}, {process.restarts} restarts{why}"
                    console.errors.print(line, soft_wrap=True, markup=False)
                known[name] = now
            await asyncio.sleep(REFRESH_S)

    def ended(self) -> None:
        """Print that a signal has ended everything."""
        self.told("ended; the data stays")


def table(stack: Stack) -> Table:
    """Return a table with one row per process."""
    grid = Table("process", "state", "pid", "address", "restarts", "why not", box=None, pad_edge=False, header_style="bold")
    for name, process in stack.processes.items():
        address = "Unix socket" if name.startswith("postgres") else process.address
        state = Text(process.state, style=COLOURS.get(process.state, ""))
        grid.add_row(name, state, str(process.pid or ""), address, str(process.restarts), Text(process.trouble))
    return grid


def report(stack: Stack) -> dict[str, object]:
    """Return the state of the stack for a program."""
    return {
        "ready": all(process.state == "ready" for process in stack.processes.values()),
        "data": str(stack.config.data),
        "url": stack.url("intake"),
        "kafka": stack.addresses.kafka,
        "agencies": stack.addresses.agencies or None,
        "smtp": stack.addresses.smtp,
        "mail": str(stack.config.data / "mail"),
        "handset": stack.addresses.handset or None,
        "environment": stack.environment,
        "people": str(stack.config.data / cast.FILE) if (stack.config.data / cast.FILE).exists() else None,
        "processes": {
            name: {"state": p.state, "pid": p.pid, "address": p.address, "restarts": p.restarts, "trouble": p.trouble}
            for name, p in stack.processes.items()
        },
    }
