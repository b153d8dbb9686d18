"""A service's process: its work, its doors and what runs beside them, started together and ended together."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence

import uvicorn
from starlette.types import ASGIApp

from referral.runtime import database, keys, observe, web
from referral.runtime.loop import Loop
from referral.runtime.service import Service
from referral.runtime.settings import Settings

Background = Callable[[], Coroutine[None, None, None]]


async def serve(service: Service, settings: Settings, app: ASGIApp | None, background: Sequence[Background]) -> None:
    """A service whose work is the loop. Ends and raises as `stand` does."""
    observe.configure()
    health = observe.Health(service.against)
    engine = database.engine(settings, service.name, size=4)
    loop = Loop(service, settings, engine, keys.read(settings.master_key_file), health)
    try:
        await stand(service.name, settings, web.server(health, app), loop.run, loop.end, background)
    finally:
        await engine.dispose()


async def stand(
    name: str, settings: Settings, doors: uvicorn.Server, work: Background, end: Callable[[], None], background: Sequence[Background]
) -> None:
    """Until the work ends, which SIGTERM and SIGINT ask for by `end`. Raises what stopped it otherwise; what runs beside ends with it."""
    bound = web.listen(settings.http_host, settings.http_port)
    sys.stdout.write(f"{name} listens on http://{settings.http_host}:{bound.getsockname()[1]}\n")
    sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(web.serve(doors, bound))
            beside = [group.create_task(one()) for one in background]
            await work()
            doors.should_exit = True
            await answering
            for task in beside:
                task.cancel()
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
