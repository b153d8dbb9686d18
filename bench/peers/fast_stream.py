"""FastStream: batches, at least once, states in memory alone: a start forgets them.

It takes headers for text, so the writer's mark, which is bytes, is not written, and the peers' copy of the input has none.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from faststream.security import BaseSecurity

from bench.peers.work import Standing, Task, Work, task
from referral.runtime import tls

AT_ONCE = 1000
"""Records of a batch, as of one of ours."""


async def run(told: Task) -> None:
    """Decide until it is killed."""
    work, standing = Work(told), defaultdict[str, Standing](Standing)
    security = BaseSecurity(ssl_context=tls.client(Path(told.identity)), use_ssl=True)
    broker = KafkaBroker(told.kafka, security=security, acks="all", enable_idempotence=True)

    async def answer(message: KafkaMessage) -> None:
        raw: Any = message.raw_message
        records = raw if isinstance(raw, tuple) else (raw,)
        written = work.answer(((r.partition, r.offset, r.value) for r in records), standing)
        sent = [
            await broker.publish(
                record.value,
                told.sink,
                key=record.key,
                partition=partition,
                headers={name: value.decode() for name, value in record.headers if value.isascii()},
                no_confirm=True,
            )
            for partition, some in written.items()
            for record in some
        ]
        await asyncio.gather(*sent)

    subscribed = broker.subscriber(
        told.source, group_id=told.name, auto_offset_reset="earliest", batch=True, max_records=AT_ONCE, batch_timeout_ms=500
    )
    subscribed(answer)
    await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(run(task()))
