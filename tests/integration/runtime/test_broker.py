"""A real broker keeps the contract that the one in memory keeps (tests/unit/runtime/test_broker_in_memory.py)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from referral.local.kafka import Kafka
from referral.runtime.settings import Settings
from tests.harness.broker_contract import AwayContract, BrokerContract

pytestmark = [pytest.mark.servers, pytest.mark.kafka]


class TestKafka(BrokerContract):
    pass


class TestKafkaAway(AwayContract):
    line = BrokerContract.line

    @pytest.fixture
    async def own(self, folder: Path, identities: Path) -> AsyncIterator[Kafka]:
        """A broker that no other test needs."""
        broker = Kafka(folder, identities / "kafka")
        try:
            await asyncio.to_thread(broker.start)
            yield broker
        finally:
            await asyncio.to_thread(broker.stop)

    @pytest.fixture
    def settings(self, own: Kafka, identities: Path) -> Settings:
        return Settings(kafka=own.address, database="", instance="test", topic_prefix="t.", tls=identities / "keeper")

    @pytest.fixture
    def silence(self, own: Kafka) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def silent() -> AsyncIterator[None]:
            assert own.child is not None
            own.child.signal(signal.SIGSTOP)
            try:
                yield
            finally:
                own.child.signal(signal.SIGCONT)

        return silent()
