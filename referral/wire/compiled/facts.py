"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Facts
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[Facts, int]:
    """facts.v1"""
    f_now, i = avro.long(d, i)
    n = d[i]
    if n > 0x7F:
        f_engine, i = avro.int32(d, i)
    else:
        f_engine = (n >> 1) ^ -(n & 1)
        i += 1
    f_free, i = avro.mapping(d, i, avro.int32)
    n = d[i]
    i += 1
    f_bundle = None
    if n:
        if n != 2:
            avro.fail("union")
        n = d[i]
        if n > 0x7F:
            f_bundle, i = avro.int32(d, i)
        else:
            f_bundle = (n >> 1) ^ -(n & 1)
            i += 1
    return Facts(now=f_now, engine=f_engine, free=f_free, bundle=f_bundle), i


def write(x: Facts) -> bytes:
    """facts.v1"""
    return b"".join((
        avro.LONGS[x.now],
        avro.INTS[x.engine],
        avro.mapping_bytes(x.free, avro.INTS.__getitem__),
        b"\x00" if (v_bundle := x.bundle) is None else b"\x02" + avro.INTS[v_bundle],
    ))
