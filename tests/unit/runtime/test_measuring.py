"""Loops that only measure: what fails in them is logged, and they go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from structlog.testing import capture_logs

from referral.runtime.loop import clock_ahead
from referral.runtime.loop.outbox_age import OutboxAge
from tests.harness.waiting import until

MEASURES: dict[str, Callable[[AsyncEngine], Coroutine[None, None, None]]] = {
    "clock not measured": lambda engine: clock_ahead.follow(engine, "made-up"),
    "outbox not measured": lambda engine: OutboxAge(engine, "made-up", None).follow(),
}


@pytest.mark.parametrize("event", MEASURES)
async def test_a_measurement_that_fails_is_logged_with_its_place(event: str) -> None:
    """Both were silent: a renamed table would have stopped the measurement for good, and its alert with it."""
    nowhere = create_async_engine("postgresql+asyncpg://nobody@/none?host=/nowhere")
    with capture_logs() as logs:
        work = asyncio.create_task(MEASURES[event](nowhere))
        await until(lambda: bool(logs), what=event)
        work.cancel()
    assert [(line["event"], line["service"], line["kind"]) for line in logs] == [(event, "made-up", "FileNotFoundError")]
    assert logs[0]["where"] and logs[0]["log_level"] == "warning"
    await nowhere.dispose()
