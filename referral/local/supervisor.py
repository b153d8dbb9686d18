"""Supervise a process: start it, watch it, and start it again with exponential back-off when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal, TypeVar

from referral.local.data_folder import Trouble
from referral.local.server import Server
from referral.runtime.background import pause

UNREADY_S = 1.0
"""Seconds between two readiness polls of a running process that was not ready (ours)."""
T = TypeVar("T")
State = Literal["starting", "ready", "unready", "waiting", "paused", "down", "failed"]


class Process:
    """A supervised process. state: its current state; restarts: starts after the first; trouble: why it is not ready, or does not run."""

    def __init__(self, name: str, server: Server, pool: Executor) -> None:
        self.name, self.server, self._pool = name, server, pool
        self.state: State = "starting"
        self.restarts = 0
        self.trouble = ""
        self._wanted = True
        self._changed = asyncio.Condition()
        self._backoff = Backoff()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Return the pid of the process; None while there is none."""
        child = self.server.child
        return child.pid if child is not None and child.poll() is None else None

    @property
    def address(self) -> str:
        """Return the address at which it answers."""
        return self.server.address

    @property
    def inner(self) -> str:
        """Return the address at which it answers operators."""
        return self.server.inner

    async def start(self, *, patient: bool = False) -> None:
        """Start it, wait until it is ready, and keep it running from then on. Raises Trouble when the first starts fail.

        patient: go on trying after that, at most LONGEST_S apart: an operator repairs what stops it beside the rest, which runs.

        A process that waits for an operator counts as started: its /readyz says what to do, so it must keep running.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._keep(patient), name=self.name)
        async with self._changed:
            await self._changed.wait_for(lambda: self.state in ("ready", "unready", "failed"))
        if self.state == "failed":
            raise Trouble(self.trouble)

    async def ready(self) -> None:
        """Wait until it is ready (again). The caller sets the limit."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.state == "ready")

    async def stop(self) -> None:
        """End it in an orderly way, for good."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._blocking(self.server.stop)
        await self._enter("down")

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int | None:
        """Send it a signal, as an injected fault, and return the pid that got it. If it dies, it is started again."""
        child = self.server.child
        pid = self.pid
        if child is not None and pid is not None:
            if number in (signal.SIGKILL, signal.SIGTERM):
                self.state = "waiting"  # before it dies: it is started again at once, perhaps before this call goes on
            child.signal(number)
            if number in (signal.SIGKILL, signal.SIGTERM):
                await self._blocking(child.wait)
        return pid

    async def pause(self) -> None:
        """Send SIGSTOP and wait until the process is stopped."""
        child = self.server.child
        await self.kill(signal.SIGSTOP)
        while child is not None and child.runs():  # noqa: ASYNC110 (the kernel sends no notification)
            await asyncio.sleep(0.002)
        await self._enter("paused")

    async def resume(self) -> None:
        """Send SIGCONT."""
        await self.kill(signal.SIGCONT)
        await self._enter("unready")

    async def hold(self) -> None:
        """Send SIGKILL, and do not start the process again before `release`."""
        self._wanted = False
        await self.kill()
        await self._enter("down")

    async def release(self) -> None:
        """Start it again after `hold`, and wait until it is ready."""
        self._wanted = True
        async with self._changed:
            self.state = "starting"
            self._changed.notify_all()
        await self.ready()

    async def _keep(self, patient: bool) -> None:
        started = False
        while True:
            try:
                await self._enter("starting")
                await self._blocking(self.server.start)
            except Trouble as error:
                self.trouble = str(error)
                self._backoff = self._backoff.died(0)
            else:
                started, began = True, time.monotonic()
                if not self._wanted and self.server.child is not None:  # it was starting when `hold` came
                    self.server.child.signal(signal.SIGKILL)
                await self._look()
                await self._watch()
                self.trouble = await self._blocking(self.server.why)
                self._backoff = self._backoff.died(time.monotonic() - began)
            if not started and self._backoff.deaths >= self.server.tries:
                await self._enter("failed")
                if not patient:
                    return
            else:
                await self._enter("waiting" if self._wanted else "down")
            await asyncio.sleep(self._backoff.wait_s if self._wanted else 0)
            async with self._changed:
                await self._changed.wait_for(lambda: self._wanted)
            self.restarts += 1

    async def _watch(self) -> None:
        """Poll readiness until the process dies."""
        child, loop, ended = self.server.child, asyncio.get_running_loop(), asyncio.Event()
        line = child.end() if child is not None else None
        if child is None or line is None:
            return
        loop.add_reader(line, ended.set)
        try:
            while not ended.is_set():
                await pause(ended, self.server.every_s if self.state == "ready" else UNREADY_S)
                if self.state != "paused" and not ended.is_set():
                    await self._look()
        finally:
            loop.remove_reader(line)
            os.close(line)
        await self._blocking(child.wait)

    async def _look(self) -> None:
        """Ask it whether it is ready, and if not, why."""
        answers = await self._blocking(self.server.answers)
        why = "" if answers else await self._blocking(self.server.why)
        if self.state in ("starting", "ready", "unready") and self.pid is not None:
            self.trouble = why
            await self._enter("ready" if answers else "unready")

    async def _enter(self, state: State) -> None:
        async with self._changed:
            self.state = state
            self._changed.notify_all()

    async def _blocking(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


SECOND_S = 0.5
LONGEST_S = 30.0
"""Second and longest wait in seconds (ours): whoever dies once is started again at once, because a case waits for it; a process that
always dies at once costs one start every half minute."""
HURRIED = 5
"""Deaths (ours) as which the latest one of a process that was ready counts at most, so that it waits four seconds: work waits for it, and
DESIGN §8 promises that it is back within 30."""
CALM_S = 3.0
"""Seconds of readiness (ours) after which the next death begins a new series: in three seconds a process has taken its work over and done
some. One that an input kills dies sooner."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The back-off of restarts. deaths: consecutive deaths, each before the process had been ready for CALM_S."""

    deaths: int = 0

    def died(self, ready_s: float) -> Backoff:
        """Return the back-off after a death. ready_s: seconds for which the process had been ready; 0: it never was."""
        if ready_s >= CALM_S:
            return Backoff(1)
        return Backoff(min(self.deaths + 1, HURRIED) if ready_s else self.deaths + 1)

    @property
    def wait_s(self) -> float:
        """Return the seconds before the next start: 0, 0.5, 1, 2, 4 … 30."""
        return 0.0 if self.deaths < 2 else float(min(LONGEST_S, SECOND_S * 2 ** min(self.deaths - 2, 10)))
