"""Wrapped case keys beside the database: topic referral-keys, compacted. Without them a database that went back could read no newer case.

A key is on the topic before the first event of its case is committed. An erasure leaves a null under the case's id, and compaction
removes the key from the broker's disks; whoever reads it before that still needs the master key, which is neither here nor there.
A broker never compacts the segment that it writes to, and begins a new one only when something is written: hence `roll`.
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
from referral.runtime.keys.case_keys import Keys
from referral.runtime.settings import Settings
from referral.wire import codec

ROLL = b"roll"
"""Key of the null that makes the broker begin a new segment; no case has it."""
_WRAPPED = text("SELECT case_id, wrapped FROM keys.case_key WHERE case_id = ANY(CAST(:ids AS text[]))")
_GONE = text("DELETE FROM keys.case_key WHERE case_id = ANY(CAST(:ids AS text[]))")
_RESTORE = text(
    "INSERT INTO keys.case_key SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:wrapped AS bytea[])) ON CONFLICT (case_id) DO NOTHING"
)


async def keep(tx: AsyncConnection, producer: AIOKafkaProducer, settings: Settings, born: Iterable[str]) -> None:
    """Publish and wait: the keys of cases that begin. KafkaError: nothing may be committed."""
    rows = {row.case_id: codec.encode(CaseKey(wrapped=row.wrapped)) for row in await tx.execute(_WRAPPED, {"ids": list(born)})}
    await _write(producer, settings, {case_id.encode(): value for case_id, value in rows.items()})


async def forget(producer: AIOKafkaProducer, settings: Settings, erased: Iterable[str]) -> None:
    """Publish and wait: nulls for the keys of cases whose erasure is logged. KafkaError: repeat it before the key's row is destroyed."""
    await _write(producer, settings, {case_id.encode(): None for case_id in erased})


async def roll(producer: AIOKafkaProducer, settings: Settings) -> None:
    """Written every hour, so that an erased key is gone after three even when no case begins. KafkaError."""
    await _write(producer, settings, {ROLL: None})


async def _write(producer: AIOKafkaProducer, settings: Settings, wanted: Mapping[bytes, bytes | None]) -> None:
    if wanted:
        await send(producer, settings.topic(CaseKey.TOPIC), 0, [(key, value, []) for key, value in wanted.items()])


async def kept(settings: Settings, master: Keys | None = None) -> dict[str, bytes]:
    """What the topic holds: case id → wrapped key. What is none is passed over aloud; master: so is what does not open under it."""
    found: dict[str, bytes] = {}
    async for _, record in scan.whole(settings, [CaseKey.TOPIC]):
        try:
            _take(record, found, master)
        except (Malformed, UnicodeDecodeError) as error:
            reason = error.reason if isinstance(error, Malformed) else "key"
            observe.log().error("key passed over", topic=CaseKey.TOPIC, offset=record.offset, reason=reason)
    return found


def _take(record: ConsumerRecord, found: dict[str, bytes], master: Keys | None) -> None:
    """Malformed, UnicodeDecodeError: nothing of ours."""
    if isinstance(record, Undecodable):
        raise Malformed(record.reason)
    case_id = (record.key or b"").decode()
    if record.value is None:
        found.pop(case_id, None)
        return
    body = codec.decode(CaseKey.TYPE, codec.fingerprint(CaseKey.TYPE), record.value)
    assert isinstance(body, CaseKey)
    if master is not None and not master.opens(case_id, body.wrapped):
        raise Malformed("seal")
    found[case_id] = body.wrapped


async def restore(tx: AsyncConnection, settings: Settings, erased: set[str], master: Keys | None = None) -> int:
    """Put back keys that the database does not have; how many are on the topic.

    The key of an erased case is destroyed again, here and there: the copy may be older than the erasure, and a process that was stopped
    in the middle and woke after it may have left one on the topic.
    """
    found = await kept(settings, master)
    wanted = {case_id: wrapped for case_id, wrapped in found.items() if case_id not in erased}
    await tx.execute(_GONE, {"ids": list(erased)})
    await tx.execute(_RESTORE, {"ids": list(wanted), "wrapped": list(wanted.values())})
    if found.keys() & erased:
        async with clients.producer(settings) as producer:
            await forget(producer, settings, found.keys() & erased)
    return len(wanted)
