"""Records as audit reads them from a topic: made-up events of one case, sealed, in their place."""

from __future__ import annotations

import uuid

from msgspec import Struct

from referral.domain.events import Meta, RungFailed
from referral.domain.inputs import Input, Raw, Source
from referral.wire import codec, seal, topics

KEY = bytes(32)
CASE = str(uuid.UUID(int=7))
TOPIC = RungFailed.TOPIC
PARTITION = topics.partition(CASE)


def value(seq: int, *, rung: int = 0, body: Struct | None = None, topic: str = TOPIC) -> bytes:
    """Return the sealed value of an event; without a body, that nobody of a rung was on duty."""
    body = body or RungFailed(offer_id=CASE, rung=rung, reason="nobody-on-duty", at=1)
    type_ = type(body).TYPE  # type: ignore[attr-defined]
    event_id = str(uuid.uuid5(uuid.UUID(CASE), f"{type_}{seq}"))
    meta = Meta(
        event_id=event_id,
        case_id=CASE,
        case_seq=seq,
        type=type_,
        fingerprint=codec.fingerprint(type_),
        cause_id=CASE,
        recorded_at=5,
        source="notifier",
        drill=False,
    )
    return seal.seal(KEY, topic, meta, codec.encode(body), bytes(12))


def record(
    data: bytes, offset: int, topic: str = TOPIC, key: bytes | None = CASE.encode(), told: list[tuple[str, bytes]] | None = None
) -> Input:
    """Return the input of a record with this value, at this offset."""
    raw = Raw(key=key, value=data, headers=tuple(told or ()), kafka_time=17)
    return Input(id=CASE, case_id="", body=raw, source=Source(topic=topic, partition=PARTITION, offset=offset))
