"""Waiting ends with the condition, or says which one did not come about; and what is said of a test that hangs."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.waiting import PATIENCE_S, comes, pending, until


async def test_the_first_true_value_of_a_function_or_a_coroutine_function_is_the_answer() -> None:
    looks = iter([0, [], "there", "later"])

    async def look() -> object:
        return next(looks)

    assert (await until(look, pause=0), await until(lambda: next(looks))) == ("there", "later")


async def test_an_error_names_the_condition_as_it_is_at_the_end_also_when_a_look_hangs() -> None:
    seen: list[int] = []
    with pytest.raises(AssertionError, match=r"seen \d+ times: not within 0.05 s"):
        await until(lambda: seen.append(1), within=0.05, what=lambda: f"seen {len(seen)} times")
    with pytest.raises(AssertionError, match="the bell: not within"):
        await until(asyncio.Event().wait, within=0.01, what="the bell")


async def test_a_look_s_own_timeout_is_not_taken_for_the_end() -> None:
    async def look() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await until(look)


def test_without_a_loop_the_last_value_tells_whether_it_came() -> None:
    looks = iter([0, 7])
    assert comes(lambda: next(looks)) == 7
    assert comes(list, within=0.01) == []


async def test_a_task_that_waits_is_shown_with_every_call_on_the_way() -> None:
    begun = asyncio.Event()

    async def innermost() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def between() -> None:
        await innermost()

    async with asyncio.timeout(PATIENCE_S):
        hanging = asyncio.create_task(between(), name="hanging")
        await begun.wait()
        said = pending()
    hanging.cancel()
    await asyncio.wait({hanging})
    way = said[said.index("hanging") :].splitlines()
    assert [line.rpartition(" ")[2] for line in way[1:4]] == ["between", "innermost", "wait"], said
    assert "hanging" not in pending()
