"""A service's process: its loop, its doors and its background work, started together and ended together."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence

from starlette.types import ASGIApp

from referral.runtime import database, keys, observe, web
from referral.runtime.loop import Loop
from referral.runtime.service import Service
from referral.runtime.settings import Settings

Background = Callable[[], Coroutine[None, None, None]]


async def serve(service: Service, settings: Settings, app: ASGIApp | None, background: Sequence[Background]) -> None:
    """Until SIGTERM or SIGINT. Raises what stopped it otherwise. Work in the background runs until it is cancelled."""
    observe.configure()
    health = observe.Health(service.against)
    engine = database.engine(settings, service.name, size=4)
    bound = web.listen(settings.http_host, settings.http_port)
    sys.stdout.write(f"{service.name} listens on http://{settings.http_host}:{bound.getsockname()[1]}\n")
    sys.stdout.flush()
    server = web.server(health, app)
    loop = Loop(service, settings, engine, keys.read(settings.master_key_file), health)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, loop.end)
    try:
        async with asyncio.TaskGroup() as group:
            doors = group.create_task(web.serve(server, bound))
            helpers = [group.create_task(work()) for work in background]
            await loop.run()
            server.should_exit = True
            await doors
            for helper in helpers:
                helper.cancel()
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    finally:
        await engine.dispose()
