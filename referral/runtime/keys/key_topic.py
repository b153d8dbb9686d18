"""Copy the wrapped case keys to two topics, so that a restored older database can read newer cases.

A record's key is case/reader, its value the case's keys wrapped for that reader. Intake publishes them on `referral-new-keys` before the
first event of the case is committed; nothing there can be overwritten, and it forgets after hours. The eraser copies them to the compacted
topic `referral-keys`, which it alone writes. An erasure ends with a null under each key of the case there, and compaction then removes the
values from the broker's disks. A copy that was read before is useless without a service's key, which is in neither place.
A broker never compacts the segment that it writes to, and begins a new one only at a write: hence `roll`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaProducer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import CaseKey
from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.kafka import scan
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.kafka.publish import send
from referral.runtime.keys.case_keys import KEY, Keys, bring_back, with_file
from referral.runtime.keys.service_keys import readers
from referral.runtime.postgres import bulk
from referral.runtime.settings import Settings
from referral.wire import codec

NEW = "referral-new-keys"
"""The topic of the keys of the last hours, as intake made them."""
ROLL = b"roll"
"""Key of the null that makes the broker begin a new segment; no case has it."""
Form = tuple[str, str, bytes]
"""Case, reader, and the case's keys wrapped for it."""
_FORMS = text("SELECT case_id, reader, wrapped FROM keys.forms(CAST(:ids AS text[]))")
_THERE = text("SELECT DISTINCT case_id FROM keys.case_key WHERE case_id = ANY(CAST(:ids AS text[]))")


def name(case_id: str, reader: str) -> bytes:
    """Return the key of a record."""
    return f"{case_id}/{reader}".encode()


async def publish(tx: AsyncConnection, producer: AIOKafkaProducer, settings: Settings, new: Iterable[str]) -> None:
    """Publish every form of the keys of new cases and wait for the broker. new: their case ids. KafkaError: the caller must not commit."""
    await _publish(producer, settings, _values(await forms(tx, new)), NEW)


async def forms(tx: AsyncConnection, ids: Iterable[str]) -> list[Form]:
    """Return every form of the keys of these cases."""
    return [(case, reader, wrapped) for case, reader, wrapped in (await tx.execute(_FORMS, {"ids": list(ids)})).all()]


async def copy(producer: AIOKafkaProducer, settings: Settings, forms: Sequence[Form]) -> None:
    """Copy forms to `referral-keys`, and wait. KafkaError: the caller must repeat."""
    await _publish(producer, settings, _values(forms))


def _values(forms: Iterable[Form]) -> dict[bytes, bytes | None]:
    return {name(case, reader): codec.encode(CaseKey(wrapped=wrapped)) for case, reader, wrapped in forms}


async def publish_tombstones(producer: AIOKafkaProducer, settings: Settings, erased: Iterable[str]) -> None:
    """Publish nulls for cases whose erasure is logged, and wait. KafkaError: the caller must repeat before it destroys the key's rows."""
    await _publish(producer, settings, {name(case_id, reader): None for case_id in erased for reader in readers()})


async def roll(producer: AIOKafkaProducer, settings: Settings) -> None:
    """Begin a new segment; called every hour, so that an erased key is gone after three hours even without a new case. KafkaError."""
    await _publish(producer, settings, {ROLL: None})


async def _publish(
    producer: AIOKafkaProducer, settings: Settings, values: Mapping[bytes, bytes | None], topic: str = CaseKey.TOPIC
) -> None:
    if values:
        await send(producer, settings.topic(topic), 0, [(key, value, []) for key, value in values.items()])


class Taken:
    """The keys that were read of both topics. wrapped: case id → reader → wrapped. gone: forms that a null has taken away."""

    def __init__(self, keys: Keys | None = None, cases: Container[str] | None = None) -> None:
        self.wrapped: dict[str, dict[str, bytes]] = {}
        self.gone: set[tuple[str, str]] = set()
        self._keys, self._cases = keys, cases

    def take(self, topic: str, record: ConsumerRecord) -> None:
        """Apply one record. Malformed, UnicodeDecodeError: it is no record of ours.

        On NEW the first record of a form counts, unless `referral-keys` has it or had it erased: nothing there takes a key away.
        """
        if isinstance(record, Undecodable):
            raise Malformed(record.reason)
        case_id, _, reader = (record.key or b"").decode().partition("/")
        if self._cases is not None and case_id not in self._cases:
            return
        if record.value is None:
            if topic != NEW:
                self._remove(case_id, reader)
            return
        if not reader:
            raise Malformed("key")
        body = codec.decode(CaseKey.TYPE, codec.fingerprint(CaseKey.TYPE), record.value)
        assert isinstance(body, CaseKey)
        if self._keys is not None and self._keys.judges(reader) and not self._keys.opens(case_id, reader, body.wrapped):
            raise Malformed("seal")
        if topic != NEW:
            self.gone.discard((case_id, reader))
            self.wrapped.setdefault(case_id, {})[reader] = body.wrapped
        elif (case_id, reader) not in self.gone:
            self.wrapped.setdefault(case_id, {}).setdefault(reader, body.wrapped)

    def _remove(self, case_id: str, reader: str) -> None:
        self.gone.add((case_id, reader))
        forms = self.wrapped.get(case_id, {})
        forms.pop(reader, None)
        if not forms:
            self.wrapped.pop(case_id, None)


async def read(settings: Settings, keys: Keys | None = None, cases: Container[str] | None = None) -> dict[str, dict[str, bytes]]:
    """Return the keys on both topics: case id → reader → wrapped. Log and skip invalid records, and with keys, forms of theirs that do not
    open. cases: which are wanted; by default all, which memory must hold.
    """
    taken = Taken(keys, cases)
    for topic in (CaseKey.TOPIC, NEW):  # in this order: see `Taken.take`
        await _take(taken, settings, topic)
    return taken.wrapped


async def copied(settings: Settings, cases: Container[str], start: Mapping[scan.Place, int] | None = None) -> set[str]:
    """Return those of these cases of which `referral-keys` has a key. start: offset to begin at, by partition."""
    taken = Taken(cases=cases)
    await _take(taken, settings, CaseKey.TOPIC, start)
    return set(taken.wrapped)


async def _take(taken: Taken, settings: Settings, topic: str, start: Mapping[scan.Place, int] | None = None) -> None:
    async for _, record in scan.whole(settings, [topic], start):
        try:
            taken.take(topic, record)
        except (Malformed, UnicodeDecodeError) as error:
            reason = error.reason if isinstance(error, Malformed) else "key"
            observe.log().error("key passed over", topic=topic, offset=record.offset, reason=reason)


async def restore(tx: AsyncConnection, settings: Settings, erased: set[str], keys: Keys) -> dict[str, int]:
    """Restore keys that the database lacks, wrapped anew for every reader, and bring back those that were retired without an erasure.

    erased: erased cases. The keys of these are retired again: the restored copy may be older than the erasure, which the eraser then ends.
    keys: the operator's. Return the number of cases of each kind.
    """
    on_topic = await read(settings, keys)
    wanted = keys.unwrap({case_id: forms for case_id, forms in on_topic.items() if case_id not in erased})
    back = await bring_back(tx, erased)
    there = set((await tx.execute(_THERE, {"ids": list(wanted)})).scalars())
    lost = {case_id: with_file(key) for case_id, key in wanted.items() if case_id not in there}
    await bulk.write(tx, {KEY: keys.rows(lost)})
    return {"keys that came back from the first step of an erasure": len(back), "keys restored from the topic": len(lost)}
