"""Do work again and again beside a loop, and wait: for an event or a time, and longer before each retry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import NoReturn

from referral.runtime import observe

BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each retry (ours): a server that restarts is back within some seconds, and every case waits for it."""


async def attempt(work: Callable[[], Awaitable[object]], failed: str, *, service: str, level: int = logging.WARNING) -> bool:
    """Do the work once. Return whether it succeeded; what fails is logged by its type and line. failed: the event of the log line."""
    try:
        await work()
    except Exception as error:
        observe.log().log(level, failed, service=service, kind=type(error).__name__, where=observe.where(error))
        return False
    return True


async def every(seconds: float, work: Callable[[], Awaitable[object]], failed: str, *, service: str) -> NoReturn:
    """Attempt the work, wait for so many seconds, and do it again, until cancelled."""
    while True:
        await attempt(work, failed, service=service)
        await asyncio.sleep(seconds)


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
