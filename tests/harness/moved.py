"""Servers of other people, which cannot inherit a socket: one that loses a port to a foreign program is started again on others, twice."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

Running = TypeVar("Running")
STARTS = 3
"""Most starts (ours): two moves."""
TAKEN = re.compile("address already in use", re.IGNORECASE)
"""The system's words, as Kannel and Go write them."""
LISTENS = "0A"
"""TCP_LISTEN in /proc/net/tcp."""


@asynccontextmanager
async def moved(start: Callable[[], AbstractAsyncContextManager[Running]]) -> AsyncIterator[Running]:
    """Enter what `start` returns, which chooses ports, and enter another one when the error of the last says that a port was taken."""
    async with AsyncExitStack() as held:
        for left in reversed(range(STARTS)):
            try:
                made = await held.enter_async_context(start())
                break
            except AssertionError as error:
                if not left or TAKEN.search(str(error)) is None:
                    raise
        yield made


def listens(pid: int, port: int) -> bool:
    """Return whether this process listens on the port, and not a foreign one that was faster."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    there = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == LISTENS}
    try:
        return any(_links(descriptor) in there for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has ended
        return False


def _links(descriptor: Path) -> str:
    """Return the target of a descriptor; empty: it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
