"""Group commit: what is asked at the same moment shares one transaction, one wait for the disk, and each still gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from referral.errors import Unavailable
from referral.runtime.postgres import database

T = TypeVar("T")
R = TypeVar("R")
MOST = 64
"""Requests in one transaction (ours): beyond it a commit's cost no longer shows, and the first would wait for the last."""


class Together(Generic[T, R]):
    """work: handles many in one transaction, an answer for each in order; or raises, and nothing is kept. While it works the next gather.

    One transaction at a time: while it waits for the disk the next is filled. Two at once took more processor and were no quicker.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[list[R]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, one: T) -> R:
        """The answer for one, once its transaction is committed."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            batch = [(one, answer) for one, answer in batch if not answer.done()]
            await self._one(batch)

    async def _one(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        """A transaction that fails for another reason than the database's absence is tried for each alone: one bad must not refuse many."""
        if not batch:
            return
        try:
            answers = await self._work([one for one, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not (isinstance(error, Unavailable) or database.away(error)):
                for single in batch:
                    await self._one([single])
                return
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(result)
