"""Hear of changes in audit's database by notifications, with one connection for each listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime.background import pause
from referral.runtime.postgres import bells


@dataclass(frozen=True, slots=True)
class News:
    """One listener. driver: its connection, of asyncpg."""

    event: asyncio.Event
    driver: Any

    @property
    def alive(self) -> bool:
        """Return whether the connection still listens."""
        return not self.driver.is_closed()

    def clear(self) -> None:
        """Forget what was heard so far: the caller looks at the tables now."""
        self.event.clear()

    async def wait(self, seconds: float) -> None:
        """Wait for a notification, or until the connection is lost, at most so many seconds: a listener may miss one."""
        await pause(self.event, seconds)


@asynccontextmanager
async def listening(engine: AsyncEngine, bell: str) -> AsyncIterator[News]:
    """Listen to a bell while the block runs."""
    event = asyncio.Event()
    async with bells.listening(engine, {bell: event.set}) as driver:
        driver.add_termination_listener(lambda *_: event.set())
        yield News(event, driver)
