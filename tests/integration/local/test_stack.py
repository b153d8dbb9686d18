"""The stack that demo, fault tests and benchmarks stand on: addresses, pids, and every fault that can be done to one process."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import asyncpg
import httpx
import pytest

from referral.cli.stack import cast
from referral.cli.stack.up import running
from referral.local.child import Child, Recipe
from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.local.supervisor import Process
from tests.harness import callers
from tests.harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.servers


async def restarted(process: Process, pid: int | None) -> None:
    """It is ready again, as another process."""
    await until(lambda: process.state == "ready" and process.pid != pid, 90)


async def test_every_fault_of_one_process_and_its_end(tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path) -> None:
    """Beside the session's broker, under a prefix; its own database."""
    data = tmp_path_factory.mktemp("stack")
    lines: list[str] = []
    config = StackConfig(data=data, kafka=kafka, ca=ca, prefix="stack-test.", instances=2, drill=True, services=("intake", "routing"))
    async with running(config, lines.append) as made:
        assert lines == ["policy bundle 1 is in force"]
        assert set(made.pids()) == {"postgres", "intake-1", "intake-2", "routing-1", "routing-2"}
        await _accounts(made)
        process = made["routing-2"]

        pid = await process.kill()
        await restarted(process, pid)
        assert process.restarts == 1

        await process.pause()
        assert process.state == "paused"
        assert _state(process.pid) == "T"
        await process.resume()
        async with asyncio.timeout(60):
            await process.ready()

        await process.hold()
        assert (process.state, process.pid) == ("down", None)
        await asyncio.sleep(1.0)
        assert process.pid is None, "held down"
        async with asyncio.timeout(90):
            await process.release()
        assert process.state == "ready"

        pid = await made["postgres"].kill()
        await restarted(made["postgres"], pid)
        async with httpx.AsyncClient(base_url=made.url("intake", 2), timeout=30, verify=callers.browser(made)) as client:

            async def ready() -> bool:
                return (await client.get("/readyz")).status_code == 200

            await until(ready, 90)
    assert made.pids() == {}
    assert (data / "environment").stat().st_mode & 0o077 == 0
    assert all(process.state == "down" for process in made.processes.values())


async def _accounts(made: Stack) -> None:
    people = cast.load(made.config.data)
    connection = await asyncpg.connect(made.addresses.database.replace("+asyncpg", ""))
    try:
        assert await connection.fetchval("SELECT count(*) FROM intake.account") == len(people.staff)
        assert await connection.fetchval("SELECT count(*) FROM intake.agency_token") == len(people.tokens)
        covered = await connection.fetchval("SELECT count(DISTINCT (agency, rung)) FROM notifier.weekly")
        assert covered == len({(member.agency, member.rung) for member in people.staff})
    finally:
        await connection.close()


def _state(pid: int | None) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("delay_ms", [0, 1, 5, 20, 100])
async def test_a_stop_at_any_moment_of_a_childs_start_is_heard(tmp_path: Path, delay_ms: int) -> None:
    child = Child(Recipe(("sleep", "60"), tmp_path / "log", grace=2 * PATIENCE_S))
    await asyncio.sleep(delay_ms / 1000)
    async with asyncio.timeout(PATIENCE_S):
        assert await asyncio.to_thread(child.stop) == 128 + signal.SIGTERM


def test_a_child_that_ignores_its_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = Child(Recipe(("sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 1; done"), tmp_path / "log", grace=0.5))
    while not ready.exists():
        assert child.poll() is None
    assert child.stop() == 128 + signal.SIGKILL


def test_a_program_that_is_not_there_is_said_in_its_log(tmp_path: Path) -> None:
    child = Child(Recipe(("/nowhere/at/all",), tmp_path / "log"))
    assert child.wait(PATIENCE_S) == 127
    assert "failed to execute /nowhere/at/all" in (tmp_path / "log").read_text()
