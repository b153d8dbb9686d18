"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CaseClosed
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[CaseClosed, int]:
    """case-closed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_outcome = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_sealed = avro.BOOLEANS[d[i]]
    i += 1
    return CaseClosed(head=f_head, why=f_why, outcome=f_outcome, sealed=f_sealed), i


def write(x: CaseClosed) -> bytes:
    """case-closed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.CODES[x.outcome],
        avro.BOOLEAN_BYTES[x.sealed],
    ))
