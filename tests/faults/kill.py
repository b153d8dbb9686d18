"""One kill: whom, how, and whether it hit a process at work."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from referral.local.stack import Stack
from referral.local.supervisor import Process
from referral.runtime.settings import LINE
from tests.harness import callers

SERVERS = ("kafka", "postgres")
TARGETS = {"intake": 5, "routing": 5, "notifier": 4, "audit": 4, "postgres": 3, "kafka": 2}
"""How often each is struck; while a server is away nothing else is at work."""
SYSCALLS = {"sendto": 25, "fdatasync": 8}
"""Which calls are counted, and how far: several batches of a service, several commits of a database connection."""
BACK_S = 120.0
"""Longest wait until what was killed is ready again; DESIGN §8 promises 30 s, the rest is the noise of three victims on two cores."""
INJECTED_S = 30.0
"""Longest wait for the n-th system call."""
SHARE = 0.4
"""Of the kills by injection, where it can be done: the table needs a fifth, and some find no n-th call."""


@dataclass(frozen=True)
class Kill:
    """What is to happen. how: SIGKILL after `at` ms, or at the `at`-th call of a system call."""

    target: str
    how: str
    at: int


@dataclass(frozen=True)
class Done:
    """What happened. hit: the victim had work, and died of this. back_s: seconds until it was ready again."""

    kill: Kill
    victim: str
    hit: bool
    back_s: float


def injects() -> bool:
    """Whether system calls can be counted here."""
    return shutil.which("strace") is not None


def plan(seed: int, count: int) -> list[Kill]:
    """The same kills for the same seed: every target in each turn, some by injection where strace is installed.

    Kafka is never injected: a broker makes neither of these calls for a record.
    """
    draw, kills, able = random.Random(seed), list[Kill](), injects()
    each = [target for target, share in TARGETS.items() for _ in range(share)]
    for number in range(count):
        target = each[number % len(each)]
        if able and target != "kafka" and draw.random() < SHARE:
            syscall = draw.choice(tuple(SYSCALLS)) if target == "postgres" else "sendto"
            kills.append(Kill(target, syscall, draw.randrange(1, SYSCALLS[syscall])))
        else:
            kills.append(Kill(target, "SIGKILL", draw.randrange(0, 1500)))
    turn = len(each)
    return [kill for begin in range(0, count, turn) for kill in draw.sample(kills[begin : begin + turn], len(kills[begin : begin + turn]))]


async def strike(stack: Stack, kill: Kill, name: str, draw: random.Random) -> Done:
    """Do it to a victim that works, and wait until it is ready again."""
    process = stack[name]
    starts = process.restarts
    if kill.how == "SIGKILL":
        await asyncio.sleep(kill.at / 1000)
        hit = process.restarts == starts and process.state == "ready" and await process.kill() is not None
    else:
        pid = process.pid if kill.target != "postgres" else await _backend(stack, draw)
        hit = pid is not None and await _inject(pid, kill.how, kill.at)
    if not hit:
        return Done(kill, name, False, 0.0)
    began = time.monotonic()
    async with asyncio.timeout(BACK_S):
        if kill.target == "postgres":
            await _answers(stack)
        else:
            await _started_again(process, starts)
    return Done(kill, name, hit, time.monotonic() - began)


async def works(stack: Stack, name: str) -> bool:
    """Whether the victim handled anything since it started; servers do as long as the load runs."""
    if name in SERVERS:
        return True
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(timeout=5, trust_env=False, verify=callers.operator(stack)) as http:
            text = (await http.get(f"https://{stack[name].inner}/metrics")).text
            counts = re.findall(r"^referral_records_in_total\{.*\} ([0-9.e+]+)$", text, re.MULTILINE)
            return sum(map(float, counts)) > 0
    return False


async def _inject(pid: int, syscall: str, nth: int) -> bool:
    """Attach, and kill at the n-th call. True when the process died of it."""
    with tempfile.NamedTemporaryFile(prefix="strace-") as seen:
        rule = f"inject={syscall}:signal=SIGKILL:when={nth}"
        command = ("strace", "-f", "-p", str(pid), "-e", f"trace={syscall}", "-e", rule, "-o", seen.name)
        tracer = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        try:
            await asyncio.wait_for(tracer.wait(), INJECTED_S)
        except TimeoutError:
            return False
        finally:
            if tracer.returncode is None:
                tracer.terminate()  # lets its victim go on
                await tracer.wait()
        said = Path(seen.name).read_text(errors="replace")
        return "killed by SIGKILL" in said and f" {syscall}(" in said


async def _backend(stack: Stack, draw: random.Random) -> int | None:
    """The database's own process behind the loop of one service: every batch commits there."""
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await asyncpg.connect(stack.settings.database.replace("+asyncpg", ""), timeout=5)
        try:
            leases = " UNION ".join(f"SELECT pid FROM {service}.lease WHERE lease_until > clock_timestamp()" for service in LINE)
            rows = await connection.fetch(f"SELECT pid FROM ({leases}) JOIN pg_stat_activity USING (pid) ORDER BY pid")
            found = [row["pid"] for row in rows]
            return draw.choice(found) if found else None
        finally:
            await connection.close()
    return None


async def _started_again(process: Process, starts: int) -> None:
    """Until the supervisor has seen the death and the next start is ready."""
    while process.restarts == starts:
        await asyncio.sleep(0.05)
    await process.ready()


async def _answers(stack: Stack) -> None:
    """Until the database takes a connection and a write again."""
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(stack.settings.database.replace("+asyncpg", ""), timeout=5)
            await connection.execute("SELECT txid_current()")
            await connection.close()
            return
        await asyncio.sleep(0.1)
