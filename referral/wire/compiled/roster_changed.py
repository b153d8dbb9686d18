"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import RosterChanged
from referral.wire import avro
from referral.wire.compiled import roster_row


def read_v1(d: bytes, i: int) -> tuple[RosterChanged, int]:
    """roster-changed.v1"""
    f_at, i = avro.long(d, i)
    f_changed_by = avro.ident(d[i : (i := i + 37)])
    f_rows, i = avro.many(d, i, roster_row.read_v1)
    n = d[i]
    if n > 0x7F:
        f_thrown_away, i = avro.int32(d, i)
    else:
        f_thrown_away = (n >> 1) ^ -(n & 1)
        i += 1
    return RosterChanged(at=f_at, changed_by=f_changed_by, rows=f_rows, thrown_away=f_thrown_away), i


def write(x: RosterChanged) -> bytes:
    """roster-changed.v1"""
    return b"".join((
        avro.LONGS[x.at],
        avro.ident_bytes(x.changed_by),
        avro.many_bytes(x.rows, roster_row.write),
        avro.INTS[x.thrown_away],
    ))
