"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import DeadlinePassed
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[DeadlinePassed, int]:
    """deadline-passed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_was_due, i = avro.long(d, i)
    return DeadlinePassed(head=f_head, why=f_why, offer_id=f_offer_id, what=f_what, was_due=f_was_due), i


def write(x: DeadlinePassed) -> bytes:
    """deadline-passed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        avro.CODES[x.what],
        avro.LONGS[x.was_due],
    ))
