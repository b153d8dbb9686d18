"""Faust: an agent with a table, at least once, states in RocksDB's stead in memory with a changelog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faust

from bench.peers.work import Standing, Task, Work, task
from referral.runtime import tls
from referral.wire import topics


class One(dict[str, Standing]):
    """The standing of one case, from the table."""

    def __init__(self, work: Work, table: Any) -> None:
        super().__init__()
        self._work, self._table = work, table

    def __missing__(self, case_id: str) -> Standing:
        stored = self._table.get(case_id.encode())
        return Standing() if stored is None else self._work.opened(case_id, stored)


def run(told: Task) -> None:
    """Decide until it is killed."""
    work = Work(told)
    app = faust.App(
        told.name,
        broker=f"kafka://{told.kafka}",
        broker_credentials=faust.SSLCredentials(context=tls.client(Path(told.identity))),
        datadir=Path(told.folder),
        topic_partitions=topics.PARTITIONS,
        producer_acks=-1,
        broker_commit_interval=told.commit_s,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
    )
    raw = {"key_serializer": "raw", "value_serializer": "raw", "value_type": bytes}
    source = app.topic(told.source, key_type=bytes, **raw)
    sink = app.topic(told.sink, key_type=bytes, **raw)
    table = app.Table("standing", partitions=topics.PARTITIONS, key_type=bytes, value_type=bytes)

    async def answer(stream: Any) -> None:
        async for event in stream.events():
            case_id = event.key.decode()
            one = One(work, table)
            written = work.answer([(event.message.partition, event.message.offset, event.value)], one)
            table[event.key] = work.sealed(case_id, one[case_id])
            for partition, some in written.items():
                for record in some:
                    await sink.send(key=record.key, value=record.value, headers=record.headers, partition=partition)

    app.agent(source)(answer)
    app.finalize()
    faust.Worker(app, loglevel="INFO").execute_from_commandline()


if __name__ == "__main__":
    run(task())
