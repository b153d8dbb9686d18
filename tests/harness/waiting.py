"""Wait for a condition with a deadline: no test waits for a length of time."""

from __future__ import annotations

import asyncio
import gc
import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PATIENCE_S = 180.0
"""Longest wait for anything that has no limit of its own: six times what a kill costs (30 s). On a machine at a third of its speed three
times were not enough."""
END = 4000
"""Characters of a log that a failed test shows: what a process said in its last start."""
PAUSE_S = 0.02
"""Shortest pause between two looks. A longer look is followed by a pause as long: half of the time is left to what it waits for."""


async def until(
    look: Callable[[], Any], within: float = PATIENCE_S, what: str | Callable[[], str] = "the condition", pause: float = PAUSE_S
) -> Any:
    """Return the first true value of a look. AssertionError: there was none in time.

    look: a function or a coroutine function; it is cancelled when the time is over.
    within: seconds.
    what: the condition, for the error; a function of it is called at the end.
    pause: least seconds between two looks.
    """
    try:
        async with asyncio.timeout(within) as limit:
            while True:
                began = time.monotonic()
                found = look()
                if inspect.isawaitable(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(max(pause, time.monotonic() - began))
    except TimeoutError:
        if not limit.expired():
            raise  # the look's own
        raise AssertionError(f"{what() if callable(what) else what}: not within {within:g} s") from None


def comes(look: Callable[[], Any], within: float = PATIENCE_S) -> Any:
    """Return the first true value of a look, or its last value when the time (seconds) is over. It blocks: for tests without a loop."""
    end = time.monotonic() + within
    while True:
        began = time.monotonic()
        if (found := look()) or began > end:
            return found
        time.sleep(max(PAUSE_S, time.monotonic() - began))


def pending() -> str:
    """Say for each asyncio task of this process that has not ended where it waits, one line for each call: for a test that hangs."""
    gc.unfreeze()  # a service that ran in this process has hidden what was there before it (runtime/garbage.py)
    lines = []
    for task in [found for found in gc.get_objects() if isinstance(found, asyncio.Task) and not found.done()]:
        lines.append(f"{task.get_name()}" + (f", cancelled {task.cancelling()} times" if task.cancelling() else ""))
        lines += [f"  {place}" for place in _places(task.get_coro())]
    return "\n".join(lines)


def end(log: Path) -> str:
    """Return the last END characters of a log; nothing if there is none."""
    return log.read_text(errors="replace")[-END:] if log.exists() else ""


def _places(waits: Any) -> Iterator[str]:
    """Yield the line of each call on the way from a task to what it waits for, and that."""
    while waits is not None:
        frame = getattr(waits, "cr_frame", None) or getattr(waits, "ag_frame", None) or getattr(waits, "gi_frame", None)
        if frame is None:
            yield repr(waits)
            return
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
        waits = getattr(waits, "cr_await", None) or getattr(waits, "ag_await", None) or getattr(waits, "gi_yieldfrom", None)
