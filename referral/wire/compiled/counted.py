"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Counted
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[Counted, int]:
    """counted.v1"""
    f_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_count = None
    if n:
        if n != 2:
            avro.fail("union")
        f_count, i = avro.long(d, i)
    return Counted(what=f_what, count=f_count), i


def write(x: Counted) -> bytes:
    """counted.v1"""
    return b"".join((
        avro.CODES[x.what],
        b"\x00" if (v_count := x.count) is None else b"\x02" + avro.LONGS[v_count],
    ))
