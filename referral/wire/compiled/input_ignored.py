"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import InputIgnored
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[InputIgnored, int]:
    """input-ignored.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_referral_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_referral_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    return InputIgnored(head=f_head, why=f_why, reason=f_reason, referral_id=f_referral_id, offer_id=f_offer_id), i


def write(x: InputIgnored) -> bytes:
    """input-ignored.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.CODES[x.reason],
        b"\x00" if (v_referral_id := x.referral_id) is None else b"\x02" + avro.ident_bytes(v_referral_id),
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
    ))
