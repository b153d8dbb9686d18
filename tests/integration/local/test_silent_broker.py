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


def of_the_image(place: Path) -> Path:
    """Return a folder with the commands that a broker's image has, and no other: without sed every broker counted as silent."""
    commands = place / "bin"
    commands.mkdir(exist_ok=True)
    packages = [name for name in (CHECKOUT / "deploy/image/packages/java").read_text().splitlines() if not name.startswith("#")]
    listed = subprocess.run(["dpkg", "--listfiles", *packages], stdout=subprocess.PIPE, check=False, text=True).stdout
    for path in map(Path, listed.splitlines()):
        if path.parent.name == "bin" and path.exists() and not (commands / path.name).exists():
            (commands / path.name).symlink_to(path)
    return commands


def asked(folder: Path, commands: Path) -> int:
    """Ask as a container does, and return the exit code."""
    script = [str(commands / "sh"), str(CHECKOUT / "deploy/image/asked.sh"), str(folder / "server.properties")]
    return subprocess.run(script, env={"PATH": str(commands)}, check=False).returncode


async def test_a_broker_that_answers_nobody_is_started_again(folder: Path, identities: Path, tmp_path: Path) -> None:
    broker = Kafka(folder, identities / "kafka", silent=3.0)
    with ThreadPoolExecutor(2) as pool:
        process = Process("kafka", broker, pool)
        try:
            await process.start()
            first = process.pid
            assert first is not None
            assert await asyncio.to_thread(asked, folder, of_the_image(tmp_path)) == 0, "the question of a container's health"
            os.kill(first, signal.SIGSTOP)  # not by its supervisor, which would expect it
            assert await asyncio.to_thread(asked, folder, of_the_image(tmp_path)) != 0
            await until(lambda: process.restarts == 1 and process.pid not in (None, first), what="it is started again")
            await asyncio.wait_for(process.ready(), 60)
            assert broker.answers() and broker.answers(), "one connection carries many questions"
        finally:
            await process.stop()
