"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import OfferEscalated
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[OfferEscalated, int]:
    """offer-escalated.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_reason = None
    if n:
        if n != 2:
            avro.fail("union")
        f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferEscalated(head=f_head, why=f_why, offer_id=f_offer_id, rung=f_rung, reason=f_reason, due=f_due, due_what=f_due_what), i


def write(x: OfferEscalated) -> bytes:
    """offer-escalated.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.offer_id),
        avro.INTS[x.rung],
        b"\x00" if (v_reason := x.reason) is None else b"\x02" + avro.CODES[v_reason],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
    ))
