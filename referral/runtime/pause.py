"""Wait for an event or for a length of time, whichever comes first, without losing a cancellation."""

from __future__ import annotations

import asyncio


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
