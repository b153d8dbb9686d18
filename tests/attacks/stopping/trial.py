"""Let each party that is taken over try what could stop the line, beside a canary: `python -m tests.attacks stops [NAME…]`, names of
stops.CREDENTIALS.

A real broker, a real database and real services run on one processor, the attacker on the other. It writes tests/attacks/stops.csv, prints
the table, and ends with 1 where a cell is not as declared.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import traceback
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from rich.console import Console
from sqlalchemy.engine import make_url

from referral.ca import identity
from referral.cli.stack import cast, up
from referral.local.config import StackConfig
from referral.local.kafka import Kafka
from referral.local.stack import Stack
from referral.runtime.kafka import clients
from referral.runtime.settings import CHECKOUT, SERVICES
from tests.attacks import stops
from tests.attacks.stopping import attacker, outcome, table
from tests.attacks.stopping.attacker import Job
from tests.attacks.stopping.canary import OFFICER, TRAITS, Canary, canary, p99
from tests.attacks.stopping.outcome import Measured
from tests.attacks.stops import ASIDE, GIVEN_UP_S, LIMIT_S, Attack, Credential, Kind
from tests.harness import callers, trust
from tests.harness.web.forms import fields

ALL = os.sched_getaffinity(0)
ATTACKERS, LINES = {0}, {1}
"""Processors of the attacker, and of the line and the canary."""
SECONDS = 30.0
"""Seconds of one attack."""
BEGINS_S = 60.0
"""Longest wait for an attack to be under way, or refused: one that nobody answers is an attack too."""
BACK_S = 150.0
"""Longest wait for a line to be quick again."""
WIDTH = 240
"""Columns (ours): a terminal scrolls, a file keeps it."""
WAL = "pg_wal"
"""Folder of the database's log, which has a fixed size of its own."""


async def measured(*parties: Credential) -> None:
    """Let parties try every attack that is to be tried, on one line."""
    with tempfile.TemporaryDirectory(prefix="stops-", dir="/tmp") as folder:
        config = StackConfig(data=Path(folder) / "d", services=SERVICES, spare=SERVICES, witnesses=up.WITNESSES)
        async with up.running(config) as stack:
            await clients.create_ingress(stack.settings, stops.AGENCY)
            async with canary(stack) as beside:
                await _quick(beside)
                for who, attack, _ in stops.tried(parties):
                    cookies = await _copied(stack, beside.device) if who.cookie else {}
                    try:
                        _keep(await _cell(stack, beside, _job(stack, who, attack, cookies), who))
                    except Exception as error:  # what follows is tried all the same; a cell that is missing is red
                        traceback.print_exception(error)


