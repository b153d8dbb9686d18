"""A broker that dies under oversight and comes back: its readiness says so meanwhile, and the same process reads and tells on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from msgspec import structs

from referral.local.kafka import Kafka
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys
from referral.runtime.observe import Health
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from services.oversight.calendar import begins, closes
from services.oversight.counting.projection import Courses
from services.oversight.record_reader import RecordReader
from services.oversight.release_builder import ReleaseBuilder
from services.oversight.scheduler import ReleaseScheduler
from tests.harness.erased import INTAKE
from tests.harness.line.oversight_stack import LATER, line, process
from tests.harness.oversight_log import year
from tests.harness.programs import Program
from tests.harness.waiting import until
from tests.integration.runtime.test_away import kill

pytestmark = [pytest.mark.servers, pytest.mark.long]
FEW = 6
HOUR = 3_600_000_000


async def not_ready(oversight: Program) -> dict[str, str]:
    """What its readiness says, from a process that runs."""
    assert oversight.runs(), oversight.said()[-2000:]
    async with httpx.AsyncClient(timeout=30) as client:
        return dict((await client.get(f"{oversight.inner}/readyz")).json()["not_ready"])


async def behind(settings: Settings) -> ReleaseScheduler:
    """Somebody who has read nothing yet of what is there, and knows how much that is."""
    probe, master, health = clients.consumer(settings), case_keys.read(settings), Health()
    await probe.start()
    builder = ReleaseBuilder(RecordReader(Courses(), INTAKE), lambda: ())  # without a policy no period is due
    made = ReleaseScheduler(settings, database.engine(settings, "oversight"), master, builder, health, probe)
    await made.start()
    await made.look()
    assert not health.not_ready(), "it works, and is not done"
    return made


async def test_a_broker_that_dies_is_missed_and_come_back_from(settings: Settings, identities: Path, folder: Path) -> None:
    broker = Kafka(folder, identities / "kafka")
    try:
        mine = structs.replace(settings, kafka=await asyncio.to_thread(broker.start))
        await clients.create_topics(mine)
        records = list(year(FEW))
        early = [record for record in records if record[1].recorded_at + LATER < begins("2054-02")]
        later = [record for record in records if record not in early]
        async with line(mine) as made:
            await made.write(early)
            await made.at(closes("2054-01") + 2 * HOUR)
            async with process(mine) as oversight:
                await oversight.answers()
                await made.published("2054-01")
                late = await behind(mine)
                await kill(broker)

                async def missed() -> bool:
                    return "away" in await not_ready(oversight)

                async def missed_by_who_is_behind() -> bool:
                    await late.look()
                    return "away" in late.health.not_ready()

                await asyncio.gather(until(missed), until(missed_by_who_is_behind))
                await asyncio.to_thread(broker.start)
                await made.write(later)  # a release is made when all of them are read
                await made.at(closes("2054-02") + 2 * HOUR)
                await made.published("2054-02")
                await oversight.answers()
                assert await oversight.stop() == 0
                await clients.halt(late.probe)
                await late.engine.dispose()
    finally:
        await asyncio.to_thread(broker.stop)
