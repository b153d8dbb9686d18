"""Fill a line with inputs as intake would write them: case keys, sealed records on `referral-intake`, and tables full of other cases."""

from __future__ import annotations

import time

import asyncpg
from msgspec import structs

from bench.plan import Plan, plan, policy
from referral.local import keyfiles
from referral.local.stack import Stack
from referral.runtime import record_signing
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys as keys
from referral.runtime.loop import outbox
from referral.runtime.loop.outbox import Blob, Record, compose
from referral.runtime.postgres import database
from referral.runtime.record_signing import Sign
from referral.wire import topics
from referral.wire.signed.writer_signature import OWNERS

TOPIC = "referral-intake"
CHUNK = 500  # records of one produced batch; below a broker's 1 MiB
SOME = 5000  # cases of one statement
Sealed = list[tuple[int, Record]]
"""(partition, record), in the order of the plan."""


async def case_keys(made: Stack, ids: list[str]) -> dict[str, bytes]:
    """Create a key for each case, stored as intake stores it."""
    chest = keys.read(made.settings)
    engine = database.admin(made.settings)
    case_key: dict[str, bytes] = {}
    try:
        for start in range(0, len(ids), SOME):
            async with engine.begin() as tx:
                case_key |= await chest.create_all(tx, ids[start : start + SOME])
    finally:
        await engine.dispose()
    return case_key


def seal(planned: Plan, chest: dict[str, bytes], now: int) -> Sealed:
    """Return the records, numbered and sealed by intake's own code."""
    composed, _ = compose(planned.inputs, "intake", TOPIC, now, chest, {}, bytes(32))
    waiting = {partition: iter(records) for partition, records in composed.items()}
    places = [topics.partition(cause.case_id) for cause, _ in planned.inputs]
    return [(place, next(waiting[place])) for place in places]


async def prepare(made: Stack, cases: int, seed: int) -> tuple[Sealed, dict[str, bytes]]:
    """Return the first referrals of so many cases, and the cases' keys."""
    now = time.time_ns() // 1000
    planned = plan(policy(made.settings.policy), cases, now, seed, length=1)
    chest = await case_keys(made, planned.cases)
    return seal(planned, chest, now), chest


def signer(made: Stack, topic: str) -> Sign:
    """Return what signs records as the topic's one writer."""
    service = OWNERS[topic]
    assert made.addresses.writer_keys is not None
    key = keyfiles.writer(made.addresses.writer_keys, service)
    return record_signing.signer(structs.replace(made.settings, writer_key_file=key), service)(topic)


async def produce(made: Stack, sealed: Sealed, topic: str = TOPIC, sign: Sign | None = None) -> None:
    """Publish the records to a topic, in order within each partition. sign: by default as the topic's one writer."""
    by_partition: dict[int, list[Record]] = {}
    for partition, record in sealed:
        by_partition.setdefault(partition, []).append(record)
    async with clients.producer(made.settings) as producer:
        for start in range(0, max(map(len, by_partition.values())), CHUNK):
            blobs = [Blob(p, 0, some) for p, records in by_partition.items() if (some := records[start : start + CHUNK])]
            await outbox.publish(producer, made.settings.topic(topic), blobs, sign or signer(made, topic))


CROWD = (
    "CREATE TEMP TABLE crowd AS SELECT gen_random_uuid()::text AS id FROM generate_series(1, $1::int)",
    "INSERT INTO keys.case_key SELECT crowd.id, k.reader, k.wrapped"
    " FROM crowd, keys.case_key k WHERE k.case_id = (SELECT min(case_id) FROM keys.case_key)",
    "INSERT INTO routing.case_state"
    " SELECT crowd.id, s.state FROM crowd, (SELECT state FROM routing.case_state ORDER BY case_id LIMIT 1) AS s",
    "INSERT INTO routing.seen (topic, case_id, seq, digest) SELECT t, crowd.id, 7, '\\x00112233445566778899aabbccddeeff'"
    " FROM crowd, unnest(ARRAY['referral-intake', 'referral-routing', 'referral-notification']) AS t",
    "INSERT INTO routing.alarm SELECT crowd.id, (random() * 11)::int, 4000000000000000 + (random() * 1e12)::bigint FROM crowd",
    "DROP TABLE crowd",
)
"""Dormant cases: their rows are as large and as many as those of real ones, under ids that are spread over every index."""


async def crowd(connection: asyncpg.Connection[asyncpg.Record], up_to: int) -> None:
    """Fill routing's tables with other cases up to a number of them."""
    missing = up_to - await connection.fetchval("SELECT count(*) FROM routing.case_state")
    if missing > 0:
        for statement in CROWD:
            await connection.execute(statement, *([missing] if "$1" in statement else []))
        await connection.execute("ANALYZE")
        await connection.execute("CHECKPOINT")
