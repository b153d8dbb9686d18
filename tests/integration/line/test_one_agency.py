"""One agency's own topic, with whatever stands on it, keeps no other from being heard: intake as it is served, on a real broker."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from referral.domain.events import Quarantined
from referral.runtime.kafka import clients
from referral.runtime.kafka.clients import create_ingress
from referral.runtime.loop.assignment import AGAIN, DISCOVER
from referral.runtime.settings import Settings
from referral.wire import codec, hpke, topics
from tests.harness import malformed
from tests.harness.waiting import PATIENCE_S, until
from tests.integration.intake.test_process import AGENCY, BODY, OTHER, Line, encoded, line

pytestmark = pytest.mark.servers
BOMB = 256 * 1024 * 1024
"""Bytes that a batch of 260 KB unpacks to."""
GROWN = 64 * 1024
"""KiB by which the process may grow meanwhile: it grew by six hundred thousand."""
SOON = 30.0
"""Seconds until every service is ready again."""


async def admin(settings: Settings) -> AIOKafkaAdminClient:
    made = clients.admin(settings)
    await made.start()
    return made


async def as_it_was(settings: Settings, agency: str) -> None:
    """The agency's topic keeps what a client has compressed, as every topic did: the readers are a wall of their own."""
    where = ConfigResource(ConfigResourceType.TOPIC, settings.topic(f"ingress.{agency}"), {"compression.type": "producer"})
    client = await admin(settings)
    try:
        await client.alter_configs([where])
    finally:
        await client.close()


async def ready(intake: Line) -> bool:
    return (await intake.http.get("/readyz")).status_code == 200


async def published(intake: Line, agency: str, key: str) -> None:
    """A good referral on an agency's own topic."""
    value = hpke.encrypt(_public(intake), f"ingress.{agency}", encoded(BODY))
    await intake.stack.producer.send_and_wait(intake.settings.topic(f"ingress.{agency}"), value, headers=[("ce_id", key.encode())])


def _public(intake: Line) -> Any:
    from cryptography.hazmat.primitives import serialization

    assert intake.settings.ingress_key_file is not None
    return serialization.load_pem_private_key(intake.settings.ingress_key_file.read_bytes(), None).public_key()  # type: ignore[union-attr]


async def heard(intake: Line, case_id: str) -> None:
    """Its event is on the topic that routing reads."""

    async def look() -> bool:
        return any(m.case_id == case_id for m in await intake.stack.metas("referral-intake"))

    await until(look)


async def taken(intake: Line, agency: str, key: str, within: float = PATIENCE_S) -> None:
    """It was taken from the agency's own topic."""

    async with intake.of(agency) as system:

        async def look() -> bool:
            answer = await system.get(f"/v1/submissions/{key}")
            return answer.status_code == 200 and answer.json()["state"] == "TAKEN"

        await until(look, within)


async def reasons(intake: Line) -> list[str]:
    found = []
    for record in await intake.stack.distinct("referral-quarantine"):
        body = codec.decode(Quarantined.TYPE, codec.fingerprint(Quarantined.TYPE), record.value)
        assert isinstance(body, Quarantined) and len(body.sealed) < 300_000
        found.append(body.reason)
    return found


def memory(intake: Line) -> int:
    """KiB, the most there ever was."""
    said = Path(f"/proc/{intake.process.process.pid}/status").read_text()
    return int(said.partition("VmHWM:")[2].split()[0])


