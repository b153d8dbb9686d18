"""The broker allows each principal on each topic what the topic cards say, and nothing more; each line of the cards matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from referral.runtime.kafka import access, clients, quotas
from referral.runtime.settings import SERVICES, Settings
from referral.wire import topics
from referral.wire.topics import AGENCY, Topic
from tests.harness import trust
from tests.harness.broker_probes import Operation, allowed, asking
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.kafka]
CARDS = topics.load(Path("schemas/avro/topics.yaml"))
OURS, OTHER = "school-drita", "school-ura"
NAMES = [name for name in CARDS if AGENCY not in name] + [f"ingress.{OURS}", f"ingress.{OTHER}"]
WHO = (*(f"service/{name}" for name in (*SERVICES, "watchman")), "operator/doctor", f"agency/{OURS}", f"agency/{OTHER}", "agency/no-topic")
WINDOWS_S = 11
"""Seconds over which the broker counts an agency's bytes (its quota.window.num of one second): so much may come in one burst."""
LOOKS = {Operation.DESCRIBE, Operation.OFFSETS}


def card(topic: str) -> Topic:
    return CARDS.get(topic) or CARDS[f"ingress.{AGENCY}"]


def expected(who: str, topic: str) -> set[Operation]:
    """Return what the cards let somebody do, without looking at any rule."""
    plane, name = who.split("/")
    if plane == "operator":
        return LOOKS | {Operation.FETCH}
    if plane == "agency":
        return LOOKS | {Operation.WRITE} if topic == f"ingress.{name}" else set()
    told = card(topic)
    may = {Operation.FETCH} if name in (*told.readers, *told.blind) else set()
    may |= {Operation.WRITE} if name in told.writers else set()
    return may | (LOOKS if may or name in told.ends else set())


@pytest.fixture
async def line(settings: Settings) -> Settings:
    for agency in (OURS, OTHER):
        await clients.create_ingress(settings, agency)
    return settings


@asynccontextmanager
async def everybody(line: Settings, authority: Path, agencies: str) -> AsyncIterator[Mapping[str, AIOKafkaClient]]:
    async with AsyncExitStack() as stack:
        yield {who: await stack.enter_async_context(asking(holder(line, authority, who, agencies))) for who in WHO}


def holder(line: Settings, authority: Path, who: str, agencies: str) -> Settings:
    """Return the settings of a holder of a certificate, with the address that is meant for it."""
    address = agencies if who.startswith("agency/") else line.kafka
    return replace(line, instance="probe", kafka=address, tls=trust.identity(authority, who))


async def test_everybody_may_do_on_each_topic_what_its_card_says_and_nothing_else(line: Settings, authority: Path, agencies: str) -> None:
    wrong, asked = [], 0
    async with everybody(line, authority, agencies) as clients_of:
        for who, client in clients_of.items():
            for topic in NAMES:
                for operation in Operation:
                    asked += 1
                    may = await allowed(client, operation, line.topic(topic))
                    if may != (operation in expected(who, topic)):
                        wrong.append(f"{who} {'may' if may else 'may not'} {operation} {topic}")
    assert not wrong, wrong
    assert asked == len(WHO) * len(NAMES) * len(Operation) >= 600


LINES = [(topic, line, who) for topic, told in CARDS.items() for line in ("writers", "readers", "ends") for who in getattr(told, line)]


async def test_each_name_of_each_line_of_the_cards_turns_a_probe_red(line: Settings, authority: Path, agencies: str) -> None:
    admin = clients.admin(line)
    await admin.start()
    try:
        async with everybody(line, authority, agencies) as clients_of:
            for topic, field, name in LINES:
                who, place = (f"agency/{OURS}", f"ingress.{OURS}") if name == AGENCY else (f"service/{name}", topic.replace(AGENCY, OURS))
                without = replace(CARDS[topic], **{field: tuple(one for one in getattr(CARDS[topic], field) if one != name)})
                less = access.wanted({**CARDS, topic: without}, [] if name == AGENCY else [OURS, OTHER], line.topic_prefix)
                gone = access.wanted(CARDS, [OURS, OTHER], line.topic_prefix) - less
                gone = frozenset(rule for rule in gone if OTHER not in rule.name)
                assert gone, f"{topic}, {field}: {name} makes no rule"
                await access.bring(admin, access.Difference(frozenset(), gone))
                try:
                    async with asyncio.timeout(10):
                        while {one for one in Operation if await allowed(clients_of[who], one, line.topic(place))} == expected(who, place):
                            await asyncio.sleep(0.01)  # the broker's own view follows within milliseconds
                finally:
                    await access.bring(admin, access.Difference(gone, frozenset()))
    finally:
        await admin.close()


