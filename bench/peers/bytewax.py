"""Bytewax: a data flow of one worker, at least once, states in SQLite by a snapshot each second."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from bench.peers.work import Standing, Task, Work, task
from referral.wire import topics

AT_ONCE = 1000 // topics.PARTITIONS
"""Records of a partition that it takes at once: together as many as a batch of ours has. With more it would write in bursts, whose stamps
say little about its pace."""


class Logic(op.StatefulLogic):  # type: ignore[misc]
    """One case: open in memory, sealed in a snapshot."""

    def __init__(self, work: Work, stored: tuple[str, bytes] | None) -> None:
        self._work, self._standing = work, dict[str, Standing]()
        if stored:
            self._standing[stored[0]] = work.opened(*stored)

    def on_item(self, message: Any) -> tuple[Iterable[Any], bool]:
        case_id = message.key.decode()
        self._standing.setdefault(case_id, Standing())
        written = self._work.answer([(message.partition, message.offset, message.value)], self._standing)
        records = (record for some in written.values() for record in some)
        return [KafkaSinkMessage(r.key, r.value, headers=r.headers) for r in records], op.StatefulLogic.RETAIN

    def snapshot(self) -> tuple[str, bytes]:
        ((case_id, at),) = self._standing.items()
        return case_id, self._work.sealed(case_id, at)


def flow(told: Task) -> Dataflow:
    """Return the flow from source to sink."""
    work, servers, made = Work(told), [told.kafka], Dataflow("routing")
    read = op.input("read", made, KafkaSource(servers, [told.source], add_config=told.librdkafka(), batch_size=AT_ONCE))
    keyed = op.key_on("key", read, lambda message: message.key.decode())
    answered = op.stateful("answer", keyed, lambda stored: Logic(work, stored))
    op.output(
        "write",
        op.key_rm("plain", answered),
        KafkaSink(servers, told.sink, add_config={**told.librdkafka(), "partitioner": "murmur2_random", "acks": "all"}),
    )
    return made


def run(told: Task) -> None:
    """Decide until it is killed."""
    folder = Path(told.folder)
    if not folder.exists():
        folder.mkdir()
        init_db_dir(folder, 1)
    cli_main(flow(told), epoch_interval=timedelta(seconds=told.commit_s), recovery_config=RecoveryConfig(str(folder)))


if __name__ == "__main__":
    run(task())
