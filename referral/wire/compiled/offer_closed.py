"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import How, OfferClosed
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why

How_V1 = {0: How.UNKNOWN, 2: How.COMPLETED, 4: How.DECLINED_BY_AGENCY, 6: How.DECLINED_BY_PERSON, 8: How.EXPIRED, 10: How.CANCELLED, 12: How.RETURNED, 14: How.RELEASED, 16: How.OVERTAKEN, 18: How.ENTERED_IN_ERROR}
How_BYTES = {How.UNKNOWN: b"\x00", How.COMPLETED: b"\x02", How.DECLINED_BY_AGENCY: b"\x04", How.DECLINED_BY_PERSON: b"\x06", How.EXPIRED: b"\x08", How.CANCELLED: b"\x0a", How.RETURNED: b"\x0c", How.RELEASED: b"\x0e", How.OVERTAKEN: b"\x10", How.ENTERED_IN_ERROR: b"\x12"}


def read_v1(d: bytes, i: int) -> tuple[OfferClosed, int]:
    """offer-closed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_how = How_V1[d[i]]
    i += 1
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferClosed(head=f_head, why=f_why, offer_id=f_offer_id, how=f_how, reason=f_reason), i


def write(x: OfferClosed) -> bytes:
    """offer-closed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.offer_id),
        How_BYTES[x.how],
        avro.CODES[x.reason],
    ))
