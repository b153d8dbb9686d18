"""Quarantine: publish undecodable inputs to the dead-letter topic, under a key of its own, before their position is committed."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from referral.domain.events import Meta, Quarantined
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Place
from referral.runtime.record_signing import Sign
from referral.runtime.settings import Settings
from referral.wire import codec, headers
from referral.wire.topics import INGRESS

TOPIC = "referral-quarantine"
MANY = 20
"""Refused records of one unit within WINDOW (ours): more than a mistake, so a bad deploy or an attack. Of an agency's topic that many are
stored whole, and the rest of each batch as one entry: a flood of refusals is read to its end and costs little (decision 0070)."""
MANY_REFUSED = "many-refused"
"""Reason of such an entry."""
WINDOW = 600.0  # seconds
KEPT = 256 * 1024
"""Bytes of a value that the quarantine stores (ours): a case's record fits whole; the topic accepts 2 MiB, so no entry is too large."""


class Refused(NamedTuple):
    """A record that could not be decoded, or a queue row that killed the process too often.

    reason: a word of the list quarantine-reason.
    case_id, case_seq: as far as they could be read.
    length, sha256: of a whole record batch, when value holds only its beginning.
    number: how many records this entry stands for.
    """

    unit: str
    place: Place
    offset: int
    value: bytes
    reason: str
    case_id: str | None = None
    case_seq: int = 0
    length: int = -1
    sha256: bytes = b""
    number: int = 1

    @property
    def ours(self) -> bool:
        """Return whether the seal proves that a program of ours wrote the record: only then it is evidence of a bad deploy."""
        return self.case_id is not None and self.reason not in ("kills-process", "foreign")

    def whole(self) -> tuple[int, bytes]:
        """Return length and SHA-256 of the whole value, of which at most KEPT bytes are stored."""
        return (self.length, self.sha256) if self.sha256 else (len(self.value), hashlib.sha256(self.value).digest())


def record(taken: Taken, reason: str, meta: Meta | None = None) -> Refused:
    """Return the quarantine entry of a record as it was read. meta: its clear part, if that could be read."""
    unit, place, read = taken
    case_id, case_seq = (meta.case_id, meta.case_seq) if meta else (None, 0)
    length, sha256 = (read.length, read.sha256) if isinstance(read, Undecodable) else (-1, b"")
    return Refused(unit.name, place, read.offset, read.value or b"", reason, case_id, case_seq, length, sha256)


class QuarantineAway(Exception):
    """The quarantine cannot be written. Nothing is committed, for that would lose the record: the batch is read again."""


def position(place: Place, offset: int) -> str:
    """Return the key by which readers of the quarantine drop repeats: topic/partition/offset."""
    return f"{place[0]}/{place[1]}/{offset}"


async def write(
    producer: AIOKafkaProducer, settings: Settings, sign: Sign, key: bytes, service: str, now: int, refused: list[Refused]
) -> None:
    """Publish the refused inputs and wait for the broker. QuarantineAway: nothing may be committed.

    sign: signs this service's records here. key: the quarantine's own, 32 bytes.
    """
    stored = []
    try:
        for item in refused:
            name = position(item.place, item.offset)
            of, value = f"{service}/{name}", codec.encode(_sealed(item, key, service, now))
            (signature,) = sign([(of.encode(), value)])
            told = [*headers.plain(Quarantined.TYPE, id=of, source=service, at=now), *signature]
            stored.append(await producer.send(settings.topic(TOPIC), value, key=of.encode(), partition=0, headers=told))
        await asyncio.gather(*stored)  # all at once: the batch's transaction waits, and the server ends one that waits for long
    except (KafkaError, TimeoutError, OSError) as error:
        raise QuarantineAway("referral-quarantine cannot be written") from error


def _sealed(item: Refused, key: bytes, service: str, now: int) -> Quarantined:
    nonce = os.urandom(12)
    name = position(item.place, item.offset)
    length, sha256 = item.whole()
    return Quarantined(
        topic=item.place[0],
        partition=item.place[1],
        offset=item.offset,
        reader=service,
        reason=item.reason,
        case_id=item.case_id,
        case_seq=item.case_seq,
        at=now,
        nonce=nonce,
        sealed=AESGCM(key).encrypt(nonce, item.value[:KEPT], name.encode()),
        length=length,
        sha256=sha256 if length > min(len(item.value), KEPT) else None,
    )


def _together(items: list[Refused]) -> Refused:
    """Return one entry for the refused records of one unit: their number, length and digest, at the position of the first."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.whole()[1])
    last, length = items[-1].offset, sum(item.whole()[0] for item in items)
    value = f"{len(items)} records to offset {last}, {length} bytes, SHA-256 of their SHA-256: {digest.hexdigest()}"
    return Refused(items[0].unit, items[0].place, items[0].offset, value.encode(), MANY_REFUSED, number=len(items))


class Ceiling:
    """The ceiling of refused records per unit. Pure: monotonic seconds are an argument."""

    def __init__(self) -> None:
        self._at: dict[str, deque[float]] = {}

    def count(self, unit: str, mono: float) -> None:
        """Count one refused record of a unit."""
        self._at.setdefault(unit, deque(maxlen=MANY)).append(mono)

    def bounded(self, refused: Iterable[Refused], mono: float) -> list[Refused]:
        """Return the entries for refused records: of each agency's topic those below the ceiling, and one for all that are above it."""
        kept: list[Refused] = []
        above: dict[str, list[Refused]] = {}
        number = Counter({unit: sum(mono - one < WINDOW for one in at) for unit, at in self._at.items()})
        for item in refused:
            number[item.unit] += 1
            if item.unit.startswith(INGRESS) and number[item.unit] > MANY:
                above.setdefault(item.unit, []).append(item)
            else:
                kept.append(item)
        return [*kept, *map(_together, above.values())]

    def reached(self, mono: float) -> frozenset[str]:
        """Return the units of case topics with MANY refused records in the last WINDOW seconds. An agency's topic is never among them: its
        fault shuts no door."""
        many = (unit for unit, at in self._at.items() if len(at) == MANY and mono - at[0] < WINDOW)
        return frozenset(unit for unit in many if not unit.startswith(INGRESS))
