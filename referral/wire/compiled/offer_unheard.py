"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import OfferUnheard
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[OfferUnheard, int]:
    """offer-unheard.v1"""
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
    f_away = avro.BOOLEANS[d[i]]
    i += 1
    return OfferUnheard(head=f_head, why=f_why, offer_id=f_offer_id, rung=f_rung, away=f_away), i


def write(x: OfferUnheard) -> bytes:
    """offer-unheard.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.offer_id),
        avro.INTS[x.rung],
        avro.BOOLEAN_BYTES[x.away],
    ))
