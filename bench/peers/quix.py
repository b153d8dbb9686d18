"""Quix Streams: exactly once, states in RocksDB with a changelog, one record after another."""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.kafka import ConnectionConfig

from bench.peers.work import Standing, Task, Work, task
from referral.runtime.loop.outbox import Record
from referral.wire import topics

KEPT = "standing"


class One(dict[str, Standing]):
    """The standing of one case, from the store of its key."""

    def __init__(self, work: Work, state: Any) -> None:
        super().__init__()
        self._work, self._state = work, state

    def __missing__(self, case_id: str) -> Standing:
        stored = self._state.get_bytes(KEPT)
        return Standing() if stored is None else self._work.opened(case_id, stored)


def run(told: Task) -> None:
    """Decide until it is killed."""
    work = Work(told)
    reached = {"broker_address": told.kafka, **{name.replace(".", "_"): value for name, value in told.librdkafka().items()}}
    application = Application(
        broker_address=ConnectionConfig(bootstrap_servers=told.kafka, **{k: v for k, v in reached.items() if k != "broker_address"}),
        consumer_group=told.name,
        processing_guarantee="exactly-once",
        commit_interval=told.commit_s,
        auto_offset_reset="earliest",
        state_dir=told.folder,
        loglevel="WARNING",
        producer_extra_config={"partitioner": "murmur2_random"},
    )
    source = application.topic(told.source, key_deserializer="bytes", value_deserializer="bytes")
    sink = application.topic(told.sink, key_serializer="bytes", value_serializer="bytes")

    def answer(value: bytes, key: bytes, timestamp: int, headers: Any, state: Any) -> list[Record]:
        case_id = key.decode()
        one = One(work, state)
        written = work.answer([(topics.partition(case_id), 0, value)], one)
        state.set_bytes(KEPT, work.sealed(case_id, one[case_id]))
        return [record for some in written.values() for record in some]

    frame = application.dataframe(source)
    frame = frame.apply(answer, stateful=True, expand=True, metadata=True)
    frame = frame.set_headers(lambda record, *_: record.headers)
    frame = frame.apply(lambda record: record.value)
    frame.to_topic(sink)
    application.run()


if __name__ == "__main__":
    run(task())
