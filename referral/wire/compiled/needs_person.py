"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import NeedsPerson
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[NeedsPerson, int]:
    """needs-person.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_task_id = avro.ident(d[i : (i := i + 37)])
    f_desk = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_about = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_track_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_seat, i = avro.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    return NeedsPerson(head=f_head, why=f_why, task_id=f_task_id, desk=f_desk, about=f_about, track_id=f_track_id, step=f_step, seat=f_seat, rung=f_rung, due=f_due, offer_id=None), i


def read_v2(d: bytes, i: int) -> tuple[NeedsPerson, int]:
    """needs-person.v2"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_task_id = avro.ident(d[i : (i := i + 37)])
    f_desk = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_about = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_track_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_seat, i = avro.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    return NeedsPerson(head=f_head, why=f_why, task_id=f_task_id, desk=f_desk, about=f_about, track_id=f_track_id, step=f_step, seat=f_seat, rung=f_rung, due=f_due, offer_id=f_offer_id), i


def write(x: NeedsPerson) -> bytes:
    """needs-person.v2"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.task_id),
        avro.CODES[x.desk],
        avro.CODES[x.about],
        b"\x00" if (v_track_id := x.track_id) is None else b"\x02" + avro.ident_bytes(v_track_id),
        avro.CODES[x.step],
        avro.INTS[x.seat],
        avro.INTS[x.rung],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
    ))
