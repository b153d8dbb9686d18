"""Five hundred malformed batches on every topic that a service reads: all stay ready, the line goes on, and each batch is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from referral.local.config import StackConfig
from referral.runtime.kafka import clients, scan
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.settings import SERVICES, Settings
from referral.wire import topics
from tests.faults.line import Line, running
from tests.harness import malformed
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.long]
EACH = 520
"""Batches for each topic; the broker refuses about half of them."""
TOGETHER = 20
"""Of these at once."""
READY_S = 5.0
INGRESS = "ingress.school-drita"
READERS: Mapping[str, tuple[str, ...]] = {
    "referral-intake": ("routing", "notifier"),
    "referral-routing": ("intake", "notifier"),
    "referral-notification": ("routing",),
}
"""Who quarantines what it cannot decode; audit keeps it, oversight counts it, the eraser passes over it."""


async def as_they_were(settings: Settings, cards: Mapping[str, topics.Topic]) -> None:
    """The topics keep what a client has compressed: the readers are a wall of their own. All other settings stay, as the retention."""
    admin = clients.admin(settings)
    await admin.start()
    try:
        for name, card in cards.items():
            wanted = {**card.config, "compression.type": "producer", "cleanup.policy": "delete", "retention.ms": "-1"}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic(name), wanted)])
    finally:
        await admin.close()


async def flood(settings: Settings, cards: Mapping[str, topics.Topic]) -> int:
    """How many the broker took."""
    took = 0
    async with clients.producer(settings) as producer:
        for seed, (name, card) in enumerate(cards.items()):
            bad = list(malformed.corpus(EACH, seed))
            for start in range(0, EACH, TOGETHER):
                some = enumerate(bad[start : start + TOGETHER], start)
                sent = [malformed.produce(producer, settings.topic(name), n % card.partitions, one.data) for n, one in some]
                took += (await asyncio.gather(*sent)).count("")
    return took


async def all_ready(line: Line, seconds: float) -> None:
    """Every service says so within these seconds, and keeps saying so."""
    red: dict[str, str] = {}

    async def look() -> bool:
        for service in SERVICES:
            try:
                answer = await line.http.get(f"{line.stack.url(service)}/readyz")
                red[service] = "" if answer.status_code == 200 else answer.text
            except httpx.TransportError as error:
                red[service] = type(error).__name__
        return not any(red.values())

    await until(look, seconds, what=lambda: str(red))


async def undecodable(settings: Settings, names: list[str]) -> dict[tuple[str, int], set[int]]:
    found: dict[tuple[str, int], set[int]] = {}
    async for place, record in scan.whole(settings, names):
        if isinstance(record, Undecodable):
            found.setdefault(place, set()).add(record.offset)
    return found


async def accounted_for(line: Line) -> None:
    """Each batch that is not decoded is in the quarantine of each of its readers, and in audit's log."""
    settings = line.stack.settings
    wanted = {
        f"{reader}/{topic}/{partition}/{offset}".encode()
        for (topic, partition), offsets in (await undecodable(settings, list(READERS))).items()
        for offset in offsets
        for reader in READERS[topic]
    }
    assert len(wanted) > 200

    async def quarantined() -> bool:
        keys = {record.key async for _, record in scan.whole(settings, ["referral-quarantine"])}
        return wanted <= keys

    await until(quarantined, what="all are in quarantine")
    kept = {(t, p, o) for (t, p), offsets in (await undecodable(settings, [*READERS, "referral-policy"])).items() for o in offsets}

    async def logged() -> bool:
        rows = await line.rows("SELECT topic, partition, \"offset\" FROM audit.entry WHERE kind = 'UNREADABLE'")
        return kept <= {tuple(row) for row in rows}

    await until(logged, what="audit has all")


async def test_malformed_batches_on_every_topic_leave_every_service_ready(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = StackConfig(data=tmp_path_factory.mktemp("line"), drill=True, services=SERVICES)
    async with running(config) as line:
        settings = line.stack.settings
        await clients.create_ingress(settings, INGRESS.removeprefix(topics.INGRESS))
        case_id = (await line.refer("before"))["case_id"]
        await line.offer("police-prishtine", case_id, "police")
        cards = {**clients.wanted(settings), INGRESS: topics.ingress(topics.load(settings.schemas / "topics.yaml"), "school-drita")[1]}
        await as_they_were(settings, cards)
        assert await flood(settings, cards) > 150 * len(cards)
        await all_ready(line, READY_S)
        case_id = (await line.refer("meanwhile"))["case_id"]
        await line.answers("police-prishtine", case_id, "police", "ACCEPT")
        await accounted_for(line)
        await all_ready(line, READY_S)
        for name, _ in config.names():
            await line.stack[name].kill()
        await line.ready()
        case_id = (await line.refer("after"))["case_id"]
        await line.offer("police-prishtine", case_id, "police")
        await all_ready(line, READY_S)
