"""All of Faust: a worker that reads the case topics from their start, each time it starts, and hands on what it reads in batches.

It keeps no table: a Faust table has a changelog, and small counts in clear would stand in that topic. It commits no position: what it has
counted lives in memory and is rebuilt from the topics. Its windows are calendar months, which Faust's (of fixed length) are not.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import faust
from faust.types.tuples import Message
from mode.supervisors import CrashingSupervisor

from referral.runtime.kafka import fetched
from referral.runtime.settings import Settings
from referral.wire.topics import PARTITIONS

TOPICS = ("referral-intake", "referral-routing", "referral-notification")
BATCH = 1000
"""Records that are opened together, with one question for their keys."""
FETCH = 128 * 1024
"""Bytes per partition and fetch: while it catches up it holds one of each of 36 partitions. A larger record still comes, alone (KIP-74)."""
EVERY = 0.2
"""Seconds until fewer are taken too."""
LOOK = 1.0
"""Seconds between two looks whether a period is closed."""

Take = Callable[[list[Message]], Awaitable[None]]
Look = Callable[[], Awaitable[None]]


def worker(settings: Settings, take: Take, look: Look) -> faust.App:
    """The app, not started. take: is given the records, in order per partition, never twice at once. look: called now and then.

    Whatever either raises ends the app: an agent that goes on after an error would have lost the record (0017).
    """
    fetched.protect()
    app = faust.App(
        f"oversight-{settings.instance}",  # a group of its own at each start: nothing is committed, everything is read
        broker=[f"kafka://{address}" for address in settings.kafka.split(",")],
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / f"referral-oversight-{os.getuid()}",  # else it makes empty ones where it runs
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=PARTITIONS,
        consumer_auto_offset_reset="earliest",
        broker_check_crcs=True,
        consumer_max_fetch_size=FETCH,
        stream_wait_empty=False,
        loghandlers=[],
    )
    waiting: list[Message] = []
    turn = asyncio.Lock()

    async def take_some() -> None:
        """One batch: taken again and again, each would hold what has come during the one before, which is a record or two."""
        async with turn:
            if batch := waiting[:BATCH]:
                await take(batch)
                del waiting[: len(batch)]

    async def count(stream: faust.Stream[bytes]) -> None:
        async for event in stream.noack().events():
            waiting.append(event.message)
            if len(waiting) >= BATCH:
                await take_some()

    app.agent(
        app.topic(*map(settings.topic, TOPICS), value_type=bytes, value_serializer="raw", key_serializer="raw", acks=False),
        name="count",
        concurrency=1,
        supervisor_strategy=CrashingSupervisor,
    )(count)
    app.timer(interval=EVERY)(take_some)
    app.timer(interval=LOOK)(look)
    return app


async def run(worker: faust.App, ended: asyncio.Event) -> None:
    """Until it is ended. Raises what its agent or one of its timers raised."""
    worker.in_worker = True  # what faust.Worker says of it, which would take signals, logs and standard output for itself
    await worker.start()
    await worker.wait_first(ended)
    reason = worker.crash_reason
    await worker.stop()
    if reason is not None:
        raise reason
