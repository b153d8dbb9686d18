"""One incident of an operator's night: what is seen, who is called, what is typed, and the faults that disks and machines have."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from referral.local.supervisor import Process
from referral.runtime.alert_rules import rules
from referral.runtime.settings import CHECKOUT
from tests.deploy import night_page
from tests.deploy.monitored import Watch
from tests.faults import servers
from tests.faults.line import Line
from tests.faults.load import Load
from tests.harness import callers, dashboards
from tests.harness.dashboard_pictures import Series, named, page
from tests.harness.waiting import PATIENCE_S, until
from tests.harness.watchmen import FIRST, Post

LONG_S = 3 * PATIENCE_S
"""A server starts, or a client of a broker gives up: seconds on a quiet machine."""
SMALL = {"kafka": "256m", "postgres": "512m"}
"""Sizes of the disks (ours): the broker's files are about 20 MB here, the database's and its log 200 MB."""
PAGES = {name for name, rule in rules().items() if rule.severity == "page" and not rule.called}


class Said(NamedTuple):
    """The answer to a command. code: its exit code; 0 of a question to the database, whose rows are the text."""

    code: int
    text: str


class Night:
    """One incident on a line under load. It begins when it is made: calls of before do not count."""

    def __init__(self, line: Line, load: Load, watch: Watch) -> None:
        self.line, self.load, self.watched, self.watchman, self.mailbox = line, load, *watch
        self.stack, self.data = line.stack, line.stack.config.data
        self._before = len(self.watchman.program.said())

    async def fires(self, alert: str, **labels: str) -> None:
        """Return once the alert fires; and, if it wakes somebody, once the telephone rings for it."""
        await until(lambda: self._fires(alert, labels), LONG_S, what=f"{alert} fires")
        if alert in PAGES:
            await until(lambda: self.called(alert), what=f"an operator is called about {alert}")

    async def ends(self, alert: str, **labels: str) -> None:
        await until(lambda: self._ended(alert, labels), LONG_S, what=f"{alert} ends")

    def called(self, alert: str = "") -> list[str]:
        """Return the watchman's log lines of calls about an alert, or of all calls."""
        said = self.watchman.program.said()[self._before :].splitlines()
        return [one for one in said if '"event": "calling"' in one and f"{alert}#" in one]

    async def says(self, service: str, word: str) -> None:
        """Return once the service's /readyz says the word."""
        await until(lambda: self._says(service, word), LONG_S, what=f"{service} says {word}")

    async def follows(self, heading: str, step: int, *, on: Process | None = None, **places: str) -> Said:
        """Do what a step of the page says. Return the answer to its last command, or to the first that fails.

        on: the database server that is asked. places: the page's word → what stands there tonight.
        """
        said = Said(0, "")
        for command in night_page.step(heading, step, **places):
            said = await self._asked(command, on) if command.startswith(night_page.SQL) else await self.types(*shlex.split(command))
            if said.code:
                break
        return said

    async def types(self, *words: str, before: tuple[str, ...] = ()) -> Said:
        """Run a command as the operator types it. before: a program that runs it."""
        command = (sys.executable, "-m", "referral.cli", *words[1:]) if words[0] == "referral" else words
        process = await asyncio.create_subprocess_exec(
            *before,
            *command,
            cwd=CHECKOUT,
            env={**os.environ, **self.stack.environment, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return Said(process.returncode or 0, said.decode())

    async def doctor(self) -> Said:
        """Be the timer that runs `doctor` for Prometheus."""
        return await self.types(*shlex.split(night_page.timer()), str(self.watched.text / "doctor.prom"))

    async def _asked(self, question: str, on: Process | None) -> Said:
        """Ask the database, or one server of it: a setting is that server's own, and changes in no transaction."""
        async with servers.connected(on or servers.primary(self.stack)) as connection:
            return Said(0, "\n".join(" | ".join(map(str, row.values())) for row in await connection.fetch(question)))

    async def _fires(self, alert: str, labels: dict[str, str]) -> bool:
        return alert in await self.watched.firing(**labels)

    async def _ended(self, alert: str, labels: dict[str, str]) -> bool:
        return not await self._fires(alert, labels)

    async def _says(self, service: str, word: str) -> bool:
        async with httpx.AsyncClient(verify=callers.operator(self.stack), trust_env=False, timeout=30) as http:
            return word in (await http.get(f"{self.stack.inner(service)}/readyz")).json()["not_ready"]


async def answering(watchman: Post) -> None:
    """Be the first operator, who presses 1 at every call."""
    while True:
        await watchman.phone.wait(lambda: any(call.number == FIRST for call in watchman.phone.ringing))
        await watchman.phone.press("1", FIRST)


async def asked(night: Night, begin: float) -> None:
    """Ask Prometheus each question of each dashboard since then; draw the answers if REFERRAL_PICTURES names a folder.

    begin: seconds UTC. HTTPStatusError: Prometheus does not understand a question.
    """
    now, data, answers = time.time(), str(night.data), dict[str, list[Series]]()
    for question, legend in [each for panel in dashboards.panels() for each in panel.asks.items()]:
        answers[question] = []
        for one in await night.watched.over(question, begin, now):
            labels = {
                name: value.replace(data, "/srv/line") for name, value in one["metric"].items() if name != "mountpoint" or data in value
            }
            answers[question].append(Series(named(legend, labels), [(at, float(value)) for at, value in one["values"]]))
    if folder := os.environ.get("REFERRAL_PICTURES"):
        for role in dashboards.ROLES:
            (Path(folder) / f"dashboard-{role}.svg").write_text(page(role, answers, begin, now), "utf-8")


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Fill a disk for the length of a block."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        size = 0
        for more in (1 << 24, 1 << 20, 1 << 12):  # the server writes at the same time: what is free changes
            with contextlib.suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), size, more)
                    size += more
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def frozen(process: Process) -> Iterator[None]:
    """Stop a server and its children for the length of a block, as when its machine stands."""
    assert process.pid is not None
    pids = [process.pid, *map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def small_disks(folder: Path) -> Iterator[None]:
    """Give the servers disks of their own for the length of a block."""
    with contextlib.ExitStack() as held:
        for name, size in SMALL.items():
            (folder / name).mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder / name)], check=True)
            held.callback(subprocess.run, ["umount", "--lazy", str(folder / name)], check=True)
        yield
