"""Wait for an event or for a length of time, whichever comes first, without losing a cancellation; and longer before each retry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain, repeat

BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each retry (ours): a server that restarts is back within some seconds, and every case waits for it."""


def back_off(seconds: Sequence[float] = BACK_OFF_S) -> Iterator[float]:
    """Return the seconds before each retry, for ever: the last value repeats."""
    return chain(seconds, repeat(seconds[-1]))


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, at most `seconds`. CancelledError: always, if the task is cancelled meanwhile.

    Not by asyncio.wait_for: up to Python 3.11 it forgets a cancellation that comes together with the event (cpython#86296), and a process
    that was asked to end goes on.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
