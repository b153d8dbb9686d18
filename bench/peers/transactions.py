"""A loop written by hand on aiokafka's transactions: outputs, a changelog of states and the read offsets in effect exactly once.

States stay open in memory; a start reads them from the changelog. Batches are prebuilt, one for each partition, and uvloop turns the loop.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.peers.work import Standing, Task, Work, task
from referral.runtime.kafka.publish import Sent, send
from referral.wire import topics

AT_ONCE = 1000
"""Records of a transaction, as of a batch of ours."""


async def run(told: Task) -> None:
    """Decide until it is killed."""
    work, standing = Work(told), defaultdict[str, Standing](Standing)
    producer = AIOKafkaProducer(
        **told.aiokafka(), transactional_id=f"{told.name}-{told.part}", acks="all", max_batch_size=900_000, linger_ms=0
    )
    consumer = AIOKafkaConsumer(
        **told.aiokafka(), group_id=told.name, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with producer, consumer:  # the producer first: its start ends what an earlier process left open
        await _restore(told, work, standing)
        parts = [TopicPartition(told.source, number) for number in told.partitions]
        consumer.assign(parts)
        while True:
            fetched = await consumer.getmany(timeout_ms=500, max_records=AT_ONCE)
            if not fetched:
                continue
            records = [(r.partition, r.offset, r.value) for some in fetched.values() for r in some]
            touched = {r.key.decode() for some in fetched.values() for r in some}
            written = work.answer(records, standing)
            states = defaultdict[int, list[Sent]](list)
            for case_id in touched:
                states[topics.partition(case_id)].append((case_id.encode(), work.sealed(case_id, standing[case_id]), []))
            async with producer.transaction():
                outs = dict[int, list[Sent]]()
                for partition, some in written.items():
                    outs[partition] = [(r.key, r.value, r.headers) for r in some]
                await asyncio.gather(
                    *_sends(producer, told.sink, outs.items()), *_sends(producer, f"{told.sink}-changelog", states.items())
                )
                read = {place: some[-1].offset + 1 for place, some in fetched.items()}
                await producer.send_offsets_to_transaction(read, told.name)


def _sends(producer: AIOKafkaProducer, topic: str, parted: Iterable[tuple[int, list[Sent]]]) -> list[asyncio.Task[object]]:
    return [asyncio.ensure_future(send(producer, topic, partition, records)) for partition, records in parted]


async def _restore(told: Task, work: Work, standing: dict[str, Standing]) -> None:
    """Read the states of this process from the changelog."""
    stored = dict[str, bytes]()
    async with AIOKafkaConsumer(
        f"{told.sink}-changelog",
        **told.aiokafka(),
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    ) as reader:
        ends = await reader.end_offsets(list(reader.assignment()))
        while any([await reader.position(part) < end for part, end in ends.items()]):
            for part, records in (await reader.getmany(timeout_ms=100, max_records=5000)).items():
                if part.partition in told.partitions:
                    stored.update((record.key.decode(), record.value) for record in records)
    standing.update((case_id, work.opened(case_id, state)) for case_id, state in stored.items())


if __name__ == "__main__":
    uvloop.run(run(task()))
