"""Choose ports on 127.0.0.1, and remember them for the next start."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from referral.local.data_folder import Trouble

LISTENING = range(20_000, 32_000)
"""Ports that we choose from (ours): below those from which systems number outgoing connections (Linux from 32,768, others from 49,152).

A port of those may be gone when its server starts again: given to any program that connects somewhere. A client that asks for the server
in the meantime can even be given it itself, is connected with itself, and holds it (seen: after 14,000 tries at most).
"""


def is_free(port: int) -> bool:
    """Return whether a program could listen on the port now."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free(count: int) -> list[int]:
    """Return free ports of LISTENING. All are held while they are chosen, so they differ; another process may still take one afterwards."""
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            probe = stack.enter_context(contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", secrets.choice(LISTENING)))
                found.append(int(probe.getsockname()[1]))
        return found


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
