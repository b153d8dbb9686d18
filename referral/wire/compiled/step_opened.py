"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import StepKind, StepOpened
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why

StepKind_V1 = {0: StepKind.UNKNOWN, 2: StepKind.NOTIFY, 4: StepKind.REQUEST, 6: StepKind.JOINT, 8: StepKind.DECIDE, 10: StepKind.PLACE, 12: StepKind.FEED}
StepKind_BYTES = {StepKind.UNKNOWN: b"\x00", StepKind.NOTIFY: b"\x02", StepKind.REQUEST: b"\x04", StepKind.JOINT: b"\x06", StepKind.DECIDE: b"\x08", StepKind.PLACE: b"\x0a", StepKind.FEED: b"\x0c"}


def read_v1(d: bytes, i: int) -> tuple[StepOpened, int]:
    """step-opened.v1"""
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
    f_kind = StepKind_V1[d[i]]
    i += 1
    if d[i]:
        f_seats, i = avro.codes(d, i)
    else:
        f_seats = ()
        i += 1
    n = d[i]
    i += 1
    f_starts = None
    if n:
        if n != 2:
            avro.fail("union")
        f_starts, i = avro.long(d, i)
    return StepOpened(head=f_head, why=f_why, track_id=f_track_id, step=f_step, round=f_round, kind=f_kind, seats=f_seats, starts=f_starts), i


def write(x: StepOpened) -> bytes:
    """step-opened.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.INTS[x.round],
        StepKind_BYTES[x.kind],
        avro.codes_bytes(x.seats),
        b"\x00" if (v_starts := x.starts) is None else b"\x02" + avro.LONGS[v_starts],
    ))
