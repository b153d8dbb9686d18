"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ReleaseMade
from referral.wire import avro
from referral.wire.compiled import counted


def read_v1(d: bytes, i: int) -> tuple[ReleaseMade, int]:
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
    f_counted, i = avro.many(d, i, counted.read_v1)
    return ReleaseMade(release=f_release, month=f_month, corrects=f_corrects, threshold=f_threshold, figures=f_figures, digest=f_digest, shown=f_shown, hidden=f_hidden, waiting=f_waiting, narrowest=f_narrowest, counted=f_counted), i


def write(x: ReleaseMade) -> bytes:
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
        avro.many_bytes(x.counted, counted.write),
    ))
