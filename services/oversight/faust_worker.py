"""Run the Faust worker: it reads the case topics from where the stored progress ends, and passes the records on in batches.

It keeps no table: a Faust table has a changelog topic, which would hold small counts in clear. It commits no position: what was counted
and how far is stored together (services/oversight/progress.py). The periods are calendar months, which Faust's windows (of fixed length)
cannot be.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import faust
from aiokafka import TopicPartition
from faust.types.tuples import Message
from mode.supervisors import CrashingSupervisor

from referral.runtime import tls
from referral.runtime.kafka import clients, fetched
from referral.runtime.loop.units import Place
from referral.runtime.settings import Settings
from referral.wire.topics import PARTITIONS
from services.oversight.scheduler import ReleaseScheduler

TOPICS = ("referral-intake", "referral-routing", "referral-notification")
BATCH = 1000
"""Records that are opened together, with one query for their keys."""
FETCH = 128 * 1024
"""Bytes per partition and fetch: during catch-up it holds one fetch of each of 36 partitions. A larger record still arrives, alone
(KIP-74)."""
EVERY = 0.2
"""Seconds until a smaller batch is taken too."""
LOOK = 2.0
"""Seconds between two checks whether a period is closed."""


def worker(settings: Settings, scheduler: ReleaseScheduler) -> faust.App:
    """Return the Faust app, not started.

    scheduler: takes the records, in order per partition, never concurrently, and looks every LOOK seconds. An exception of either ends the
    app: an agent that went on after an error would have lost the record (decision 0017).
    """
    fetched.protect()
    app = faust.App(
        group(settings),
        broker=[f"kafka://{address}" for address in settings.kafka.split(",")],
        broker_credentials=faust.SSLCredentials(tls.client(settings.identity())),
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / f"referral-oversight-{os.getuid()}",  # by default it is created in the working directory
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
    turn, come = asyncio.Lock(), asyncio.Event()

    async def take_some() -> None:
        """Take one batch. Only one call at a time."""
        async with turn:
            if batch := waiting[:BATCH]:
                await scheduler.take(batch)
                del waiting[: len(batch)]

    async def count(stream: faust.Stream[bytes]) -> None:
        async for event in stream.noack().events():
            waiting.append(event.message)
            come.set()
            if len(waiting) >= BATCH:
                await take_some()

    app.agent(
        app.topic(*map(settings.topic, TOPICS), value_type=bytes, value_serializer="raw", key_serializer="raw", acks=False),
        name="count",
        concurrency=1,
        supervisor_strategy=CrashingSupervisor,
    )(count)

    async def take_rest() -> None:
        """Take what has made no batch, for ever."""
        while True:
            await come.wait()
            come.clear()
            await asyncio.sleep(EVERY)
            while waiting:
                await take_some()

    app.task(take_rest)
    app.timer(interval=LOOK)(scheduler.look)
    return app


def group(settings: Settings) -> str:
    """Return the name of the consumer group: a new one at each start."""
    return f"oversight-{settings.instance}"


async def begin(settings: Settings, done: Mapping[Place, int]) -> None:
    """Set where the group begins to read, before it has members. Faust offers no other way to say it.

    Where it begins is a saving of time and nothing else: the scheduler takes each offset once, and notices a record that is missing.
    """
    consumer = clients.consumer(settings, group_id=group(settings))
    await consumer.start()
    try:
        places = {TopicPartition(settings.topic(topic), n): done.get((topic, n), 0) for topic in TOPICS for n in range(PARTITIONS)}
        consumer.assign(list(places))
        await consumer.commit(places)
    finally:
        await clients.halt(consumer)


async def run(worker: faust.App, ended: asyncio.Event) -> None:
    """Run the app until it is ended. Raises the exception of its agent or of one of its timers."""
    worker.in_worker = True  # set by faust.Worker, which we avoid: it takes over signals, logs and standard output
    await worker.start()
    await worker.wait_first(ended)
    reason = worker.crash_reason
    await worker.stop()
    if reason is not None:
        raise reason
