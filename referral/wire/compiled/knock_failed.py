"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import KnockFailed
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[KnockFailed, int]:
    """knock-failed.v1"""
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_task_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_task_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_person = None
    if n:
        if n != 2:
            avro.fail("union")
        f_person = avro.ident(d[i : (i := i + 37)])
    f_channel = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_again, i = avro.int32(d, i)
    else:
        f_again = (n >> 1) ^ -(n & 1)
        i += 1
    f_at, i = avro.long(d, i)
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_attempts, i = avro.int32(d, i)
    else:
        f_attempts = (n >> 1) ^ -(n & 1)
        i += 1
    return KnockFailed(offer_id=f_offer_id, task_id=f_task_id, rung=f_rung, person=f_person, channel=f_channel, again=f_again, at=f_at, reason=f_reason, attempts=f_attempts), i


def write(x: KnockFailed) -> bytes:
    """knock-failed.v1"""
    return b"".join((
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        b"\x00" if (v_task_id := x.task_id) is None else b"\x02" + avro.ident_bytes(v_task_id),
        avro.INTS[x.rung],
        b"\x00" if (v_person := x.person) is None else b"\x02" + avro.ident_bytes(v_person),
        avro.CODES[x.channel],
        avro.INTS[x.again],
        avro.LONGS[x.at],
        avro.CODES[x.reason],
        avro.INTS[x.attempts],
    ))
