"""Quarantine: what could not be understood, sealed under a key of its own, written before its position passes."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from referral.domain.events import Meta, Quarantined
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Place
from referral.runtime.settings import Settings
from referral.wire import codec, headers

TOPIC = "referral-quarantine"
MANY = 20  # in WINDOW, of one unit: no longer somebody's mistake but a bad deploy or an attack
WINDOW = 600.0  # seconds
KEPT = 256 * 1024
"""Bytes of a value that are kept (ours): of a case's record all of it; the topic takes 2 MiB, so that no value is too large to pass."""


class Refused(NamedTuple):
    """A record that could not be understood, or a queue row that nobody may look at. reason: a word of the list quarantine-reason.

    case_id, case_seq: where they could be read. length, sha256: of a batch of which value has only the beginning.
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

    @property
    def ours(self) -> bool:
        """Whether its seal proves that a program of ours wrote it: only then does it say anything against a deploy."""
        return self.case_id is not None and self.reason not in ("kills-process", "foreign")

    def whole(self) -> tuple[int, bytes]:
        """Length and SHA-256 of all of the value, of which KEPT bytes are kept at most."""
        return (self.length, self.sha256) if self.sha256 else (len(self.value), hashlib.sha256(self.value).digest())


def record(taken: Taken, reason: str, meta: Meta | None = None) -> Refused:
    """A record as it was read."""
    unit, place, found = taken
    case_id, case_seq = (meta.case_id, meta.case_seq) if meta else (None, 0)
    length, sha256 = (found.length, found.sha256) if isinstance(found, Undecodable) else (-1, b"")
    return Refused(unit.name, place, found.offset, found.value or b"", reason, case_id, case_seq, length, sha256)


class QuarantineAway(Exception):
    """The quarantine cannot be written. The service stops, because passing the record would drop it."""


def position(place: Place, offset: int) -> str:
    """The key by which readers of the quarantine drop repeats."""
    return f"{place[0]}/{place[1]}/{offset}"


async def write(producer: AIOKafkaProducer, settings: Settings, key: bytes, service: str, now: int, refused: list[Refused]) -> None:
    """Publish and wait. key: 32 bytes, the quarantine's own. QuarantineAway: stop."""
    try:
        for item in refused:
            name = position(item.place, item.offset)
            value = codec.encode(_sealed(item, key, service, now))
            await producer.send_and_wait(
                settings.topic(TOPIC),
                value,
                key=f"{service}/{name}".encode(),
                partition=0,
                headers=headers.plain(Quarantined.TYPE, id=f"{service}/{name}", source=service, at=now),
            )
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


class Ceiling:
    """Counts per unit. Pure: monotonic seconds are an argument."""

    def __init__(self) -> None:
        self._at: dict[str, deque[float]] = {}

    def count(self, unit: str, mono: float) -> None:
        self._at.setdefault(unit, deque(maxlen=MANY)).append(mono)

    def reached(self, mono: float) -> frozenset[str]:
        """Units with MANY in the last WINDOW."""
        return frozenset(u for u, at in self._at.items() if len(at) == MANY and mono - at[0] < WINDOW)
