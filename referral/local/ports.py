"""Choose ports on 127.0.0.1, and remember them for the next start."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import IO

from referral.local.data_folder import Trouble

LISTENING = range(20_000, 32_000)
"""Ports that we choose from (ours): below those from which systems number outgoing connections (Linux from 32,768, others from 49,152).

A port of those may be gone when its server starts again: given to any program that connects somewhere. A client that asks for the server
in the meantime can even be given it itself, is connected with itself, and holds it (seen: after 14,000 tries at most).
"""

BLOCK = 100
"""Ports that a process owns as long as it lives (ours): a stack of three instances needs forty. Between the look at a port and its server's
start lies a second, in which two stacks chose the same one."""


def is_free(port: int) -> bool:
    """Return whether a program could listen on the port now."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class _Blocks:
    """The blocks of ports that this process owns, each by a locked file. The system gives them back when the process ends."""

    def __init__(self) -> None:
        self._files: list[IO[bytes]] = []
        self._ports = deque[int]()
        self._lock = threading.Lock()

    def free(self, count: int) -> list[int]:
        with self._lock:
            while len(found := list(islice(self._once_around(), count))) < count:
                self._own_another()
            return found

    def _once_around(self) -> Iterator[int]:
        """Yield the free ports, the one that was returned longest ago first."""
        for _ in range(len(self._ports)):
            self._ports.rotate(-1)
            if is_free(self._ports[-1]):
                yield self._ports[-1]

    def _own_another(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"referral-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for first in sorted(LISTENING[::BLOCK], key=lambda _: secrets.randbits(32)):
            file = (folder / str(first)).open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process owns it, or this one does
                file.close()
                continue
            self._files.append(file)
            self._ports.extendleft(range(first, first + BLOCK))
            return
        raise Trouble(
            f"every block of ports from {LISTENING.start} to {LISTENING.stop} has an owner: end the stacks or tests that run here"
        )


@cache
def _blocks() -> _Blocks:
    return _Blocks()


os.register_at_fork(after_in_child=_blocks.cache_clear)  # the blocks are the parent's


def free(count: int) -> list[int]:
    """Return free ports that no other process of ours is given, those that were returned longest ago. Trouble: every block has an owner."""
    return _blocks().free(count)


def hold(port: int) -> socket.socket:
    """Return a socket that listens on the port, so that no other program can, for a service of ours that inherits it. OSError: taken.

    It listens: one that is bound alone leaves its port to whoever shares addresses, as nearly every server does. Who connects waits until
    the service answers.
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
        held.listen()
    except OSError:
        held.close()
        raise
    return held


def insist(port: int, what: str) -> int:
    """Return the port that the user named. Trouble: it is taken. what: the server that needs it."""
    if not is_free(port):
        raise Trouble(f"port {port} for {what} is taken by another program; stop that, or name another port (0: any free one)")
    return port


def before(file: Path) -> dict[str, int]:
    """Return the ports of the last start by name; none if the file is missing or malformed."""
    try:
        return {name: int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def remembered(file: Path, names: Sequence[str], named: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
    """Return a port for each name and remember it: the one that the user named, else the last one while it is free, else a new one.

    file: stores the ports. names: the servers that need one. named: ports that the user named. Trouble: a named port is taken.
    """
    last = before(file)
    fresh = iter(free(len(names)))
    chosen = {name: last[name] if name in last and is_free(last[name]) else next(fresh) for name in names}
    chosen |= {name: insist(port, "HTTP") for name, port in named.items() if name in chosen}
    file.write_text(json.dumps({**last, **chosen}, indent=1))
    return chosen