async def test_one_agency_cannot_stop_another(settings: Settings) -> None:
    async with line(settings) as intake:
        await create_ingress(settings, OTHER)
        await as_it_was(settings, AGENCY)
        await intake.policy()
        await intake.taken(BODY, "before")
        await until(lambda: ready(intake))
        before, mine = memory(intake), settings.topic(f"ingress.{AGENCY}")
        dice = random.Random(1)
        packed = {codec: malformed.batch(pack(malformed.record()), attributes=codec) for codec, pack in malformed.CODECS.items()}
        bomb = malformed.batch(malformed.CODECS[1](malformed.record(value=bytes(BOMB))), attributes=1)
        bad = [*packed.values(), malformed.header_name(dice), malformed.deltas(dice), bomb]
        for data in bad:
            assert await malformed.produce(intake.stack.producer, mine, 0, data) == ""
        receipt = await intake.taken(BODY, "by-http")
        await heard(intake, receipt["case_id"])
        await published(intake, OTHER, "by-kafka")
        await taken(intake, OTHER, "by-kafka")

        async def all_of_them() -> bool:
            return len(await reasons(intake)) >= len(bad)

        await until(all_of_them)
        assert sorted(await reasons(intake)) == [*["compressed"] * 5, "seal", "torn"]
        value = hpke.encrypt(_public(intake), f"ingress.{AGENCY}", encoded(BODY))
        odd = malformed.record(value=value, headers=((b"ce_id", b"odd"), (b"trace\xff", b"1"), (b"ce_\xfe", None)))
        assert await malformed.produce(intake.stack.producer, mine, 0, malformed.batch(odd)) == ""
        await taken(intake, AGENCY, "odd")  # a header's name that is no text costs nobody a referral
        await until(lambda: ready(intake), SOON)
        assert memory(intake) < before + GROWN


async def test_five_hundred_malformed_batches_on_an_agency_s_topic_leave_intake_ready(settings: Settings) -> None:
    async with line(settings) as intake:
        await create_ingress(settings, OTHER)
        await as_it_was(settings, AGENCY)
        await intake.policy()
        await intake.taken(BODY, "before")
        for bad in malformed.corpus(520):
            await malformed.produce(intake.stack.producer, settings.topic(f"ingress.{AGENCY}"), 0, bad.data)
        await until(lambda: ready(intake), SOON)
        await published(intake, OTHER, "meanwhile")
        await taken(intake, OTHER, "meanwhile")
        await heard(intake, (await intake.taken(BODY, "by-http"))["case_id"])
        assert await ready(intake)


async def test_a_topic_that_is_gone_stops_its_own_agency_and_no_other(settings: Settings) -> None:
    """Deleted while intake reads it, and while intake starts; made again, it is read from its beginning.

    Beside them stands a topic of nobody whom the directory has: whoever may make topics is no agency by it.
    """
    async with line(settings) as intake:
        await create_ingress(settings, OTHER)
        await create_ingress(settings, "stranger")
        await intake.policy()
        await published(intake, AGENCY, "first")
        await taken(intake, AGENCY, "first")
        client = await admin(settings)
        try:
            await client.delete_topics([settings.topic(f"ingress.{AGENCY}")])
            for number in range(2):
                receipt = await intake.taken(BODY, f"gone-{number}")
                await heard(intake, receipt["case_id"])
                await published(intake, OTHER, f"meanwhile-{number}")
                await taken(intake, OTHER, f"meanwhile-{number}")
                await until(lambda: ready(intake), SOON)
                if number == 0:
                    await intake.process.kill()
                    await intake.stack.sql("UPDATE intake.lease SET lease_until = '-infinity'")
                    await intake.start()
            _, card = topics.ingress(topics.load(settings.schemas / "topics.yaml"), AGENCY)
            await client.create_topics([NewTopic(settings.topic(f"ingress.{AGENCY}"), 1, 1, topic_configs=card.config)])
        finally:
            await client.close()
        await published(intake, AGENCY, "made-again")
        await taken(intake, AGENCY, "made-again", AGAIN + DISCOVER + PATIENCE_S)
        units = await intake.stack.sql("SELECT unit FROM intake.lease WHERE unit LIKE 'ingress.%' ORDER BY unit")
        assert [unit for (unit,) in units] == [f"ingress.{OTHER}", f"ingress.{AGENCY}"]
