"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Decided, DecisionRecorded
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why

Decided_V1 = {0: Decided.UNKNOWN, 2: Decided.PERSON, 4: Decided.AGREED, 6: Decided.DISAGREED, 8: Decided.SILENCE, 10: Decided.DESK}
Decided_BYTES = {Decided.UNKNOWN: b"\x00", Decided.PERSON: b"\x02", Decided.AGREED: b"\x04", Decided.DISAGREED: b"\x06", Decided.SILENCE: b"\x08", Decided.DESK: b"\x0a"}


def read_v1(d: bytes, i: int) -> tuple[DecisionRecorded, int]:
    """decision-recorded.v1"""
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
    n = d[i]
    if n > 0x7F:
        f_seat, i = avro.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    f_code = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_how = Decided_V1[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    return DecisionRecorded(head=f_head, why=f_why, track_id=f_track_id, step=f_step, round=f_round, seat=f_seat, code=f_code, how=f_how, by=f_by), i


def write(x: DecisionRecorded) -> bytes:
    """decision-recorded.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.INTS[x.round],
        avro.INTS[x.seat],
        avro.CODES[x.code],
        Decided_BYTES[x.how],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
    ))
