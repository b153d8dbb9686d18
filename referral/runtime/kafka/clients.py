"""Create Kafka clients with safe settings in place of defaults that lose or expose data, and the topics from their contract cards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from msgspec import structs

from referral.errors import Rejected
from referral.runtime import tls
from referral.runtime.kafka import access, fetched, quotas, replication
from referral.runtime.settings import Settings
from referral.wire import topics

SETTLE = 3.0  # seconds until a broker reports a topic's settings correctly
APPEAR = 30.0
"""Seconds (ours) until a busy broker lists a topic that it has created; until then the topic has no partitions."""
HALT = 2.0  # seconds for a client to stop, before its connections are closed by force
GOODBYE = 0.05
"""Seconds (ours) for brokers to answer the end of a consumer's connections: a broker answers in order, first the fetch that waits there."""
REQUEST = 10_000  # ms; a broker that has not answered by then counts as away
BATCH = 900_000  # bytes of a prebuilt record batch, below max.message.bytes of the case topics (1 MiB)
FETCH = 1024 * 1024
"""Bytes per partition and fetch. Audit reads 38 partitions and holds one fetch of each while it catches up, within 200 MB.
A larger record still arrives, alone: a broker sends at least one record (KIP-74)."""
POLICY_FETCH = 9 * 1024 * 1024

# aiokafka's defaults (in brackets) lose or expose data; a test asserts each of these values.
CONSUMER: Mapping[str, Any] = {
    "group_id": None,  # leases own partitions, not consumer groups
    "enable_auto_commit": False,  # [True] would commit records before they are handled
    "auto_offset_reset": "none",  # [latest] would silently skip records when a position is out of range
    "isolation_level": "read_committed",  # [read_uncommitted]
    "check_crcs": True,
    "request_timeout_ms": REQUEST,
    "fetch_max_wait_ms": 250,
    "consumer_timeout_ms": 1000,  # [200] how often a waiting consumer looks by itself whether there is something to ask for
    "max_partition_fetch_bytes": FETCH,
    "metadata_max_age_ms": 60_000,
}
PRODUCER: Mapping[str, Any] = {
    "acks": "all",  # [1] would lose records that only one broker acknowledged
    "enable_idempotence": True,  # [False] would duplicate and reorder records on a retry
    "linger_ms": 0,
    "compression_type": None,  # sealed bytes do not compress
    "max_batch_size": BATCH,
    "max_request_size": 8 * 1024 * 1024,
    "request_timeout_ms": REQUEST,
}


def reached(settings: Settings) -> dict[str, Any]:
    """Return the arguments with which every client of this process reaches the broker: by TLS, with our certificate.

    Rejected: REFERRAL_TLS is not set, or its folder is not complete.
    """
    return {
        "bootstrap_servers": settings.kafka,
        "client_id": f"referral-{settings.instance}",
        "security_protocol": "SSL",
        "ssl_context": tls.client(settings.identity()),
    }


def admin(settings: Settings) -> AIOKafkaAdminClient:
    """Return a client for topics and rules; the caller starts and closes it."""
    return AIOKafkaAdminClient(**reached(settings), request_timeout_ms=30_000)


def consumer(settings: Settings, **more: Any) -> AIOKafkaConsumer:
    """Return a consumer for partitions that the caller assigns; the caller starts and stops it.

    A batch that cannot be decoded arrives as `fetched.Undecodable`.
    """
    fetched.protect()
    return AIOKafkaConsumer(**reached(settings), **{**CONSUMER, "client_rack": None, **more})


