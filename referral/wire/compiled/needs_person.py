"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import NeedsPerson
from referral.wire import atoms
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[NeedsPerson, int]:
    """needs-person.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_task_id = atoms.ident(d[i : (i := i + 37)])
    f_desk = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_about = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_track_id = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_track_id = atoms.ident(d[i : (i := i + 37)])
    f_step = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_seat, i = atoms.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_rung, i = atoms.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_due, i = atoms.long(d, i)
    return NeedsPerson(head=f_head, why=f_why, task_id=f_task_id, desk=f_desk, about=f_about, track_id=f_track_id, step=f_step, seat=f_seat, rung=f_rung, due=f_due, offer_id=None), i


def read_v2(d: bytes, i: int) -> tuple[NeedsPerson, int]:
    """needs-person.v2"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_task_id = atoms.ident(d[i : (i := i + 37)])
    f_desk = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_about = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_track_id = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_track_id = atoms.ident(d[i : (i := i + 37)])
    f_step = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_seat, i = atoms.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_rung, i = atoms.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_due, i = atoms.long(d, i)
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_offer_id = atoms.ident(d[i : (i := i + 37)])
    return NeedsPerson(head=f_head, why=f_why, task_id=f_task_id, desk=f_desk, about=f_about, track_id=f_track_id, step=f_step, seat=f_seat, rung=f_rung, due=f_due, offer_id=f_offer_id), i


def write(x: NeedsPerson) -> bytes:
    """needs-person.v2"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        atoms.ident_bytes(x.task_id),
        atoms.CODES[x.desk],
        atoms.CODES[x.about],
        b"\x00" if (v_track_id := x.track_id) is None else b"\x02" + atoms.ident_bytes(v_track_id),
        atoms.CODES[x.step],
        atoms.INTS[x.seat],
        atoms.INTS[x.rung],
        b"\x00" if (v_due := x.due) is None else b"\x02" + atoms.LONGS[v_due],
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + atoms.ident_bytes(v_offer_id),
    ))
