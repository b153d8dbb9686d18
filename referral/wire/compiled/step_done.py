"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import StepDone
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[StepDone, int]:
    """step-done.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_round, i = avro.int32(d, i)
    else:
        f_round = (n >> 1) ^ -(n & 1)
        i += 1
    f_outcome = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return StepDone(head=f_head, why=f_why, track_id=f_track_id, step=f_step, round=f_round, outcome=f_outcome), i


def write(x: StepDone) -> bytes:
    """step-done.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.INTS[x.round],
        avro.CODES[x.outcome],
    ))
