"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import FigureReleased, Mark, ReleaseMade, Unit
from referral.wire import avro
from referral.wire.compiled import shared

Unit_V1 = {0: Unit.UNKNOWN, 2: Unit.CHILDREN, 4: Unit.MINUTES, 6: Unit.DAYS}
Mark_V1 = {0: Mark.UNKNOWN, 2: Mark.SHOWN, 4: Mark.HIDDEN, 6: Mark.WAITING}
Unit_BYTES = {Unit.UNKNOWN: b"\x00", Unit.CHILDREN: b"\x02", Unit.MINUTES: b"\x04", Unit.DAYS: b"\x06"}
Mark_BYTES = {Mark.UNKNOWN: b"\x00", Mark.SHOWN: b"\x02", Mark.HIDDEN: b"\x04", Mark.WAITING: b"\x06"}


def read_figure_released_v1(d: bytes, i: int) -> tuple[FigureReleased, int]:
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


def write_figure_released(x: FigureReleased) -> bytes:
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


def read_release_made_v1(d: bytes, i: int) -> tuple[ReleaseMade, int]:
    """release-made.v1"""
    n = d[i]
    if n > 0x7F:
        f_release, i = avro.int32(d, i)
    else:
        f_release = (n >> 1) ^ -(n & 1)
        i += 1
    f_month = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_corrects = None
    if n:
        if n != 2:
            avro.fail("union")
        n = d[i]
        if n > 0x7F:
            f_corrects, i = avro.int32(d, i)
        else:
            f_corrects = (n >> 1) ^ -(n & 1)
            i += 1
    n = d[i]
    if n > 0x7F:
        f_threshold, i = avro.int32(d, i)
    else:
        f_threshold = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_figures, i = avro.int32(d, i)
    else:
        f_figures = (n >> 1) ^ -(n & 1)
        i += 1
    f_digest, i = avro.long_code(d, i)
    n = d[i]
    if n > 0x7F:
        f_shown, i = avro.int32(d, i)
    else:
        f_shown = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_hidden, i = avro.int32(d, i)
    else:
        f_hidden = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_waiting, i = avro.int32(d, i)
    else:
        f_waiting = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_narrowest = None
    if n:
        if n != 2:
            avro.fail("union")
        n = d[i]
        if n > 0x7F:
            f_narrowest, i = avro.int32(d, i)
        else:
            f_narrowest = (n >> 1) ^ -(n & 1)
            i += 1
    f_counted, i = avro.many(d, i, shared.read_counted_v1)
    return ReleaseMade(release=f_release, month=f_month, corrects=f_corrects, threshold=f_threshold, figures=f_figures, digest=f_digest, shown=f_shown, hidden=f_hidden, waiting=f_waiting, narrowest=f_narrowest, counted=f_counted), i


def write_release_made(x: ReleaseMade) -> bytes:
    """release-made.v1"""
    return b"".join((
        avro.INTS[x.release],
        avro.CODES[x.month],
        b"\x00" if (v_corrects := x.corrects) is None else b"\x02" + avro.INTS[v_corrects],
        avro.INTS[x.threshold],
        avro.INTS[x.figures],
        avro.LONG_CODES[x.digest],
        avro.INTS[x.shown],
        avro.INTS[x.hidden],
        avro.INTS[x.waiting],
        b"\x00" if (v_narrowest := x.narrowest) is None else b"\x02" + avro.INTS[v_narrowest],
        avro.many_bytes(x.counted, shared.write_counted),
    ))
