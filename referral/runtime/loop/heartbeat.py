"""Heartbeat: a dedicated connection that renews leases while the loop is busy and listens for queue notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from referral.runtime.loop import lease
from referral.runtime.loop.units import Unit
from referral.runtime.postgres import bells, clock
from referral.runtime.service import Service


@asynccontextmanager
async def beating(
    engine: AsyncEngine,
    service: Service,
    me: str,
    units: Mapping[str, Unit],
    wake: Callable[[], None],
    divide: Callable[[], None],
    moves: Callable[[], bool],
) -> AsyncIterator[asyncio.Task[None]]:
    """Renew leases and listen for notifications while the block runs. Yields the renewing task: when it is done, the connection is lost.

    service: hears of its queue, and of what it asks for.
    me: the instance's id.
    units: the owned units, as the loop changes them.
    wake: called at each notification of the queue.
    divide: called when another instance comes or gives units back.
    moves: returns whether the loop makes progress; while it does not, no lease is renewed.
    """
    heard = {bells.of(service.name, bells.QUEUE): wake, bells.of(service.name, bells.SHARE): divide}
    channels = {clock.MOVED: wake, **service.hears}
    async with bells.listening(engine, heard, channels) as driver:
        for told in channels.values():
            told()
        task = asyncio.get_running_loop().create_task(_renew(driver, me, units, moves))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _renew(driver: Any, me: str, units: Mapping[str, Unit], moves: Callable[[], bool]) -> None:
    """Renew until the connection breaks; then the loop's own connection breaks too, or its leases expire: both end in Fenced."""
    while True:
        await asyncio.sleep(lease.RENEW)
        if not moves():
            continue
        held = list(units.values())
        await driver.execute(lease.RENEW_SQL, me, [u.name for u in held], [u.epoch for u in held])
