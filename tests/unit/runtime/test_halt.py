"""A client that does not stop in time hides no cancellation of the task that stops it, and invents none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from referral.runtime.kafka import clients


class Stuck:
    """A client whose broker does not answer."""

    def __init__(self) -> None:
        self._client, self._conns, self.closed = self, dict[str, object](), False

    async def stop(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_task_that_is_cancelled_ends_although_its_consumer_does_not_stop(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    monkeypatch.setattr(clients, "HALT", 0.05 if when == "before" else 600.0)
    reader: Any = Stuck()
    reading, halting = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        while True:
            try:
                reading.set()
                if when == "before":
                    await asyncio.Event().wait()
            except TimeoutError:
                continue
            finally:
                halting.set()
                await clients.halt(reader)

    task = asyncio.create_task(follow())
    await (reading if when == "before" else halting).wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)
    assert reader.closed or when == "during"


class Frozen:
    """A producer whose broker is frozen: the first attempt to close it is given up, and the second one meets what that has cancelled."""

    def __init__(self) -> None:
        self.client, self._sender, self._closed = self, None, asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        await self.close()

    async def close(self) -> None:
        await asyncio.gather(self._closed)


async def test_a_producer_of_a_frozen_broker_is_thrown_away_and_nothing_dies_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "HALT", 0.05)
    producer: Any = Frozen()
    await clients.throw_away(producer)
    assert producer._closed.cancelled()
