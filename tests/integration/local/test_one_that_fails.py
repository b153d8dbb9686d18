"""A service that cannot start takes nothing down: the rest runs, `recover` works beside it, and it comes back without another start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from referral.cli import run
from referral.cli.stack import up
from referral.local.config import StackConfig
from referral.local.service import Worker
from referral.runtime.settings import LINE
from tests.harness.servers import prefix
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
BEAT = "REFERRAL_LOG_BEAT_S"


async def test_the_rest_runs_without_audit_until_an_operator_has_repaired_it(
    tmp_path: Path, kafka: str, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()
    config = StackConfig(data=tmp_path / "data", kafka=kafka, ca=ca, prefix=prefix(), drill=True, spare=LINE, log_beat_s=301)
    async with up.running(config, told.append) as stack:
        audit = stack["audit-1"]
        assert [line for line in told if line.startswith("audit-1 did not become ready: ") and BEAT in line and "\n" not in line], told
        for name in ("intake-1", "routing-1", "notifier-1"):
            await stack[name].ready()
        assert audit.state in ("failed", "starting") and BEAT in audit.trouble
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        assert await asyncio.to_thread(run, ["recover"]) == 0
        assert isinstance(audit.server, Worker)
        audit.server.environment = {**audit.server.environment, BEAT: "0"}
        await until(lambda: audit.state == "ready", what="audit is tried again by itself")
        assert audit.trouble == ""

        audit.server.environment = {**audit.server.environment, BEAT: "301"}
        await audit.kill()
        await until(lambda: "137" in audit.trouble, what="it says that it was killed, and not why an earlier one died")
        await until(lambda: BEAT in audit.trouble, what="it says why it dies now")
        assert stack["intake-1"].state == "ready"
