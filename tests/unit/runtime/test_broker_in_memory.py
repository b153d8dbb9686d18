"""The broker in memory keeps the contract of a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiokafka.errors import CorruptRecordException, KafkaConnectionError

from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.runtime.testing.broker import Broker
from referral.runtime.testing.clients import in_place_of_kafka
from tests.harness.broker_contract import AwayContract, BrokerContract, Line

ADDRESS = "memory"


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    with in_place_of_kafka(made, ADDRESS):
        yield made


@pytest.fixture
def settings(broker: Broker) -> Settings:
    return Settings(kafka=ADDRESS, database="", instance="test", topic_prefix="t.")


class TestInMemory(BrokerContract, AwayContract):
    @pytest.fixture
    def silence(self, broker: Broker) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def silent() -> AsyncIterator[None]:
            with broker.absent():
                yield

        return silent()

    async def test_nobody_connects_to_a_broker_that_is_away(self, broker: Broker, line: Line) -> None:
        with broker.absent(), pytest.raises(KafkaConnectionError):
            await line.consumer()

    async def test_a_batch_whose_checksum_is_wrong_is_refused(self, broker: Broker, line: Line) -> None:
        batch = (await line.producer()).create_batch()
        batch.append(key=None, value=b"x", timestamp=None, headers=[])
        with pytest.raises(CorruptRecordException):
            broker.append(line.first, bytes(batch._build())[:-1] + b"!")

    async def test_the_broker_s_time_is_an_argument(self) -> None:
        broker, at = Broker(lambda: 1_700_000_000_123), Settings(kafka="dated", database="", instance="test")
        broker.create("topic", 1, {"message.timestamp.type": "LogAppendTime"})
        with in_place_of_kafka(broker, "dated"):
            async with clients.producer(at) as producer:
                assert (await producer.send_and_wait("topic", b"x", partition=0)).timestamp == 1_700_000_000_123
