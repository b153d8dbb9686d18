"""Do the work of a service that goes on beside its loop, again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from referral.runtime import observe


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
