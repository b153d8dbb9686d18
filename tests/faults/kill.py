"""One kill: whom, how, and whether it hit a process at work."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import time
from dataclasses import dataclass

import asyncpg
import httpx

from referral.local.process import Process
from referral.local.stack import Stack

TARGETS = ("intake", "routing", "notifier", "audit", "kafka", "postgres")
SYSCALLS = ("sendto", "fdatasync")
BACK_S = 60.0
"""Longest wait until what was killed is ready again; DESIGN §8 promises 30 s, the rest is the noise of two cores."""
INJECTED_S = 15.0
"""Longest wait for the n-th system call."""


@dataclass(frozen=True)
class Kill:
    """What is to happen. how: SIGKILL after a random moment, or at the n-th call of a system call."""

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


def plan(seed: int, count: int) -> list[Kill]:
    """The same kills for the same seed: every target in turn, one in four by injection where strace is installed."""
    draw = random.Random(seed)
    injected = shutil.which("strace") is not None
    kills = []
    for number in range(count):
        target = TARGETS[number % len(TARGETS)]
        if injected and target != "kafka" and draw.random() < 0.3:
            syscall = draw.choice(SYSCALLS) if target == "postgres" else "sendto"
            kills.append(Kill(target, syscall, draw.randrange(1, 40)))
        else:
            kills.append(Kill(target, "SIGKILL", draw.randrange(0, 1500)))
    draw.shuffle(kills)
    return kills


async def strike(stack: Stack, kill: Kill, draw: random.Random) -> Done:
    """Do it, and wait until the victim is ready again."""
    names = [kill.target] if kill.target in ("kafka", "postgres") else [p.name for p in stack.of(kill.target)]
    process = stack[draw.choice(names)]
    async with asyncio.timeout(BACK_S):
        await process.ready()
    worked, starts = await _works(stack, process.name, kill.target), process.restarts
    if kill.how == "SIGKILL":
        await asyncio.sleep(kill.at / 1000)
        hit = await process.kill() is not None and worked
    else:
        pid = process.pid if kill.target != "postgres" else await _backend(stack)
        hit = pid is not None and await _inject(pid, kill.how, kill.at)
        if not hit:
            return Done(kill, process.name, False, 0.0)
    began = time.monotonic()
    async with asyncio.timeout(BACK_S):
        if kill.target == "postgres":
            await _answers(stack)
        else:
            await _started_again(process, starts)
    return Done(kill, process.name, hit, time.monotonic() - began)


async def _works(stack: Stack, name: str, target: str) -> bool:
    """Whether the victim handled anything since it started; servers do as long as the load runs."""
    if target in ("kafka", "postgres"):
        return True
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            text = (await http.get(f"http://{stack[name].address}/metrics")).text
            counts = re.findall(r"^referral_records_in_total\{.*\} ([0-9.e+]+)$", text, re.MULTILINE)
            return sum(map(float, counts)) > 0
    return False


async def _inject(pid: int, syscall: str, nth: int) -> bool:
    """Attach, and kill at the n-th call. True when the process died of it."""
    command = ("strace", "-f", "-p", str(pid), "-e", f"inject={syscall}:signal=SIGKILL:when={nth}", "-o", "/dev/null")
    tracer = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.wait_for(tracer.wait(), INJECTED_S)
        return True
    except TimeoutError:
        tracer.terminate()
        await tracer.wait()
        return False


async def _backend(stack: Stack) -> int | None:
    """A connection's process that served a commit lately."""
    connection = await asyncpg.connect(stack.settings.database.replace("+asyncpg", ""))
    try:
        roles = ["intake", "routing", "notifier", "audit"]
        sql = "SELECT pid FROM pg_stat_activity WHERE usename = ANY($1) ORDER BY state_change DESC LIMIT 4"
        found = [row["pid"] for row in await connection.fetch(sql, roles)]
        return found[time.monotonic_ns() % len(found)] if found else None
    finally:
        await connection.close()


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
