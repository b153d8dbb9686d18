"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import RungFailed
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[RungFailed, int]:
    """rung-failed.v1"""
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_at, i = avro.long(d, i)
    return RungFailed(offer_id=f_offer_id, rung=f_rung, reason=f_reason, at=f_at), i


def write(x: RungFailed) -> bytes:
    """rung-failed.v1"""
    return b"".join((
        avro.ident_bytes(x.offer_id),
        avro.INTS[x.rung],
        avro.CODES[x.reason],
        avro.LONGS[x.at],
    ))
