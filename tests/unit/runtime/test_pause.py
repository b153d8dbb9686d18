"""A pause ends by its event, by its time, or by a cancellation, which is never lost."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from referral.runtime.pause import back_off, pause
from services.notifier.wakeup import heard


def test_a_back_off_grows_to_its_last_value_and_stays_there() -> None:
    assert list(islice(back_off(), 7)) == [0.1, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]
    assert list(islice(back_off((0.2, 1.0)), 3)) == [0.2, 1.0, 1.0]


async def test_it_ends_with_the_event_or_with_the_time() -> None:
    event = asyncio.Event()
    await pause(event, 0.001)
    assert not event.is_set()
    event.set()
    await pause(event, 3600.0)


@pytest.mark.parametrize("wait", [pause, heard], ids=["pause", "a sender"])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("between", range(4))
async def test_a_cancellation_that_comes_with_the_event_ends_the_task(wait, before: int, between: int) -> None:
    """At every turn of the loop. A sender that lost it went on for ever: its process did not end at SIGTERM."""
    event = asyncio.Event()

    async def work() -> None:
        while True:
            await wait(event, 3600.0)
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    for _ in range(before):
        await asyncio.sleep(0)
    event.set()
    for _ in range(between):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
