"""A kill, Debian's Prometheus and Alertmanager with our files, and a watchman: the right alert fires, and a telephone rings."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from referral.local.config import StackConfig
from tests.deploy.monitored import ABSENT, WHY, Prometheus, telephoned
from tests.faults.line import running
from tests.harness.waiting import PATIENCE_S, until
from tests.harness.watchmen import FIRST, Post

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900), pytest.mark.skipif(bool(ABSENT), reason=WHY)]
RING_S = 60 + 2 * PATIENCE_S
"""The minute of the rule, a turn of Prometheus, of Alertmanager and of the watchman; the rest is the noise of a busy machine."""


async def test_a_killed_service_rings_the_telephone(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    config = StackConfig(data=tmp_path / "line", drill=True)
    async with running(config) as line, telephoned(line.stack, tmp_path / "own") as (prometheus, watchman):
        await until(lambda: _silent(prometheus), what="a line that works is silent")
        await line.stack["audit-1"].hold()
        began = time.monotonic()
        await watchman.rings(FIRST, within=RING_S)
        rang = time.monotonic() - began
        assert await prometheus.firing() == {"ServiceDown"}
        await watchman.phone.press("1", FIRST)
        await line.stack["audit-1"].release()
        await until(lambda: _silent(prometheus), RING_S, what="the alert ends when the service is back")
        await until(lambda: _ended(watchman), what="Alertmanager says so to the watchman")
        said = [one for one in watchman.program.said().splitlines() if '"event": "calling"' in one]
        assert len(said) == 1 and '"ServiceDown#servicedown"' in said[0], said
        mails = [str(mail.message["Subject"]) for mail in line.stack.mailbox.mails]
        assert any("ServiceDown" in subject for subject in mails), "and it is written to people"
        record_property("figure", f"killed, and the telephone rang after {rang:.0f} s, for 60 of which the rule waits")


async def _silent(prometheus: Prometheus) -> bool:
    return not await prometheus.firing()


def _ended(watchman: Post) -> bool:
    return any('"watch-alarm"' in line and '"ready again"' in line for line in watchman.program.said().splitlines())
