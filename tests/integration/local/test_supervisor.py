"""A supervised process that is killed, held and released in the moments between two of its states."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from referral.local.child import Recipe
from referral.local.data_folder import Trouble
from referral.local.server import Server
from referral.local.supervisor import Process
from tests.harness.waiting import PATIENCE_S, until


class Sleeper(Server):
    """A program that sleeps, and is ready as soon as it may start. may_start: cleared, a start waits."""

    def __init__(self, log: Path) -> None:
        super().__init__(log)
        self.may_start = threading.Event()
        self.may_start.set()

    @property
    def address(self) -> str:
        return "nowhere"

    def start(self) -> str:
        assert self.may_start.wait(PATIENCE_S)
        self._spawn(Recipe(("sleep", "600"), self.log))
        return self.address

    def answers(self) -> bool:
        return self.child is not None and self.child.poll() is None


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    made = Sleeper(tmp_path / "log")
    yield made
    made.may_start.set()
    made.stop()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


async def test_a_process_that_is_held_while_it_starts_stays_down_until_it_is_released(sleeper: Sleeper, pool: ThreadPoolExecutor) -> None:
    process = Process("sleeper", sleeper, pool)
    sleeper.may_start.clear()
    starting = asyncio.create_task(process.start())
    await until(lambda: process._task is not None)
    await process.hold()
    sleeper.may_start.set()
    await until(lambda: sleeper.child is not None and sleeper.child.poll() is not None, what="what had started is ended")
    assert (process.state, process.pid) == ("down", None)
    async with asyncio.timeout(PATIENCE_S):
        await process.release()
        await starting
    assert process.pid is not None
    await process.stop()


async def test_whoever_killed_a_process_may_hear_of_its_death_after_its_next_start(sleeper: Sleeper, pool: ThreadPoolExecutor) -> None:
    process = Process("sleeper", sleeper, pool)
    await process.start()
    child = sleeper.child
    assert child is not None
    wait, asked, hears = child.wait, list[None](), threading.Event()

    def heard(timeout: float | None = None) -> int:
        asked.append(None)
        first, code = len(asked) == 1, wait(timeout)
        if first:
            hears.wait(PATIENCE_S)
        return code

    child.wait = heard  # type: ignore[method-assign]
    killing = asyncio.create_task(process.kill())
    try:
        await until(lambda: process.restarts == 1 and process.state == "ready")
    finally:
        hears.set()
    await killing
    assert process.state == "ready" and process.pid is not None
    await process.stop()


def test_a_machine_without_setpriv_is_told_what_to_install(sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Trouble, match="no setpriv: install util-linux"):
        sleeper.start()
