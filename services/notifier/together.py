"""What several lines ask of the database at the same moment goes in one transaction, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """work: handles many, an answer for each in order, or raises and nothing is kept. While it works the next ones gather."""

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[list[R]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, one: T) -> R:
        """The answer for one. Raises what its transaction raised."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._try(batch)

    async def _try(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        """What fails together is tried alone: one that cannot be written must not keep the others from it."""
        try:
            answers = await self._work([one for one, _ in batch])
        except Exception as error:
            if len(batch) > 1:
                for single in batch:
                    await self._try([single])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, answer), result in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(result)
