"""Ask a broker for each operation on each topic, as somebody: it allows or refuses, and nothing that it holds changes.

A probe is one request of the protocol itself, so that no client library stands between the question and the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import AlterConfigsRequest_v1, CreatePartitionsRequest_v1, DeleteTopicsRequest
from aiokafka.protocol.api import Request
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings

LIMIT_MS = 10_000
REFUSED = {"TopicAuthorizationFailedError", "ClusterAuthorizationFailedError", "TransactionalIdAuthorizationFailed"}
HIDDEN = "UnknownTopicOrPartitionError"
"""What a broker says of deleting a topic to somebody who may not even know that it exists."""


class Operation(StrEnum):
    """What is asked for, on one topic."""

    FETCH = "fetch"
    WRITE = "write"
    DESCRIBE = "describe"
    OFFSETS = "offsets"
    DELETE = "delete"
    ALTER = "alter"
    GROW = "grow"
    TRANSACTION = "transaction"


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[AIOKafkaClient]:
    """Connect as whoever the settings' identity names."""
    client = AIOKafkaClient(**clients.reached(settings))
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


async def allowed(client: AIOKafkaClient, operation: Operation, topic: str) -> bool:
    """Return whether the broker allows it. AssertionError: it answers something else."""
    request, codes = PROBES[operation]
    answer = await client.send(client.get_random_node(), request(topic))
    said = {for_code(code).__name__ for code in codes(answer)} - {"NoError"}
    unknown = said - REFUSED - ({HIDDEN} if operation in (Operation.DELETE, Operation.GROW) else set())
    assert not unknown, f"{operation} of {topic}: {unknown}"
    return not said


class _Raw(Request[AlterConfigsRequest_v1]):  # type: ignore[misc]
    API_KEY = AlterConfigsRequest_v1.API_KEY

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[AlterConfigsRequest_v1]) -> AlterConfigsRequest_v1:
        return request_struct_class([(2, self._topic, [("retention.ms", "1")])], True)  # True: look only


class _Grow(Request[CreatePartitionsRequest_v1]):  # type: ignore[misc]
    API_KEY = CreatePartitionsRequest_v1.API_KEY

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[CreatePartitionsRequest_v1]) -> CreatePartitionsRequest_v1:
        return request_struct_class([(self._topic, (99, None))], LIMIT_MS, True)


def _batch() -> bytes:
    batch = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 16_384)
    batch.append(0, 0, b"probe", b"probe", [])
    return bytes(batch.build())


def _partitions(answer: Any) -> list[int]:
    return [code for _, parts in answer.topics for _, code, *_ in parts]


PROBES: Mapping[Operation, tuple[Callable[[str], Any], Callable[[Any], list[int]]]] = {
    Operation.FETCH: (lambda topic: FetchRequest(0, 1, 1, 0, [(topic, [(0, 0, 1)])]), _partitions),
    Operation.WRITE: (lambda topic: ProduceRequest(None, -1, LIMIT_MS, [(topic, [(0, _batch())])]), _partitions),
    Operation.DESCRIBE: (lambda topic: MetadataRequest([topic], False), lambda answer: [one[0] for one in answer.topics]),
    Operation.OFFSETS: (lambda topic: OffsetRequest(-1, 0, [(topic, [(0, -1)])]), _partitions),
    Operation.DELETE: (lambda topic: DeleteTopicsRequest([topic], LIMIT_MS), lambda answer: [code for _, code in answer.topic_error_codes]),
    Operation.ALTER: (_Raw, lambda answer: [one[0] for one in answer.resources]),
    Operation.GROW: (_Grow, lambda answer: [one[1] for one in answer.topic_errors]),
    Operation.TRANSACTION: (lambda topic: InitProducerIdRequest(topic, 1000), lambda answer: [answer.error_code]),
}
