"""Work beside the loop goes on after a failure, which is logged without its text; a pause never loses a cancellation."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice

import pytest
from structlog.testing import capture_logs

from referral.runtime.background import attempt, back_off, every, pause
from services.notifier.wakeup import heard


async def test_what_fails_is_logged_and_done_again() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)
        if len(done) == 2:
            raise ValueError("about a person")
        if len(done) == 3:
            raise asyncio.CancelledError

    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await every(0.001, work, "rows not deleted", service="made-up")
    (line,) = logs
    assert line.pop("where").startswith("test_background.py:")
    assert line == {"event": "rows not deleted", "log_level": "warning", "service": "made-up", "kind": "ValueError"}


async def test_an_attempt_says_whether_it_succeeded() -> None:
    async def fails() -> None:
        raise OSError

    with capture_logs() as logs:
        assert await attempt(lambda: asyncio.sleep(0), "nothing", service="made-up")
        assert not await attempt(fails, "no look", service="made-up", level=logging.ERROR)
    assert [(line["event"], line["log_level"]) for line in logs] == [("no look", "error")]


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
