"""A broker that runs and answers nobody is noticed by a produce that gets no answer, and is started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from referral.local.kafka import Kafka
from referral.local.supervisor import Process
from referral.runtime.settings import CHECKOUT
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


async def test_a_broker_that_answers_nobody_is_started_again(folder: Path, identities: Path) -> None:
    broker = Kafka(folder, identities / "kafka", silent=3.0)
    with ThreadPoolExecutor(2) as pool:
        process = Process("kafka", broker, pool)
        try:
            await process.start()
            first, asked = process.pid, ["sh", str(CHECKOUT / "deploy/image/asked.sh"), str(folder / "server.properties")]
            assert first is not None
            assert (await asyncio.to_thread(subprocess.run, asked, check=False)).returncode == 0, "the question of a container's health"
            os.kill(first, signal.SIGSTOP)  # not by its supervisor, which would expect it
            assert (await asyncio.to_thread(subprocess.run, asked, check=False)).returncode != 0
            await until(lambda: process.restarts == 1 and process.pid not in (None, first), what="it is started again")
            await asyncio.wait_for(process.ready(), 60)
            assert broker.answers() and broker.answers(), "one connection carries many questions"
        finally:
            await process.stop()
