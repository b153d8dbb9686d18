"""Group commit: concurrent requests share one transaction and one wait for the disk, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from referral.errors import Unavailable
from referral.runtime.postgres import database

T = TypeVar("T")
R = TypeVar("R")
MOST = 64
"""Most requests in one transaction (ours): with more, a commit gets no cheaper per request, and the first would wait for the last."""


class Together(Generic[T, R]):
    """A function of one request that handles concurrent requests together.

    work: handles many requests in one transaction and returns an answer for each, in order; when it raises, nothing is stored.

    One transaction runs at a time, and the next collects requests meanwhile. Two at once took more processor time and were no faster.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[list[R]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, request: T) -> R:
        """Return the answer to one request, once its transaction is committed."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            batch = [(request, answer) for request, answer in batch if not answer.done()]
            await self._handle(batch)

    async def _handle(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        """Run one transaction. If it fails although the database answers, repeat with each request alone: only the bad one then fails."""
        if not batch:
            return
        try:
            answers = await self._work([request for request, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not (isinstance(error, Unavailable) or database.away(error)):
                for single in batch:
                    await self._handle([single])
                return
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(result)
