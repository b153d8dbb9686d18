"""One certificate, whoever's it is, cannot stop the broker by requests that it announces and never sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from msgspec import structs

from referral.local.kafka import Kafka
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from tests.harness import trust
from tests.harness.attackers.announcer import announcing
from tests.harness.line.runtime_stack import OUT, Counter, Stack, stack
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.kafka]
SCHOOL = "school-drita"
COUNT = 200
LENGTHS = (100_000_000, 9_437_184, 1)
ELSEWHERE = "127.0.0.2"
"""Address of another machine than the line's. What an attack from a machine of the line itself does stands in decision 0067."""
TAKEN_S = 5.0
"""Seconds in which a record must be published and an agency's record taken."""
GONE_S = 30.0
"""Seconds after an attack until nothing of it is left."""
CLOSE_WAIT = "08"


async def blocking(call):
    return await asyncio.get_running_loop().run_in_executor(None, call)


def left(ports: tuple[int, ...]) -> int:
    """Return how many connections to these ports their clients have closed, and the broker has not."""
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[3] == CLOSE_WAIT and int(row[1].rpartition(":")[2], 16) in ports for row in rows)


class Line:
    """A broker of its own, a service that takes an agency's records, and the two who write."""

    def __init__(self, broker: Kafka, line: Stack, counter: Counter, school: Settings) -> None:
        self.broker, self.line, self.counter, self.school = broker, line, counter, school
        self.topic = line.settings.topic(f"ingress.{SCHOOL}")

    async def goes_on(self, service: AIOKafkaProducer, school: AIOKafkaProducer) -> None:
        """Publish a record of a service, and one of the agency that is then taken, each in time."""
        async with asyncio.timeout(TAKEN_S):
            await service.send_and_wait(self.line.settings.topic(OUT), b"x", partition=0)
        taken = len(self.counter.inputs)
        async with asyncio.timeout(TAKEN_S):
            await school.send_and_wait(self.topic, b"good", partition=0, headers=[("ce_id", str(taken).encode())])
            await until(lambda: len(self.counter.inputs) > taken, TAKEN_S, what="the agency's record is taken")

    async def goes_on_for_newcomers(self) -> None:
        """The same with connections that did not stand before."""
        async with asyncio.timeout(2 * TAKEN_S), clients.producer(self.line.settings) as service, clients.producer(self.school) as school:
            await self.goes_on(service, school)


@asynccontextmanager
async def running(settings: Settings, identities: Path, authority: Path, folder: Path) -> AsyncIterator[Line]:
    broker = Kafka(folder, identities / "kafka")
    try:
        mine = structs.replace(settings, kafka=await blocking(broker.start))
        school = structs.replace(mine, kafka=broker.agencies, tls=trust.identity(authority, f"agency/{SCHOOL}"))
        await clients.create_topics(mine)
        await clients.create_ingress(mine, SCHOOL)
        async with stack(mine) as line:
            counter = line.counter(name="intake", ingress=True, writes="referral-intake", reads=("referral-routing",))
            counter.start()
            await until(lambda: len(counter.units) == 13)
            yield Line(broker, line, counter, school)
            await counter.end()
    finally:
        await blocking(broker.stop)


WHO = [f"agency/{SCHOOL}", "service/witness", "service/watchman"]


async def nothing_is_left(line: Line, pid: int | None) -> None:
    """Check that the attacker's connections go, and that the same broker is there for everybody."""
    broker = line.broker
    await until(lambda: not left(broker.ports), GONE_S, what="the attacker's connections have gone")
    await line.goes_on_for_newcomers()
    assert "OutOfMemoryError" not in broker.log.read_text(errors="replace")
    assert broker.child and broker.child.poll() is None and broker.child.pid == pid


@pytest.mark.parametrize("who", WHO)
async def test_no_certificate_stops_the_broker_by_what_it_announces(
    settings: Settings, identities: Path, authority: Path, folder: Path, who: str
) -> None:
    stolen = trust.identity(authority, who)
    async with running(settings, identities, authority, folder) as line:
        pid = line.broker.child and line.broker.child.pid
        async with clients.producer(line.line.settings) as service, clients.producer(line.school) as school:
            await line.goes_on(service, school)
            for length in LENGTHS:
                async with announcing(stolen, ELSEWHERE, COUNT, length, line.broker.ports):
                    await line.goes_on(service, school)
                    await line.goes_on_for_newcomers()
        await nothing_is_left(line, pid)
