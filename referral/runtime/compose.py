"""What a batch says becomes records: numbered per case, sealed under its key, of a size that the broker takes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from referral.domain.events import Meta
from referral.domain.record import Input, derived
from referral.runtime import mark, observe
from referral.runtime.outbox import RECORD, Record
from referral.runtime.sequence import NONE
from referral.runtime.understand import Seen, fingerprint
from referral.wire import codec, headers, seal, topics

HEADERS = 1024  # bytes; ours are about 440


class TooLarge(Exception):
    """An event that no broker of ours takes. Its cause is handled by the service's fallback; nothing was committed."""


def compose(
    emitted: list[tuple[Input, Struct]], service: str, topic: str, now: int, keys: Mapping[str, bytes], seen: Seen, secret: bytes
) -> tuple[dict[int, list[Record]], Seen]:
    """(partition → records in order, the last sequences). seen: of the service's own topic, for every case here. TooLarge.

    secret: the service's own, with which each record is marked as written by it.
    """
    out: defaultdict[int, list[Record]] = defaultdict(list)
    last: Seen = {}
    index: defaultdict[str, int] = defaultdict(int)
    random = os.urandom(seal.NONCE * len(emitted))  # asked for once: the kernel's answer takes longer than the sealing
    for at, (cause, event) in zip(range(0, len(random), seal.NONCE), emitted, strict=True):
        case_id = cause.case_id
        before = last.get((topic, case_id)) or seen.get((topic, case_id), NONE)
        number, index[cause.id] = index[cause.id], index[cause.id] + 1
        type_: str = event.TYPE  # type: ignore[attr-defined]
        if type_ not in seal.UNSEALED and case_id not in keys:
            observe.ERASED.labels(service).inc()
            continue
        meta = Meta(
            event_id=derived(cause.id, number),
            case_id=case_id,
            case_seq=before.seq + 1,
            type=type_,
            fingerprint=codec.fingerprint(type_),
            cause_id=cause.id,
            recorded_at=now,
            source=service,
            drill=cause.drill or before.drill,
        )
        value = seal.seal(keys.get(case_id), topic, meta, codec.encode(event), random[at : at + seal.NONCE])
        print_ = fingerprint(value)
        head = headers.of(meta)
        head.append(mark.of(secret, print_))
        if len(value) + HEADERS > RECORD:
            raise TooLarge(type_)
        last[topic, case_id] = before.after(meta.case_seq, print_, meta.drill)
        out[topics.partition(case_id)].append(Record(case_id.encode(), value, head))
    return dict(out), last
