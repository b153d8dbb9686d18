"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import FigureReleased, Mark, Unit
from referral.wire import avro

Unit_V1 = {0: Unit.UNKNOWN, 2: Unit.CHILDREN, 4: Unit.MINUTES, 6: Unit.DAYS}
Mark_V1 = {0: Mark.UNKNOWN, 2: Mark.SHOWN, 4: Mark.HIDDEN, 6: Mark.WAITING}
Unit_BYTES = {Unit.UNKNOWN: b"\x00", Unit.CHILDREN: b"\x02", Unit.MINUTES: b"\x04", Unit.DAYS: b"\x06"}
Mark_BYTES = {Mark.UNKNOWN: b"\x00", Mark.SHOWN: b"\x02", Mark.HIDDEN: b"\x04", Mark.WAITING: b"\x06"}


def read_v1(d: bytes, i: int) -> tuple[FigureReleased, int]:
    """figure-released.v1"""
    n = d[i]
    if n > 0x7F:
        f_release, i = avro.int32(d, i)
    else:
        f_release = (n >> 1) ^ -(n & 1)
        i += 1
    f_first = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_last = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_pathway = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_measure = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_group = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_unit = Unit_V1[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_value = None
    if n:
        if n != 2:
            avro.fail("union")
        f_value, i = avro.long(d, i)
    f_mark = Mark_V1[d[i]]
    i += 1
    return FigureReleased(release=f_release, first=f_first, last=f_last, pathway=f_pathway, measure=f_measure, group=f_group, unit=f_unit, value=f_value, mark=f_mark), i


def write(x: FigureReleased) -> bytes:
    """figure-released.v1"""
    return b"".join((
        avro.INTS[x.release],
        avro.CODES[x.first],
        avro.CODES[x.last],
        avro.CODES[x.pathway],
        avro.CODES[x.measure],
        avro.CODES[x.group],
        Unit_BYTES[x.unit],
        b"\x00" if (v_value := x.value) is None else b"\x02" + avro.LONGS[v_value],
        Mark_BYTES[x.mark],
    ))
