"""Requests that share a transaction: each gets its own answer, and one bad request refuses nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from referral.errors import Unavailable
from referral.runtime.postgres.group_commit import MOST, Together


async def test_those_who_wait_share_the_next_transaction() -> None:
    sizes: list[int] = []
    commit = asyncio.Event()

    async def work(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        await commit.wait()
        return [one * 2 for one in batch]

    together = Together(work)
    first = asyncio.create_task(together(0))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(together(n)) for n in range(1, MOST + 5)]
    while len(sizes) < 1:
        await asyncio.sleep(0)
    commit.set()
    assert [await first, *(await asyncio.gather(*rest))] == [n * 2 for n in range(MOST + 5)]
    assert sum(sizes) == MOST + 5
    assert len(sizes) <= 3
    assert max(sizes) <= MOST


async def test_one_bad_request_refuses_nobody_else() -> None:
    async def work(batch: Sequence[int]) -> list[int]:
        if 13 in batch:
            raise ValueError
        return list(batch)

    together = Together(work)
    answers = await asyncio.gather(*(together(n) for n in range(20)), return_exceptions=True)
    assert [isinstance(a, ValueError) if n == 13 else a == n for n, a in enumerate(answers)] == [True] * 20


@pytest.mark.parametrize("error", [Unavailable("the database"), ConnectionRefusedError(), TimeoutError()])
async def test_a_database_that_is_away_is_said_to_all_at_once(error: Exception) -> None:
    calls = 0

    async def work(batch: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise error

    together = Together(work)
    answers = await asyncio.gather(*(together(n) for n in range(20)), return_exceptions=True)
    assert all(isinstance(a, type(error)) for a in answers)
    assert calls <= 2
    with pytest.raises(type(error)):
        await together(1)


async def test_who_has_gone_away_is_not_worked_for() -> None:
    seen: list[int] = []
    commit = asyncio.Event()

    async def work(batch: Sequence[int]) -> list[int]:
        seen.extend(batch)
        await commit.wait()
        return list(batch)

    together = Together(work)
    first = asyncio.create_task(together(1))
    while not seen:
        await asyncio.sleep(0)
    gone, stays = asyncio.create_task(together(2)), asyncio.create_task(together(3))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    commit.set()
    assert [await first, await stays] == [1, 3]
    assert seen == [1, 3]