async def _cell(stack: Stack, beside: Canary, job: Job, who: Credential) -> Measured:
    """Let one attack run beside the canary; what is refused ends at once."""
    day, commit = f"{datetime.now(UTC):%Y-%m-%d}", _commit()
    made = Measured(who.name, job.attack.value, begun=False, apart=ATTACKERS | LINES <= ALL, day=day, commit=commit)
    kinds = [Kind.LINE, *ASIDE.get(job.attack, ())]
    async with _attacking(job) as (process, told):
        if told.startswith("refused"):
            made = replace(made, step=told.removeprefix("refused").strip())
        else:
            size, began = _size(stack), time.monotonic()
            took = await beside.turns(kinds, SECONDS)
            assert process.returncode is None, f"the attacker ended before the attack: {job.attack}"
            grown = (_size(stack) - size) / 1e6 / (time.monotonic() - began) * 60
            slowest = max(took.values(), key=p99)
            middle = sorted(slowest)[len(slowest) // 2]
            made = replace(made, begun=True, p50_s=middle, p99_s=p99(slowest), turns=len(slowest), mb_minute=max(0.0, grown))
    if made.begun:
        made = replace(made, after_s=await _quick(beside))
    each = ", ".join(f"{kind} {p99(seconds):.1f}" for kind, seconds in beside.took.items()) if made.begun else ""
    says = f"{made.figure} ({each})" if made.begun else made.step
    print(f"{time.strftime('%H:%M:%S')} {who.name}, {job.attack}: {says}", file=sys.stderr, flush=True)
    return made


async def _quick(beside: Canary) -> float:
    """Wait until three turns in a row are quick. Return the seconds until the first of them began; BACK_S where the line stays stopped."""
    clock = asyncio.get_running_loop().time
    began = first = clock()
    quick = 0
    while quick < 3 and clock() - began < BACK_S:
        first = first if quick else clock()
        quick = quick + 1 if await beside.turn() < LIMIT_S else 0
    return first - began if quick == 3 else BACK_S


@asynccontextmanager
async def _attacking(job: Job) -> AsyncIterator[tuple[Process, str]]:
    """Run the attack in a process of its own, on a processor of its own, while the block runs. Yield it, and what it told first."""
    words = (sys.executable, "-m", attacker.__name__)
    process = await asyncio.create_subprocess_exec(
        *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT, preexec_fn=lambda: _on(ATTACKERS)
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        async with asyncio.timeout(BEGINS_S):
            told = (await process.stdout.readline()).decode().strip()
        assert told, f"the attacker ended without a word: {job.attack}"
        yield process, told
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _on(processors: set[int]) -> None:
    """Stay on these processors, where this machine has them."""
    os.sched_setaffinity(0, processors & ALL or ALL)


def _job(stack: Stack, who: Credential, attack: Attack, cookies: dict[str, str]) -> Job:
    """Return an attack of a party, with what the party holds."""
    server, settings = stack["kafka"].server, stack.settings
    assert isinstance(server, Kafka)
    url = make_url(settings.database).difference_update_query(["passfile"]).set(drivername="postgresql", username=None, password=None)
    role, passwords = who.password, stack.addresses.passwords
    alone = who.certificate.startswith("agency/") and not who.token
    return Job(
        attack=attack,
        url=stack.url("intake"),
        ports=tuple(server.ports),
        agencies=server.agencies,
        database=url.render_as_string(hide_password=False),
        authority=str(settings.identity() / identity.AUTHORITY),
        topic=settings.topic(f"ingress.{stops.AGENCY}") if alone else "",
        login=OFFICER,
        traits=TRAITS | {"found_in": "gjakove"},
        identity=str(_holder(stack, who.certificate)) if who.certificate else "",
        role=role,
        password=(passwords / role).read_text().strip() if role and passwords else "",
        token=cast.load(stack.config.data).tokens[who.token] if who.token else "",
        **cookies,
    )


def _holder(stack: Stack, name: str) -> Path:
    """Return the folder of an identity of the stack's authority."""
    plane, _, holder = name.partition("/")
    return stack.agency(holder) if plane == "agency" else trust.identity(stack.config.data, name)


async def _copied(stack: Stack, device: str) -> dict[str, str]:
    """Sign the officer in, and return the cookies that somebody copies. device: the mark of the browser that is known."""
    url, known = stack.url("intake"), {"__Host-device": device}
    async with httpx.AsyncClient(base_url=url, verify=callers.browser(stack), timeout=GIVEN_UP_S, trust_env=False, cookies=known) as http:
        form = fields((await http.get("/signin")).text) | {"login": OFFICER, "password": cast.load(stack.config.data).password}
        answer = await http.post("/signin", data=form)
        return {"session": answer.cookies["__Host-session"], "device": device}


def _keep(made: Measured) -> None:
    """Write what was measured at once, in place of what was measured before: an hour is long."""
    before = outcome.read() if outcome.FILE.exists() else []
    rest = [one for one in before if (one.credential, one.attack) != (made.credential, made.attack)]
    outcome.FILE.write_text(outcome.text([*rest, made]), "utf-8")


def _size(stack: Stack) -> int:
    """Return the bytes of the broker's and the database's files, without the database's log."""
    total = 0
    for folder in ("kafka", "postgres"):
        for place, inside, files in os.walk(stack.config.data / folder):
            inside[:] = [name for name in inside if name != WAL]
            for name in files:
                try:
                    total += os.stat(os.path.join(place, name)).st_blocks * 512
                except OSError:
                    continue
    return total


def _commit() -> str:
    words = ("git", "-C", str(CHECKOUT), "rev-parse", "--short=8", "HEAD")
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _lines(chosen: Sequence[Credential]) -> list[list[Credential]]:
    """Return the parties that share a line: roles of the database; whoever has none; and alone each of those who guess at one officer's
    login, because one of them shuts it."""
    alone = [who for who in chosen if who.cookie or who is stops.STRANGER]
    roles = [who for who in chosen if who.password]
    others = [who for who in chosen if who not in (*alone, *roles)]
    return [group for group in (roles, others, *([who] for who in alone)) if group]


def main(names: Sequence[str]) -> int:
    """Measure these parties, or all; keep the rest of the file."""
    known = {one.name: one for one in stops.CREDENTIALS}
    if unknown := set(names) - set(known):
        print(f"nobody is called {', '.join(sorted(unknown))}: {', '.join(known)}")
        return 2
    _on(LINES)
    chosen = [known[name] for name in names] or list(stops.CREDENTIALS)
    for together in _lines(chosen):
        asyncio.run(measured(*together))
    before = outcome.read()
    wrong = outcome.differences([one for one in before if one.credential in {who.name for who in chosen}], chosen)
    Console(width=WIDTH).print(table.shown(before, chosen), markup=False)
    for line in wrong:
        print(f"NOT AS DECLARED: {line}")
    print(f"{len(chosen)} parties, {len(wrong)} cells not as declared")
    return 1 if wrong else 0
