"""Read the topic cards of `schemas/avro/topics.yaml`, and compute the partition of a case."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from struct import iter_unpack
from typing import Any

from msgspec import DecodeError, Struct, ValidationError, convert, yaml

# This number never changes: another one would move every case to another partition and break its order.
PARTITIONS = 12
INGRESS = "ingress."
AGENCY = "<agency>"
"""The writer of an agency's own topic, in its card's name and in `writers`."""


class TopicError(Exception):
    """A card in topics.yaml breaks a rule. The message names topic and field."""


class Topic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contract card. The card of ingress.<agency> is a pattern for all agencies.

    writers, readers: the services that may write and read the topic; the writer of `ingress.<agency>` is AGENCY, that agency.
    ends: services that may see how long the topic is, and no record of it.
    before: services that write it in the release before this one, and in this one no more.
    bodies_of: the topic whose schemas travel here too; empty: it has its own.
    blind: services that read the topic and have no key of what is sealed there.
    config: topic settings exactly as the broker must have them.
    """

    writers: tuple[str, ...]
    readers: tuple[str, ...]
    ends: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    bodies_of: str = ""
    key: str
    sealed: bool
    partitions: int
    config: dict[str, str]
    holds: str


def load(path: Path) -> dict[str, Topic]:
    """Read the cards by topic name. TopicError: a card lacks a field or has an unknown one."""
    try:
        document: Any = yaml.decode(path.read_bytes())
    except DecodeError as error:
        raise TopicError(f"{path.name}: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("topics"), dict):
        raise TopicError(f"{path.name}: it holds `topics`, a card for each name")
    cards: dict[str, Topic] = {}
    for name, card in document["topics"].items():
        try:
            cards[name] = convert(card, Topic)
        except ValidationError as error:
            raise TopicError(f"{path.name}: {name}: {error}") from None
        if cards[name].key == "case_id" and cards[name].partitions != PARTITIONS:
            raise TopicError(f"{path.name}: {name}: a case topic has {PARTITIONS} partitions")
    return cards


def ingress(cards: Mapping[str, Topic], agency: str) -> tuple[str, Topic]:
    """Return name and card of one agency's own topic."""
    return INGRESS + agency, cards[INGRESS + AGENCY]


@lru_cache(maxsize=16384)  # a case recurs with every event; a hit is fifty times faster
def partition(case_id: str) -> int:
    """Return the partition of a case in every case topic, as Kafka's default partitioner chooses it."""
    return (murmur2(case_id.encode()) & 0x7FFFFFFF) % PARTITIONS


def murmur2(data: bytes) -> int:
    """Return Kafka's murmur2 (seed 0x9747b28c), unsigned 32 bits: org.apache.kafka.common.utils.Utils.murmur2."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for (k,) in iter_unpack("<I", data[:whole]):
        k = k * m & mask
        h = (h * m & mask) ^ ((k ^ (k >> 24)) * m & mask)
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)