async def test_prepare_removes_a_rule_that_no_card_says_and_doctor_names_it(line: Settings) -> None:
    topic = line.topic("referral-routing")
    foreign = access.Rule(access.Resource.TOPIC, topic, access.Pattern.LITERAL, "User:service.notifier", access.Act.WRITE)
    admin = clients.admin(line)
    await admin.start()
    try:
        await access.bring(admin, access.Difference(frozenset({foreign}), frozenset()))
        there = set(await admin.list_topics())
        said = await until(lambda: clients.disallowed(admin, line, there), what="doctor sees it")
        assert said == [f"User:service.notifier may WRITE TOPIC {topic} on the broker, which no topic card says"]
        await clients.create_topics(line)

        async def gone() -> bool:
            return not await clients.disallowed(admin, line, there)

        await until(gone, what="prepare has removed it")
    finally:
        await admin.close()


async def test_an_agency_that_writes_too_fast_is_slowed_down_and_nobody_else(line: Settings, authority: Path, agencies: str) -> None:
    size, count = 60_000, 20
    school = clients.producer(holder(line, authority, f"agency/{OURS}", agencies))
    async with school:
        began = monotonic()
        for _ in range(count):
            await school.send_and_wait(line.topic(f"ingress.{OURS}"), b"x" * size)
        slowed = monotonic() - began
    async with clients.producer(line) as keeper:
        began = monotonic()
        for _ in range(count):
            await keeper.send_and_wait(line.topic(f"ingress.{OTHER}"), b"x" * size)
        assert monotonic() - began < slowed
    spared = count * size / quotas.AGENCY_BYTES_S - WINDOWS_S
    assert slowed > spared / 2, "more than one burst, and it was not held back"


async def test_each_service_that_writes_has_a_limit_and_doctor_names_one_that_is_missing(line: Settings) -> None:
    writers = {f"service.{name}" for one in CARDS.values() for name in one.writers if name != AGENCY}
    admin = clients.admin(line)
    await admin.start()
    try:
        right = quotas.wanted(CARDS.values(), [OURS])
        assert {who for who, limit in right.items() if limit == quotas.SERVICE_BYTES_S} == writers
        assert await quotas.differences(admin, right) == {}
        there = set(await admin.list_topics())

        async def lowered() -> list[str]:
            """Lower one limit and ask: limits belong to the broker, so another test's prepare may set it right in between."""
            await quotas.bring(admin, {"service.notifier": 1_000_000})
            return await clients.disallowed(admin, line, there)

        said = await until(lowered, what="doctor sees it")
        assert said == [f"service.notifier has no limit of {quotas.SERVICE_BYTES_S} bytes a second on the broker"]
        await clients.create_topics(line)

        async def limited() -> bool:
            return not await quotas.differences(admin, right)

        await until(limited, what="prepare has set it")
    finally:
        await admin.close()


@pytest.mark.parametrize("who", [f"agency/{OURS}", "service/intake", "service/witness", "operator/doctor", "operator/keeper"])
async def test_nobody_comes_in_by_the_listener_that_is_meant_for_others(line: Settings, authority: Path, agencies: str, who: str) -> None:
    own = holder(line, authority, who, agencies)
    async with asking(own) as client:
        assert client.cluster.brokers()
    other = line.kafka if own.kafka == agencies else agencies
    with pytest.raises(KafkaError):
        async with asking(replace(own, kafka=other)):
            pass


async def test_a_reader_without_a_certificate_or_with_a_strangers_is_refused(line: Settings, tmp_path: Path) -> None:
    trust.make(tmp_path)  # another authority
    stranger = clients.consumer(replace(line, tls=trust.identities(tmp_path) / "intake"))
    try:
        with pytest.raises(KafkaError):
            await stranger.start()
    finally:
        await clients.halt(stranger)


async def test_the_watchman_sees_how_long_a_topic_is_and_no_record(line: Settings, identities: Path) -> None:
    watchman = clients.consumer(replace(line, tls=identities / "watchman"))
    await watchman.start()
    try:
        place = TopicPartition(line.topic("referral-routing"), 0)
        assert await watchman.end_offsets([place]) == {place: 0}
    finally:
        await clients.halt(watchman)
