"""Copy the wrapped case keys to the compacted topic referral-keys, so that a restored older database can read newer cases.

A record's key is case/reader, its value the case's keys wrapped for that reader. They are on the topic before the first event of the case
is committed. An erasure writes a null under each key of the case, and compaction then removes the values from the broker's disks. A copy
that was read before is useless without a service's key, which is in neither place.
A broker never compacts the segment that it writes to, and begins a new one only at a write: hence `roll`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from aiokafka import AIOKafkaProducer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import CaseKey
from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.kafka import clients, scan
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.kafka.publish import send
from referral.runtime.keys.case_keys import KEY, Keys, erase, with_file
from referral.runtime.keys.service_keys import ALL, readers
from referral.runtime.postgres import bulk
from referral.runtime.settings import Settings
from referral.wire import codec

ROLL = b"roll"
"""Key of the null that makes the broker begin a new segment; no case has it."""
_FORMS = text("SELECT case_id, reader, wrapped FROM keys.forms(CAST(:ids AS text[]))")
_THERE = text("SELECT DISTINCT case_id FROM keys.case_key WHERE case_id = ANY(CAST(:ids AS text[]))")


def name(case_id: str, reader: str) -> bytes:
    """Return the key of a record; of before decision 0047, the case alone."""
    return (case_id if reader == ALL else f"{case_id}/{reader}").encode()


async def publish(tx: AsyncConnection, producer: AIOKafkaProducer, settings: Settings, new: Iterable[str]) -> None:
    """Publish every form of the keys of new cases and wait for the broker. new: their case ids. KafkaError: the caller must not commit."""
    rows = (await tx.execute(_FORMS, {"ids": list(new)})).all()
    values = {name(case, reader): codec.encode(CaseKey(wrapped=wrapped)) for case, reader, wrapped in rows if reader != ALL}
    await _publish(producer, settings, values)


async def publish_tombstones(producer: AIOKafkaProducer, settings: Settings, erased: Iterable[str]) -> None:
    """Publish nulls for cases whose erasure is logged, and wait. KafkaError: the caller must repeat before it destroys the key's rows."""
    await _publish(producer, settings, {name(case_id, reader): None for case_id in erased for reader in (*readers(), ALL)})


async def withdraw(producer: AIOKafkaProducer, settings: Settings, moved: Iterable[str]) -> None:
    """Publish nulls for the forms of before decision 0047, and wait. KafkaError: the caller must repeat."""
    await _publish(producer, settings, {name(case_id, ALL): None for case_id in moved})


async def roll(producer: AIOKafkaProducer, settings: Settings) -> None:
    """Begin a new segment; called every hour, so that an erased key is gone after three hours even without a new case. KafkaError."""
    await _publish(producer, settings, {ROLL: None})


async def _publish(producer: AIOKafkaProducer, settings: Settings, values: Mapping[bytes, bytes | None]) -> None:
    if values:
        await send(producer, settings.topic(CaseKey.TOPIC), 0, [(key, value, []) for key, value in values.items()])


async def read(
    settings: Settings, keys: Keys | None = None, cases: Container[str] | None = None, start: Mapping[scan.Place, int] | None = None
) -> dict[str, dict[str, bytes]]:
    """Return the keys on the topic: case id → reader → wrapped. Log and skip invalid records, and with keys, forms of theirs that do not
    open.

    cases: which are wanted; by default all, which memory must hold. start: offset to begin at, by partition.
    """
    wrapped: dict[str, dict[str, bytes]] = {}
    async for _, record in scan.whole(settings, [CaseKey.TOPIC], start):
        try:
            _take(record, wrapped, keys, cases)
        except (Malformed, UnicodeDecodeError) as error:
            reason = error.reason if isinstance(error, Malformed) else "key"
            observe.log().error("key passed over", topic=CaseKey.TOPIC, offset=record.offset, reason=reason)
    return wrapped


def _take(record: ConsumerRecord, wrapped: dict[str, dict[str, bytes]], keys: Keys | None, cases: Container[str] | None = None) -> None:
    """Apply one record of the topic. Malformed, UnicodeDecodeError: it is no record of ours."""
    if isinstance(record, Undecodable):
        raise Malformed(record.reason)
    case_id, _, reader = (record.key or b"").decode().partition("/")
    reader = reader or ALL
    if cases is not None and case_id not in cases:
        return
    if record.value is None:
        forms = wrapped.get(case_id, {})
        forms.pop(reader, None)
        if not forms:
            wrapped.pop(case_id, None)
        return
    body = codec.decode(CaseKey.TYPE, codec.fingerprint(CaseKey.TYPE), record.value)
    assert isinstance(body, CaseKey)
    if keys is not None and keys.judges(reader) and not keys.opens(case_id, reader, body.wrapped):
        raise Malformed("seal")
    wrapped.setdefault(case_id, {})[reader] = body.wrapped


async def restore(tx: AsyncConnection, settings: Settings, erased: set[str], keys: Keys) -> int:
    """Restore keys that the database lacks, wrapped anew for every reader. Return the number of keys of living cases on the topic.

    erased: erased cases. Their keys are destroyed again, in the database and on the topic: the restored copy may be older than the erasure,
    and a process that was stopped during it and resumed later may have left a key on the topic.
    keys: the operator's.
    """
    on_topic = await read(settings, keys)
    wanted = keys.unwrap({case_id: forms for case_id, forms in on_topic.items() if case_id not in erased})
    await erase(tx, erased)
    there = set((await tx.execute(_THERE, {"ids": list(wanted)})).scalars())
    await bulk.write(tx, {KEY: keys.rows({case_id: with_file(key) for case_id, key in wanted.items() if case_id not in there})})
    if on_topic.keys() & erased:
        async with clients.producer(settings) as producer:
            await publish_tombstones(producer, settings, on_topic.keys() & erased)
    return len(wanted)
