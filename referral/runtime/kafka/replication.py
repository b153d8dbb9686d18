"""Compare how often the broker's machines hold each topic with what a lost machine must not cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec import Struct

COPIES = 3
"""Copies of each record (standard practice of Kafka): one machine may die while another is being replaced."""
IN_STEP = 2
"""Copies that must have a record before it counts as written: with COPIES, one machine may be away and nothing is lost or stands still."""
LEAST = "min.insync.replicas"


class Replication(Struct, frozen=True, kw_only=True):
    """brokers: how many there are. short: what is wrong with a topic although there are brokers enough, a sentence each."""

    brokers: int = COPIES
    short: tuple[str, ...] = ()


def copies(brokers: int) -> int:
    """Return how many copies a topic gets."""
    return min(COPIES, brokers)


def settings(brokers: int) -> dict[str, str]:
    """Return the topic's setting that says how many copies must have a record. A topic's own can be changed later, a broker's cannot."""
    return {LEAST: str(IN_STEP)} if copies(brokers) == COPIES else {}


async def read(admin: AIOKafkaAdminClient, names: Sequence[str]) -> Replication:
    """Return what the brokers say about these topics. KafkaError: they do not answer."""
    brokers = len((await admin.describe_cluster())["brokers"])
    described = await admin.describe_topics(list(names))
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    least = {r[3]: next((entry[1] for entry in r[4] if entry[0] == LEAST), "1") for response in responses for r in response.resources}
    return Replication(brokers=brokers, short=tuple(said for topic in described for said in short(topic, brokers, least[topic["topic"]])))


def short(topic: dict[str, Any], brokers: int, least: str) -> list[str]:
    """Return what is wrong with one topic, as the broker describes it. least: its min.insync.replicas."""
    name, partitions, wanted = topic["topic"], topic["partitions"], copies(brokers)
    fewest = min((len(one["replicas"]) for one in partitions), default=wanted)
    behind = sum(len(one["isr"]) < len(one["replicas"]) for one in partitions)
    said = []
    if fewest < wanted:
        said.append(f"{name} has {fewest} copies and could have {wanted}: a lost machine is a lost topic")
    elif fewest == COPIES and int(least) < IN_STEP:
        said.append(f"{name} {LEAST} is {least}, must be {IN_STEP}: a record that one machine has is lost with it")
    if behind:
        said.append(f"{name}: {behind} of {len(partitions)} partitions have a copy that is away or behind")
    return said
