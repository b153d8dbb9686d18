"""Connect to the one of several servers that takes writes. The driver asks them in order, and one that hangs takes up all of its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import asyncpg

STAGGER_S = 0.5
"""Seconds (ours) that a server has before the next one is asked too: a connection takes milliseconds, one to a lost machine never ends."""

Place = tuple[str, int]
"""Host and port."""
Found = tuple[asyncpg.Connection, Place]
Connect = Callable[..., Awaitable[asyncpg.Connection]]


def connector(seconds: float) -> Connect:
    """Return what is called in place of `asyncpg.connect`. It asks first the server that answered last.

    seconds: longest wait for all of several servers.
    """
    last: Place | None = None

    async def connect(*, host: Any = None, port: Any = None, **more: Any) -> asyncpg.Connection:
        nonlocal last
        if not isinstance(host, list):
            return await asyncpg.connect(host=host, port=port, **more)
        places = sorted(zip(host, port, strict=True), key=lambda place: place != last)
        async with asyncio.timeout(seconds):
            found, last = await _first(partial(_one, place, more) for place in places)
        return found

    return connect


async def _one(place: Place, more: dict[str, Any]) -> Found:
    return await asyncpg.connect(host=place[0], port=place[1], **more), place


async def _first(asked: Iterable[Callable[[], Awaitable[Found]]]) -> Found:
    """Return the first that connects; the next is asked when one has failed, or after STAGGER_S. Raises the error that says most."""
    waiting, errors, left = set[asyncio.Task[Found]](), list[BaseException](), iter(asked)
    try:
        while True:
            more = next(left, None)
            if more is not None:
                waiting.add(asyncio.ensure_future(more()))
            elif not waiting:
                raise min(errors, key=_weight)
            done, waiting = await asyncio.wait(waiting, timeout=None if more is None else STAGGER_S, return_when=asyncio.FIRST_COMPLETED)
            good = [task for task in done if task.exception() is None]
            if good:
                waiting |= set(good[1:])
                return good[0].result()
            errors += [error for task in done if (error := task.exception()) is not None]
    finally:
        for task in waiting:
            task.cancel()
            task.add_done_callback(_close)


def _close(task: asyncio.Task[Found]) -> None:
    """Close a connection that came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result()[0].terminate()


def _weight(error: BaseException) -> int:
    """Return the place of an error: a server that refuses us, one that does not answer, one that takes no writes."""
    return 2 if isinstance(error, asyncpg.TargetServerAttributeNotMatched) else 1 if isinstance(error, OSError) else 0
