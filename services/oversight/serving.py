"""Oversight's process: Faust, the doors and the view of the policy, started together and ended together."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence

import faust
from starlette.types import ASGIApp

from referral.runtime import observe, web
from referral.runtime.settings import Settings


async def serve(
    worker: faust.App,
    settings: Settings,
    health: observe.Health,
    app: ASGIApp | None,
    background: Sequence[Callable[[], Coroutine[None, None, None]]],
) -> None:
    """Until SIGTERM or SIGINT. Raises what has stopped it otherwise."""
    bound = web.listen(settings.http_host, settings.http_port)
    sys.stdout.write(f"oversight listens on http://{settings.http_host}:{bound.getsockname()[1]}\n")
    sys.stdout.flush()
    server = web.server(health, app)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        async with asyncio.TaskGroup() as group:
            doors = group.create_task(web.serve(server, bound))
            beside = [group.create_task(work()) for work in background]
            worker.in_worker = True  # what faust.Worker says of it, which would take signals, logs and standard output for itself
            await worker.start()
            await worker.wait_first(ended)
            reason = worker.crash_reason
            await worker.stop()
            if reason is not None:
                raise reason
            server.should_exit = True
            await doors
            for task in beside:
                task.cancel()
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
