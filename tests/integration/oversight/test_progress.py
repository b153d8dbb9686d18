"""A start reads what came since, counted by records; and everything again when what was stored does not fit."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from referral.runtime.keys import case_keys
from referral.runtime.keys.case_keys import Keys
from referral.runtime.settings import Settings
from services.oversight.counting.projection import Courses
from services.oversight.progress import Progress
from services.oversight.record_reader import RecordReader
from tests.harness.erased import INTAKE
from tests.harness.line.oversight_stack import Line, line, metrics, process
from tests.harness.oversight_log import CALM, told, year
from tests.harness.programs import Program
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
READ = re.compile(r"^referral_oversight_records_total\{.*\} ([0-9.e+-]+)$")


async def fetched(oversight: Program) -> int:
    """How many records Faust has handed on since it started."""
    return sum(int(float(found[1])) for row in await metrics(oversight) if (found := READ.match(row)))


async def stored(made: Line) -> int:
    """How many records stand below the stored positions."""
    keys = Keys(case_keys.master(made.settings).of("oversight"))
    positions = await Progress(made.admin, keys, RecordReader(Courses(), INTAKE)).positions()
    return sum(further for further, *_ in positions.values())


async def started(made: Line, count: int, new: int) -> tuple[int, str]:
    """Start it and wait until it has fetched so many new records, and stored as counted how many there are. Return what it fetched and
    its log."""
    async with process(made.settings) as oversight:
        await oversight.answers()

        async def done() -> bool:
            return await fetched(oversight) >= new and await stored(made) == count

        await until(done)
        found = await fetched(oversight)
        assert await oversight.stop() == 0
        return found, oversight.said()


TAKEN_AWAY = "DELETE FROM oversight.counted WHERE case_id = (SELECT min(case_id) FROM oversight.counted)"


async def test_a_start_reads_what_came_since_and_everything_when_what_was_stored_does_not_fit(settings: Settings) -> None:
    records, more = year(3), told(*CALM)
    everything = len(records) + len(more)
    async with line(settings) as made:
        await made.write(records)
        count, _ = await started(made, len(records), len(records))
        assert count == len(records)
        await made.write(more)
        count, said = await started(made, everything, len(more))
        assert count == len(more), "it read again what it had counted"
        assert "from the beginning" not in said
        async with made.admin.begin() as tx:
            assert (await tx.execute(text(TAKEN_AWAY))).rowcount
        count, said = await started(made, everything, everything)
        assert count == everything and "from the beginning" in said, "a child is missing from what was stored"
