"""The start of a stack asks a database again that does not answer yet, and only such a one."""

from __future__ import annotations

import pytest

from referral.runtime.postgres import database


async def test_what_fails_while_the_database_does_not_answer_is_done_again() -> None:
    tries: list[int] = []

    async def work() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise TimeoutError
        return "done"

    assert (await database.patiently(work), len(tries)) == ("done", 3)


@pytest.mark.parametrize(("error", "seconds"), [(ValueError("a statement"), 30.0), (TimeoutError(), 0.0)])
async def test_another_error_and_the_last_one_are_raised(error: Exception, seconds: float) -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        await database.patiently(work, seconds)
    assert len(tries) <= 2
