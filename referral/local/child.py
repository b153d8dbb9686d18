"""Start a child process behind a guard, so that it never outlives this process; its output goes to a file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Instructions to start a child.

    command: program and arguments.
    log: file to which its output is appended.
    env: variables besides those of this process.
    stop: signal that asks it to end.
    death: signal that the kernel sends it if its guard is killed.
    grace: seconds before SIGKILL.
    unroot: leave root first.
    keep: descriptors that it holds while it lives (the lock).
    """

    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stop: signal.Signals = signal.SIGTERM
    death: signal.Signals = signal.SIGKILL
    grace: float = 10.0
    unroot: bool = False
    keep: tuple[int, ...] = ()


class Child:
    """A running child. pid: of the process itself, not of its guard."""

    def __init__(self, recipe: Recipe) -> None:
        """Start it. OSError: not even the guard starts."""
        self.recipe = recipe
        self._once = threading.Lock()
        lifeline, self._line = os.pipe()
        report, reporter = os.pipe()
        words = (str(int(word)) for word in (lifeline, reporter, recipe.stop, recipe.death))
        with recipe.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *words, str(recipe.grace), str(int(recipe.unroot)), *recipe.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **recipe.env},
                pass_fds=(lifeline, reporter, *recipe.keep),
                start_new_session=True,  # Ctrl-C reaches this process only, which stops the children in order
            )
        os.close(lifeline)
        os.close(reporter)
        self._report = os.fdopen(report)
        self.pid = int(self._report.readline() or 0)

    @property
    def guard(self) -> int:
        """Return the guard's pid."""
        return self._guard.pid

    def poll(self) -> int | None:
        """Return the exit status of the child (128 + signal); None while it runs."""
        return self._reaped(self._guard.poll())

    def end(self) -> int | None:
        """Return a descriptor that becomes readable when the guard ends, for the caller to close; None: it has ended."""
        with self._once:
            return None if self._report.closed else os.dup(self._report.fileno())

    def signal(self, number: signal.Signals) -> None:
        """Send the child a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def runs(self) -> bool:
        """Return whether it has neither ended nor been stopped by SIGSTOP, which takes effect after a moment; False without /proc."""
        try:
            return self.poll() is None and Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZ"
        except OSError:
            return False

    def let_go(self) -> None:
        """Ask the child to end, without waiting; the guard kills it after its grace."""
        with self._once:
            if self._line >= 0:
                os.close(self._line)
            self._line = -1

    def stop(self) -> int:
        """End the child, wait for it, and return its exit status. It takes at most the grace and a second."""
        self.let_go()
        return self.wait(self.recipe.grace + 5)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status and return it. Raises subprocess.TimeoutExpired."""
        code = self._guard.wait(timeout)
        self._reaped(code)
        return code

    def _reaped(self, code: int | None) -> int | None:
        """Close the report of a guard that has ended, and return its status."""
        if code is not None:
            with self._once:
                self._report.close()
        return code
