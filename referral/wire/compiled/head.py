"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CauseKind, Head
from referral.wire import avro
from referral.wire.compiled import facts

CauseKind_V1 = {0: CauseKind.UNKNOWN, 2: CauseKind.RECORD, 4: CauseKind.DUE, 6: CauseKind.LOST}
CauseKind_BYTES = {CauseKind.UNKNOWN: b"\x00", CauseKind.RECORD: b"\x02", CauseKind.DUE: b"\x04", CauseKind.LOST: b"\x06"}


def read_v1(d: bytes, i: int) -> tuple[Head, int]:
    """head.v1"""
    f_kind = CauseKind_V1[d[i]]
    i += 1
    f_topic = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_partition, i = avro.int32(d, i)
    else:
        f_partition = (n >> 1) ^ -(n & 1)
        i += 1
    f_offset, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_lost_seq = None
    if n:
        if n != 2:
            avro.fail("union")
        f_lost_seq, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_lost_reason = None
    if n:
        if n != 2:
            avro.fail("union")
        f_lost_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_facts, i = facts.read_v1(d, i)
    return Head(kind=f_kind, topic=f_topic, partition=f_partition, offset=f_offset, due=f_due, lost_seq=f_lost_seq, lost_reason=f_lost_reason, facts=f_facts), i


def write(x: Head) -> bytes:
    """head.v1"""
    return b"".join((
        CauseKind_BYTES[x.kind],
        avro.CODES[x.topic],
        avro.INTS[x.partition],
        avro.LONGS[x.offset],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        b"\x00" if (v_lost_seq := x.lost_seq) is None else b"\x02" + avro.LONGS[v_lost_seq],
        b"\x00" if (v_lost_reason := x.lost_reason) is None else b"\x02" + avro.CODES[v_lost_reason],
        facts.write(x.facts),
    ))
