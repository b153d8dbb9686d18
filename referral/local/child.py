"""Start a child process whose output goes to a file, and which the kernel ends with this process, also after a SIGKILL. Linux only."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

SETPRIV = "setpriv"
"""The program of util-linux that asks the kernel for a signal at its parent's end, and becomes the child."""
KILLED_S = 5.0
"""Seconds (ours) in which the kernel ends a process after its SIGKILL; one that waits for a disk may need more."""
_starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
"""The thread that starts every child. The kernel takes the end of the thread that started a child for the end of its parent, and this one
lasts as long as the process."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Instructions to start a child.

    command: program and arguments.
    log: file to which its output is appended.
    env: variables besides those of this process.
    stop: signal that asks it to end.
    death: signal that the kernel sends it when this process ends.
    grace: seconds before SIGKILL.
    unroot: leave root first.
    keep: descriptors that it inherits under their numbers.
    """

    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stop: signal.Signals = signal.SIGTERM
    death: signal.Signals = signal.SIGKILL
    grace: float = 10.0
    unroot: bool = False
    keep: tuple[int, ...] = ()

    def words(self) -> list[str]:
        """Return the whole command. PostgreSQL refuses root: `unroot` runs it in a user namespace in which root is called nobody, so that
        files keep their owner."""
        words = [SETPRIV, "--pdeathsig", self.death.name.removeprefix("SIG"), "--", *self.command]
        if self.unroot and os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            return ["unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--", *words]
        return words


class Child:
    """A running child. pid: its own."""

    def __init__(self, recipe: Recipe) -> None:
        """Start it, in a process group of its own. OSError: it does not start."""
        self.recipe = recipe
        self._once = threading.Lock()
        self._code: int | None = None
        with recipe.log.open("ab") as log:
            self._process = _starter.submit(
                subprocess.Popen,
                recipe.words(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **recipe.env},
                pass_fds=recipe.keep,
                start_new_session=True,  # Ctrl-C reaches this process only, which stops the children in order
            ).result()
        self.pid = self._process.pid
        self._end = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Return the exit status of the child (128 + signal); None while it runs."""
        with self._once:
            return self._ended(self._process.poll())

    def _ended(self, code: int | None) -> int | None:
        """Keep the exit status, end what is left of its group, and return the status as `poll` does. code: as the process says it."""
        if self._code is None and code is not None:
            self._kill()
            self._code = code if code >= 0 else 128 - code
            os.close(self._end)
        return self._code

    def end(self) -> int | None:
        """Return a descriptor that becomes readable when the child has ended, for the caller to close; None: it has ended."""
        with self._once:
            return None if self._code is not None else os.dup(self._end)

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

    def stop(self) -> int:
        """End the child, wait for it, and return its exit status. It takes at most the grace, and KILLED_S."""
        self.signal(signal.SIGCONT)  # a process under SIGSTOP would not receive the next signal
        self.signal(self.recipe.stop)
        with contextlib.suppress(TimeoutError):
            return self.wait(self.recipe.grace)
        self._kill()
        return self.wait(KILLED_S)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status and return it. Raises TimeoutError. timeout: seconds; None: as long as it takes."""
        line = self.end()
        if line is not None:
            try:
                ended = select.poll()  # select() takes no descriptor from 1024 on
                ended.register(line, select.POLLIN)
                if not ended.poll(None if timeout is None else timeout * 1000):
                    raise TimeoutError(f"{self.recipe.command[0]} has not ended within {timeout} s")
            finally:
                os.close(line)
        with self._once:
            code = self._ended(self._process.wait())  # at once: its descriptor may say so a moment before the kernel gives the status
        assert code is not None
        return code

    def _kill(self) -> None:
        """Kill its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
