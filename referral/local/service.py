"""Run one instance of a service as a child process: start it, poll its readiness, stop it."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from referral.local import ports
from referral.local.asking import Asking
from referral.local.child import Recipe
from referral.local.data_folder import Trouble
from referral.local.server import Server
from referral.runtime.observe import OUTSIDE
from referral.runtime.settings import SOCKETS

READY_S = 120.0
"""Longest start in seconds (ours): it takes 2 s on two idle cores and 9 s on two that fifteen processes share (measured)."""
GRACE_S = 10.0
"""Seconds (ours) from SIGTERM to SIGKILL: a service finishes its batch."""
CALL_GRACE_S = 90.0
"""The same for a notifier, which may have a trunk, as in operators.md, "stop a service": a call that runs ends by itself."""
READY = "/readyz"
STOPPED, STARTING = {"stopped", "fork"}, {"start", "loop"}


class _Readiness(msgspec.Struct):
    not_ready: dict[str, str]


class _LastWords(msgspec.Struct):
    """The log line of a process that dies (observe.died)."""

    event: Literal["died"]
    kind: str = ""
    where: str = ""
    hint: str = ""


class Lost(Trouble):
    """Another program has taken a port before its service could hold it. The port may be chosen anew until somebody was told it."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(f"{name} cannot listen on port {port}: another program has it; end that one, or start again for other ports")


class Worker(Server):
    """A process `python -m services.<service>` at one address. It inherits its bound sockets, so no other program takes its ports."""

    tries = 2

    def __init__(
        self,
        name: str,
        service: str,
        port: int,
        inner: int,
        log: Path,
        *,
        identity: Path,
        keep: tuple[int, ...] = (),
    ) -> None:
        """Prepare an instance; `start` starts it.

        name: e.g. `routing-1`.
        service: e.g. `routing`.
        port: port of its public HTTP.
        inner: port of its health and metrics.
        log: file for its output.
        identity: folder of the operator's identity that asks it how it is.
        keep: descriptors that it inherits and holds.

        Set `environment`, its variables besides those of this process, before `start`.
        """
        super().__init__(log)
        self.name, self.service, self.port, self._inner = name, service, port, inner
        self._keep = keep
        self._operators = Asking(inner, identity)
        self.environment: Mapping[str, str] = {}
        self._sockets: list[socket.socket] = []
        self._began = 0

    @property
    def address(self) -> str:
        """Return host:port of its HTTP server."""
        return f"127.0.0.1:{self.port}"

    @property
    def inner(self) -> str:
        """Return host:port of its health and metrics."""
        return f"127.0.0.1:{self._inner}"

    def command(self) -> tuple[str, ...]:
        """Return program and arguments."""
        return (sys.executable, "-m", f"services.{self.service}")

    def listen(self) -> None:
        """Hold its ports until `start` hands them to the process. Raises Lost when another program has one of them."""
        for port in (self.port, self._inner):
            try:
                self._sockets.append(ports.hold(port))
            except OSError as error:
                self._release()
                raise Lost(self.name, port) from error

    def _release(self) -> None:
        while self._sockets:
            self._sockets.pop().close()

    def start(self) -> str:
        """Start it (again) and wait until /readyz answers 200. Each start gets a new instance id. Raises Trouble, Lost as `listen`."""
        self._stopping.clear()
        if not self._sockets:
            self.listen()
        self._began = self.log.stat().st_size if self.log.exists() else 0
        numbers = tuple(held.fileno() for held in self._sockets)
        own = {"PYTHONUNBUFFERED": "1", "REFERRAL_INSTANCE": f"{self.name}-{secrets.token_hex(3)}", SOCKETS: ",".join(map(str, numbers))}
        own |= {"REFERRAL_HTTP": f"https://{self.address}", "REFERRAL_INNER": f"https://{self.inner}"}
        grace = CALL_GRACE_S if self.service == "notifier" else GRACE_S
        try:
            child = self._spawn(
                Recipe(self.command(), self.log, env={**self.environment, **own}, grace=grace, keep=(*self._keep, *numbers))
            )
        finally:
            self._release()
        return self._ready(child, self.name, READY_S)

    def stop(self) -> None:
        """Stop it in an orderly way, and leave its ports."""
        self._operators.close()
        super().stop()
        self._release()

    def answers(self) -> bool:
        """Return whether it is ready, and nothing is late."""
        return self._operators.get(READY)[0] == 200

    def stands(self) -> bool:
        """Return whether it waits for an operator: units have stopped, or the log is read-only, as after a restored database; or it runs,
        and only its knocks do not get through."""
        status, body = self._operators.get(READY)
        words = set(_words(body) or ()) if status == 503 else set()
        return bool(words & STOPPED) or (bool(words & OUTSIDE) and not words & STARTING)

    def why(self) -> str:
        """Return the words of /readyz with what to do; of a dead one its last words in the log."""
        status, body = self._operators.get(READY)
        if status and (words := _words(body)) is not None:
            return "; ".join(f"{word}: {do}" for word, do in words.items())
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(self._began)
            for line in reversed(log.readlines()):
                with contextlib.suppress(msgspec.MsgspecError):
                    last = msgspec.json.decode(line, type=_LastWords)
                    return last.hint or f"{last.kind} at {last.where}"
        code = self.child.poll() if self.child is not None else None
        return "" if code is None else f"it ended with status {code}"


def _words(body: bytes) -> dict[str, str] | None:
    """Return the words in an answer of /readyz; None: it is none."""
    try:
        return msgspec.json.decode(body, type=_Readiness).not_ready
    except msgspec.MsgspecError:
        return None
