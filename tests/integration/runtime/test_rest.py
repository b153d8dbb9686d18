"""A loop that waits: it knows when the next alarm is due, hears what it cannot know, and writes nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Due
from referral.runtime.loop import lease
from referral.runtime.postgres import clock, database
from referral.runtime.service import Batch, Outcome
from tests.harness.line.runtime_stack import Stack, counting
from tests.harness.waiting import until

pytestmark = pytest.mark.servers

HOUR = 3_600_000_000
"""Microseconds of an hour."""


async def test_a_resting_loop_knows_when_the_next_alarm_is_due(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that its own turn has set; and it hears that a drill has moved the clock, so that an alarm is due that was not."""
    monkeypatch.setattr("referral.runtime.loop.timers.REST", 600.0)
    soon, late = await line.case(), await line.case()

    async def setting(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = await counting(tx, batch)
        for i in batch.inputs:
            if not isinstance(i.body, Due):
                outcome.wake(i.case_id, batch.now + (1_500_000 if i.case_id == soon else HOUR))
        return outcome

    counter = line.counter(handle=setting)
    counter.start()
    await until(lambda: len(counter.units) == 12 and not counter.not_ready)
    await line.write(soon, await line.value(soon, 1))
    await line.write(late, await line.value(late, 1))
    await until(lambda: len(counter.inputs) == 3)
    assert [type(i.body) for i in counter.inputs if i.case_id == soon][1:] == [Due]
    async with line.admin.begin() as tx:
        await clock.advance(tx, line.settings, HOUR)
    await until(lambda: len(counter.inputs) == 4)
    assert [type(i.body) for i in counter.inputs if i.case_id == late][1:] == [Due]


async def test_a_survey_writes_nothing_while_the_instance_is_shown(line: Stack) -> None:
    """Each write is a flush of the database's log, every second and for every instance."""
    units, shown = [f"p{n}" for n in range(12)], text("SELECT xmin::text FROM routing.instance WHERE id = 'b'")
    engine = database.single(database.engine(line.settings, "routing", size=1))
    try:
        async with engine.connect() as own:
            assert (await lease.survey(own, "b", [], units)).alive == 1
            wrote = (await own.execute(shown)).scalar_one()
            assert (await lease.survey(own, "b", [], units)).alive == 1
            assert (await own.execute(shown)).scalar_one() == wrote
    finally:
        await engine.dispose()