@asynccontextmanager
async def reading(settings: Settings, **more: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer that has started. It is ended with the block, and where it could not start. KafkaError: the broker is away."""
    reader = consumer(settings, **more)
    try:
        await reader.start()
        yield reader
    finally:
        await halt(reader)


async def find(topics: list[str], *readers: AIOKafkaConsumer) -> None:
    """Let consumers find out where topics are. Whoever is asked before knowing waits for a tenth of a second, and then asks the broker.

    TimeoutError: the broker is away.
    """
    async with asyncio.timeout(REQUEST / 1000):
        await asyncio.gather(*(reader._client.set_topics(topics) for reader in readers))


def producer(settings: Settings, **more: Any) -> AIOKafkaProducer:
    """Return a producer for explicit partitions; the caller starts and stops it."""
    return AIOKafkaProducer(**reached(settings), **{**PRODUCER, **more})


async def throw_away(producer: AIOKafkaProducer) -> None:
    """Discard a producer at once, also when its broker is away: every record that it still holds is in the outbox.

    As `halt`, it never raises but for the caller's own cancellation.
    """

    async def cut() -> None:  # the sender would wait for its requests, which end with the connections
        if producer._sender is not None and producer._sender.sender_task is not None:
            producer._sender.sender_task.cancel()
        await producer.client.close()

    await _end(producer.stop, cut)


def wanted(settings: Settings) -> dict[str, topics.Topic]:
    """Return the cards of the fixed topics, by name in topics.yaml; ingress topics are created with each agency."""
    return {name: card for name, card in topics.load(settings.schemas / "topics.yaml").items() if "<" not in name}


async def create_topics(settings: Settings, names: Mapping[str, topics.Topic] | None = None) -> None:
    """Create missing topics, check the existing ones, and bring the broker's access list to the cards.

    names: the cards of the topics; by default the fixed topics. Rejected: partitions or a setting differ. KafkaError: a topic cannot be
    created, or the broker has no access list.
    """
    cards = wanted(settings) if names is None else names
    reaching = admin(settings)
    await reaching.start()
    try:
        brokers = len((await reaching.describe_cluster())["brokers"])
        there = set(await reaching.list_topics())
        new = [
            NewTopic(
                settings.topic(name),
                card.partitions,
                replication.copies(brokers),
                topic_configs={**card.config, **replication.settings(brokers)},
            )
            for name, card in cards.items()
            if settings.topic(name) not in there
        ]
        if new:
            for topic, code, *_ in (await reaching.create_topics(new)).topic_errors:
                if code not in (0, 36):  # 36: it exists, because another `prepare` was quicker
                    raise KafkaError(f"cannot create {topic}: {for_code(code).__name__}")
        await allow(reaching, settings, there | {settings.topic(name) for name in cards})
        for problem in await _settled(reaching, settings, cards):
            raise problem
    finally:
        await reaching.close()


async def allow(reaching: AIOKafkaAdminClient, settings: Settings, there: set[str]) -> None:
    """Bring the broker's access list to the cards, and the limits of writers. there: names of all its topics. KafkaError: refused."""
    cards = topics.load(settings.schemas / "topics.yaml")
    if settings.beside_older:
        cards = {name: structs.replace(card, writers=(*card.writers, *card.before)) for name, card in cards.items()}
    await access.bring(reaching, await access.compared(reaching, cards, there, settings.topic_prefix))
    await quotas.bring(reaching, await quotas.differences(reaching, quotas.wanted(cards.values(), ingress_of(settings, there))))


async def disallowed(reaching: AIOKafkaAdminClient, settings: Settings, there: set[str]) -> list[str]:
    """Return what the broker allows otherwise than the cards, a sentence each."""
    cards = topics.load(settings.schemas / "topics.yaml")
    differs = await access.compared(reaching, cards, there, settings.topic_prefix)
    said = [f"{rule} is missing on the broker" for rule in sorted(differs.missing)]
    said += [f"{rule} on the broker, which no topic card says" for rule in sorted(differs.extra)]
    unlimited = await quotas.differences(reaching, quotas.wanted(cards.values(), ingress_of(settings, there)))
    return said + [f"{who} has no limit of {limit} bytes a second on the broker" for who, limit in unlimited.items()]


def ingress_of(settings: Settings, there: set[str]) -> list[str]:
    """Return the agencies that have a topic of their own. there: names of the broker's topics."""
    own = settings.topic(topics.INGRESS)
    return sorted(name.removeprefix(own) for name in there if name.startswith(own))


async def create_ingress(settings: Settings, agency: str) -> str:
    """Create the topic on which one agency publishes directly, and return its name."""
    name, card = topics.ingress(topics.load(settings.schemas / "topics.yaml"), agency)
    await create_topics(settings, {name: card})
    return name


async def _settled(admin: AIOKafkaAdminClient, settings: Settings, cards: Mapping[str, topics.Topic]) -> list[Rejected]:
    """Return the differences that remain once the broker lists its new topics, which takes a moment."""
    names, deadline = [settings.topic(name) for name in cards], time.monotonic() + APPEAR
    shown = await admin.describe_topics(names)
    while not all(topic["partitions"] for topic in shown) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        shown = await admin.describe_topics(names)
    problems = await differences(admin, settings, cards)
    deadline = time.monotonic() + SETTLE
    while problems and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        problems = await differences(admin, settings, cards)
    return problems


async def differences(admin: AIOKafkaAdminClient, settings: Settings, cards: Mapping[str, topics.Topic]) -> list[Rejected]:
    """Return the differences between the broker's topics and the cards."""
    names = [settings.topic(name) for name in cards]
    counts = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(names)}
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    configs = {r[3]: {entry[0]: entry[1] for entry in r[4]} for response in responses for r in response.resources}
    problems = []
    for name, card in cards.items():
        topic = settings.topic(name)
        if counts[topic] != card.partitions:
            hint = f"it has {counts[topic]} partitions and must have {card.partitions}: recreate the topic, or cases lose their order"
            problems.append(Rejected("topic", topic, hint))
        problems += [
            Rejected(
                "topic", f"{topic} {setting}", f"is {configs[topic].get(setting)}, must be {value}: set it with kafka-configs.sh --alter"
            )
            for setting, value in card.config.items()
            if configs[topic].get(setting) != value
        ]
    return problems


async def halt(reader: AIOKafkaConsumer) -> None:
    """Stop a consumer, or else close its connections. It never raises but for the caller's own cancellation.

    aiokafka lets the cancellation of its own fetch, and of a connection that a first attempt was waiting for, escape from both.
    """
    lines = [line._writer.transport for line in reader._client._conns.values() if line._writer is not None]
    asyncio.get_running_loop().call_later(GOODBYE, lambda: [line.abort() for line in lines])
    await _end(reader.stop, reader._client.close)


async def _end(*ends: Callable[[], Awaitable[object]]) -> None:
    """Try one way to end a client after the other, each for HALT, until one works.

    It never raises but for the caller's own cancellation.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0  # a cancellation that goes on when we return
    for end in ends:
        try:
            async with asyncio.timeout(HALT):
                await end()
            break
        except (Exception, asyncio.CancelledError):
            if task is not None and task.cancelling() > before:
                raise  # the caller's own cancellation
