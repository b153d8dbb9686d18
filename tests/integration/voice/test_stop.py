"""A notifier that telephones: a key counts while other knocks are late, and also after the notifier was asked to end."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from referral.roster import changes as roster
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings
from tests.harness.line import runtime_stack
from tests.harness.line.notifier_stack import MINUTE, opened
from tests.harness.line.runtime_stack import Stack
from tests.harness.programs import Program, running
from tests.harness.telephone import NUMBER, Telephone, telephone
from tests.harness.waiting import until
from tests.integration.local.test_late import ASKED, CALL
from tests.integration.notifier.test_line import publish

pytestmark = pytest.mark.servers


@asynccontextmanager
async def calling(settings: Settings, sounds: Path, folder: Path) -> AsyncIterator[tuple[Stack, Program, Telephone]]:
    """A real process with a real trunk, and the telephone of whoever is on duty."""
    async with runtime_stack.stack(settings) as line, telephone(folder) as callee:
        account = str(uuid.uuid4())
        async with line.admin.begin() as tx:
            await roster.add_person(tx, line.keys, account=account, agency="police", rungs=["duty"], voice=NUMBER)
        voice = {"sip": f"127.0.0.1:{callee.port}", "sip_tls": "never", "prompts": sounds, "inbox_url": "https://inbox.example/"}
        async with running(settings, "services.notifier", instance="a", **voice) as program:
            yield line, program, callee


async def knocked(line: Stack, settings: Settings, offers: int) -> None:
    """Urgent offers, and the two minutes after which the telephone rings."""
    now = (await line.sql("SELECT runtime.clock() AS now"))[0].now
    for _ in range(offers):
        await publish(line, await line.case(), opened(due=now + 15 * MINUTE))
    planned = f"SELECT 1 AS one FROM notifier.delivery WHERE case_id <> 'made-up' HAVING count(*) = {offers}"
    await until(lambda: line.sql(planned), what="the calls are planned")
    async with line.admin.begin() as tx:
        await clock.advance(tx, settings, 3 * MINUTE)


async def test_key_1_counts_for_all_that_wait_while_other_knocks_are_late(
    settings: Settings, sounds: Path, place: Callable[[str], Path]
) -> None:
    """The night of a trial: the supervisor ended a notifier whose knocks were late, in the middle of this call."""
    async with calling(settings, sounds, place("callee")) as (line, program, callee), httpx.AsyncClient(timeout=30) as http:
        await program.answers("/healthz")
        async with line.admin.begin() as tx:
            for statement in (ASKED, CALL):
                await tx.execute(text(statement))

        async def late() -> bool:
            return "knocks-late" in (await http.get(f"{program.inner}/readyz")).text

        await until(late, what="the old knock is late")
        await knocked(line, settings, 3)
        await callee.press("1")
        await callee.sees("CALL_CLOSED", program.said)
        answers = "SELECT 1 AS one FROM notifier.delivery WHERE word = 'LOOKS' HAVING count(*) = 3"
        await until(lambda: line.sql(answers), what="one press counts for all three")
        assert (await http.get(f"{program.url}/healthz")).status_code == 200 and await late() and program.runs()


async def test_a_call_outlives_sigterm_and_its_key_counts(settings: Settings, sounds: Path, place: Callable[[str], Path]) -> None:
    """Somebody listens: no new call begins, this one ends by the key, and the answer is stored."""
    async with calling(settings, sounds, place("callee")) as (line, program, callee):
        await knocked(line, settings, 1)
        await callee.sees("CALL_ESTABLISHED", program.said)
        program.process.terminate()
        await until(lambda: line.sql("SELECT 1 AS one FROM notifier.lease HAVING count(owner) = 0"), what="its units are given back")
        assert program.runs() and not callee.happened("CALL_CLOSED")
        await callee.press("1")
        await callee.sees("CALL_CLOSED")
        assert await program.ended() == 0
        (row,) = await line.sql("SELECT state, word, reason, attempt FROM notifier.delivery")
        assert (row.state, row.word) == ("SENT", "LOOKS"), (row, callee.events, program.said()[-3000:])
