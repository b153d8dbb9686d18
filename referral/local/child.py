"""Start a child process behind a guard, so that it never outlives this process; its output goes to a file.

A guard is a process that has all children of this process: one has those that are programs of their own, the other has our Python programs,
which it forks with the packages loaded that they share (docs/decisions/0062).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

GUARD = Path(__file__).with_name("guard.py")
KILLED = 128 + signal.SIGKILL
"""Exit status of a child whose guard was killed: then the kernel kills the child, and nobody is left to report how it ended."""

ENDS_S = 1.0
"""Seconds (ours) for a process that the kernel ends to close its last descriptor after its first: a thousand times what it takes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Instructions to start a child.

    command: program and arguments; `python -m module` of this interpreter runs in a fork of the guard.
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

    @property
    def forks(self) -> bool:
        """Return whether it is a Python program that a guard may fork."""
        return tuple(self.command[:2]) == (sys.executable, "-m")


class Guard:
    """A guard of this process's children. pid: its own."""

    def __init__(self, forks: bool, log: int) -> None:
        """Start it. OSError: it does not start. forks: it has our Python programs. log: receives what it says before it serves."""
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        run = ("-u", "-m", "referral.local.fork_guard") if forks else ("-I", "-S", str(GUARD))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *run, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C reaches this process only, which stops the children in order
            )
        self.pid = self._process.pid

    def start(self, number: int, recipe: Recipe, log: int, report: int) -> None:
        """Ask it to start a child. ConnectionError: it has ended."""
        asked = {
            "number": number,
            "command": list(recipe.command),
            "cwd": _folder(),
            "env": {**os.environ, **recipe.env},
            "stop": int(recipe.stop),
            "death": int(recipe.death),
            "grace": recipe.grace,
            "unroot": recipe.unroot,
            "fork": recipe.forks,
            "keep": list(recipe.keep),
        }
        socket.send_fds(self._line, [json.dumps(asked).encode()], [log, report, *recipe.keep])

    def end(self, number: int) -> None:
        """Ask it to end a child: by its `stop`, and after its grace by SIGKILL."""
        with contextlib.suppress(OSError):  # it has ended, and the child with it
            self._line.send(json.dumps({"end": number}).encode())

    def ended(self) -> bool:
        """Return whether it ends within ENDS_S. If not, it could not even receive the descriptors of a child."""
        looking = select.poll()
        looking.register(self._line, 0)  # POLLHUP is told without being asked for
        return bool(looking.poll(ENDS_S * 1000))

    def close(self) -> None:
        """Leave a guard that has been killed."""
        self._line.close()
        self._process.wait()


_guards: dict[bool, Guard] = {}
_one = threading.Lock()
_numbers = itertools.count(1)


def _guard(recipe: Recipe, log: int) -> Guard:
    """Return the guard that has such children; start it, if there is none. OSError: it does not start."""
    with _one:
        return _guards.get(recipe.forks) or _guards.setdefault(recipe.forks, Guard(recipe.forks, log))


def _drop(guard: Guard) -> None:
    """Forget a guard that has ended: the next child gets another."""
    with _one:
        for forks in [forks for forks, known in _guards.items() if known is guard]:
            _guards.pop(forks).close()


def _folder() -> str:
    """Return the current folder; empty: it was deleted."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


class Child:
    """A running child. pid: of the process itself, not of its guard."""

    def __init__(self, recipe: Recipe) -> None:
        """Start it. OSError: not even the guard starts."""
        self.recipe = recipe
        self._once = threading.Lock()
        self._number = next(_numbers)
        self._code: int | None = None
        with recipe.log.open("ab") as log:
            self._report, said = self._begun(log.fileno())
            if not said and self._guard.ended():  # it was killed since it started another, or could not begin
                os.close(self._report)
                _drop(self._guard)
                self._report, said = self._begun(log.fileno())
        self.pid = int(said or 0)

    def _begun(self, log: int) -> tuple[int, bytes]:
        """Ask a guard to start it; return its report, and the first line of that: its pid, or nothing where the guard has ended."""
        self._guard = _guard(self.recipe, log)
        report, reporter = os.pipe()
        try:
            self._guard.start(self._number, self.recipe, log, reporter)
        except ConnectionError:
            pass
        except OSError:
            os.close(report)
            raise
        finally:
            os.close(reporter)
        return report, _line(report)

    @property
    def guard(self) -> int:
        """Return the guard's pid."""
        return self._guard.pid

    def poll(self) -> int | None:
        """Return the exit status of the child (128 + signal); None while it runs."""
        with self._once:
            if self._code is None and _readable(self._report, 0):
                self._code = int(_line(self._report) or KILLED)
                os.close(self._report)
            return self._code

    def end(self) -> int | None:
        """Return a descriptor that becomes readable when the child has ended, for the caller to close; None: it has ended."""
        with self._once:
            return None if self._code is not None else os.dup(self._report)

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
        self._guard.end(self._number)

    def stop(self) -> int:
        """End the child, wait for it, and return its exit status. It takes at most the grace and a second."""
        self.let_go()
        return self.wait(self.recipe.grace + 5)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status and return it. Raises TimeoutError. timeout: seconds; None: as long as it takes."""
        line = self.end()
        if line is not None:
            try:
                if not _readable(line, timeout):
                    raise TimeoutError(f"{self.recipe.command[0]} has not ended within {timeout} s")
            finally:
                os.close(line)
        code = self.poll()
        assert code is not None
        return code


def _readable(report: int, seconds: float | None) -> bool:
    """Wait until a report has a line or has ended, and return whether it has. None: as long as it takes."""
    looking = select.poll()  # select() takes no descriptor from 1024 on
    looking.register(report, select.POLLIN)
    return bool(looking.poll(None if seconds is None else seconds * 1000))


def _line(report: int) -> bytes:
    """Read one line of a report; empty: it has ended."""
    line = b""
    while not line.endswith(b"\n") and (more := os.read(report, 1)):
        line += more
    return line
