"""Work beside the loop goes on after a failure, which is logged with its place and without its text."""

from __future__ import annotations

import asyncio
import logging

import pytest
from structlog.testing import capture_logs

from referral.runtime.background import attempt, every


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
