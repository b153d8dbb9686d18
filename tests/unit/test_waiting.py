"""What is said of a test that hangs."""

from __future__ import annotations

import asyncio

from tests.harness import waiting


async def test_a_task_that_waits_is_shown_with_every_call_on_the_way() -> None:
    begun = asyncio.Event()

    async def innermost() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def between() -> None:
        await innermost()

    async with asyncio.timeout(waiting.PATIENCE_S):
        hanging = asyncio.create_task(between(), name="hanging")
        await begun.wait()
        said = waiting.pending()
    hanging.cancel()
    await asyncio.wait({hanging})
    way = said[said.index("hanging") :].splitlines()
    assert [line.rpartition(" ")[2] for line in way[1:4]] == ["between", "innermost", "wait"], said
    assert "hanging" not in waiting.pending()
