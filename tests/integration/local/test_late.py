"""A notifier whose knocks are late has started: nobody ends it, and the stack is up. Late is a word of /readyz, no reason to restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import httpx
import pytest

from referral.cli.stack.up import running
from referral.local import service
from referral.local.config import StackConfig
from tests.harness import callers
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
ASKED = (
    "INSERT INTO notifier.asked (id, case_id, task, agency, ladder, rung, drill, once, system, skip, state, rounds, due, failed)"
    " VALUES ('late', 'made-up', false, 'police', '{duty}', 0, false, false, false, '{}', 'OPEN', '{0}', NULL, -1)"
)
CALL = (  # planned long ago, tried in vain because of the trunk, and to be tried again in an hour
    "INSERT INTO notifier.delivery (asked, case_id, task, rung, again, person, channel, drill, state, planned_at, due_at, attempt, reason)"
    " VALUES ('late', 'made-up', false, 0, 0, 'made-up', 'voice', false, 'WAITING', runtime.clock() - 3600000000,"
    " runtime.clock() + 3600000000, 1, 'server-away')"
)


async def test_a_notifier_that_starts_with_a_late_call_is_left_alone(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "READY_S", 20.0)
    data, lines = tmp_path_factory.mktemp("late"), list[str]()
    config = StackConfig(data=data, kafka=kafka, ca=ca, prefix="late-test.", drill=True, services=("notifier",))
    async with running(config, lines.append) as made:
        sql = await asyncpg.connect(made.addresses.database.replace("+asyncpg", ""))
        await sql.execute(ASKED)
        await sql.execute(CALL)
        await sql.close()
    async with asyncio.timeout(120), running(config, lines.append) as made:
        notifier = made["notifier-1"]
        pid = notifier.pid
        await until(lambda: notifier.state == "unready" and "knocks-late" in notifier.trouble, what=lambda: f"{notifier.state}: it is late")
        async with httpx.AsyncClient(base_url=made.url("notifier"), timeout=30, verify=callers.browser(made)) as client:
            began = asyncio.get_running_loop().time()

            async def stands() -> bool:
                assert (await client.get("/healthz")).status_code == 200
                return asyncio.get_running_loop().time() > began + service.READY_S

            await until(stands, what="the longest start has passed", pause=1.0)  # as its supervisor asks: more often is refused
        assert (notifier.pid, notifier.restarts) == (pid, 0)
