"""Copy the wrapped case keys to the compacted topic referral-keys, so that a restored older database can read newer cases.

A key is on the topic before the first event of its case is committed. An erasure writes a null under the case's id, and compaction
then removes the key from the broker's disks. A copy that was read before is useless without the master key, which is in neither place.
A broker never compacts the segment that it writes to, and begins a new one only at a write: hence `roll`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaProducer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import CaseKey
from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.kafka import clients, scan
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.kafka.publish import send
from referral.runtime.keys.case_keys import WRAPPED, Keys, erase
from referral.runtime.settings import Settings
from referral.wire import codec

ROLL = b"roll"
"""Key of the null that makes the broker begin a new segment; no case has it."""
_RESTORE = text(
    "INSERT INTO keys.case_key SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:wrapped AS bytea[])) ON CONFLICT (case_id) DO NOTHING"
)


async def publish(tx: AsyncConnection, producer: AIOKafkaProducer, settings: Settings, new: Iterable[str]) -> None:
    """Publish the keys of new cases and wait for the broker. new: their case ids. KafkaError: the caller must not commit."""
    rows = {row.case_id: codec.encode(CaseKey(wrapped=row.wrapped)) for row in await tx.execute(WRAPPED, {"ids": list(new)})}
    await _publish(producer, settings, {case_id.encode(): value for case_id, value in rows.items()})


async def publish_tombstones(producer: AIOKafkaProducer, settings: Settings, erased: Iterable[str]) -> None:
    """Publish nulls for cases whose erasure is logged, and wait. KafkaError: the caller must repeat before it destroys the key's row."""
    await _publish(producer, settings, {case_id.encode(): None for case_id in erased})


async def roll(producer: AIOKafkaProducer, settings: Settings) -> None:
    """Begin a new segment; called every hour, so that an erased key is gone after three hours even without a new case. KafkaError."""
    await _publish(producer, settings, {ROLL: None})


async def _publish(producer: AIOKafkaProducer, settings: Settings, values: Mapping[bytes, bytes | None]) -> None:
    if values:
        await send(producer, settings.topic(CaseKey.TOPIC), 0, [(key, value, []) for key, value in values.items()])


async def read(settings: Settings, master: Keys | None = None) -> dict[str, bytes]:
    """Return the keys on the topic: case id → wrapped key. Log and skip invalid records, and with master, keys that it does not open."""
    wrapped: dict[str, bytes] = {}
    async for _, record in scan.whole(settings, [CaseKey.TOPIC]):
        try:
            _take(record, wrapped, master)
        except (Malformed, UnicodeDecodeError) as error:
            reason = error.reason if isinstance(error, Malformed) else "key"
            observe.log().error("key passed over", topic=CaseKey.TOPIC, offset=record.offset, reason=reason)
    return wrapped


def _take(record: ConsumerRecord, wrapped: dict[str, bytes], master: Keys | None) -> None:
    """Apply one record of the topic. Malformed, UnicodeDecodeError: it is no record of ours."""
    if isinstance(record, Undecodable):
        raise Malformed(record.reason)
    case_id = (record.key or b"").decode()
    if record.value is None:
        wrapped.pop(case_id, None)
        return
    body = codec.decode(CaseKey.TYPE, codec.fingerprint(CaseKey.TYPE), record.value)
    assert isinstance(body, CaseKey)
    if master is not None and not master.opens(case_id, body.wrapped):
        raise Malformed("seal")
    wrapped[case_id] = body.wrapped


async def restore(tx: AsyncConnection, settings: Settings, erased: set[str], master: Keys | None = None) -> int:
    """Restore keys that the database lacks. Return the number of keys of living cases on the topic.

    erased: erased cases. Their keys are destroyed again, in the database and on the topic: the restored copy may be older than the erasure,
    and a process that was stopped during it and resumed later may have left a key on the topic.
    """
    on_topic = await read(settings, master)
    wanted = {case_id: wrapped for case_id, wrapped in on_topic.items() if case_id not in erased}
    await erase(tx, erased)
    await tx.execute(_RESTORE, {"ids": list(wanted), "wrapped": list(wanted.values())})
    if on_topic.keys() & erased:
        async with clients.producer(settings) as producer:
            await publish_tombstones(producer, settings, on_topic.keys() & erased)
    return len(wanted)
