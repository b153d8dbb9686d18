"""A notifier that is asked to end while it telephones: the call ends by its own limit or a key, and the key counts."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from referral.roster import changes as roster
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings
from tests.harness.line import runtime_stack
from tests.harness.line.notifier_stack import MINUTE, opened
from tests.harness.programs import running
from tests.harness.telephone import NUMBER, telephone
from tests.harness.waiting import until
from tests.integration.notifier.test_line import publish

pytestmark = pytest.mark.servers


async def test_a_call_outlives_sigterm_and_its_key_counts(
    settings: Settings, sounds: Path, tmp_path: Path, place: Callable[[str], Path]
) -> None:
    """A real process, a real trunk and a real call, in which somebody listens."""
    async with runtime_stack.stack(settings) as line, telephone(place("callee")) as callee:
        account = str(uuid.uuid4())
        async with line.admin.begin() as tx:
            await roster.add_person(tx, line.keys, account=account, agency="police", rungs=["duty"], voice=NUMBER)
        voice = {"sip": f"127.0.0.1:{callee.port}", "sip_tls": "never", "prompts": sounds, "inbox_url": "https://inbox.example/"}
        async with running(settings, "services.notifier", instance="a", **voice) as program:
            now = (await line.sql("SELECT runtime.clock() AS now"))[0].now
            await publish(line, await line.case(), opened(due=now + 15 * MINUTE))
            await until(lambda: line.sql("SELECT 1 AS one FROM notifier.delivery"), what="the call is planned")
            async with line.admin.begin() as tx:
                await clock.advance(tx, settings, 3 * MINUTE)
            await callee.sees("CALL_ESTABLISHED", program.said)
            program.process.terminate()
            await until(lambda: line.sql("SELECT 1 AS one FROM notifier.lease HAVING count(owner) = 0"), what="its units are given back")
            assert program.runs() and not callee.happened("CALL_CLOSED")
            await callee.press("1")
            await callee.sees("CALL_CLOSED")
            assert await program.ended() == 0
            (row,) = await line.sql("SELECT state, word FROM notifier.delivery")
            assert (row.state, row.word) == ("SENT", "LOOKS")
