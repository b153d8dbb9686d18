"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ReleaseMade
from referral.wire import atoms
from referral.wire.compiled import counted


def read_v1(d: bytes, i: int) -> tuple[ReleaseMade, int]:
    """release-made.v1"""
    n = d[i]
    if n > 0x7F:
        f_release, i = atoms.int32(d, i)
    else:
        f_release = (n >> 1) ^ -(n & 1)
        i += 1
    f_month = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_corrects = None
    if n:
        if n != 2:
            atoms.fail("union")
        n = d[i]
        if n > 0x7F:
            f_corrects, i = atoms.int32(d, i)
        else:
            f_corrects = (n >> 1) ^ -(n & 1)
            i += 1
    n = d[i]
    if n > 0x7F:
        f_threshold, i = atoms.int32(d, i)
    else:
        f_threshold = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_figures, i = atoms.int32(d, i)
    else:
        f_figures = (n >> 1) ^ -(n & 1)
        i += 1
    f_digest, i = atoms.long_code(d, i)
    n = d[i]
    if n > 0x7F:
        f_shown, i = atoms.int32(d, i)
    else:
        f_shown = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_hidden, i = atoms.int32(d, i)
    else:
        f_hidden = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_waiting, i = atoms.int32(d, i)
    else:
        f_waiting = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_narrowest = None
    if n:
        if n != 2:
            atoms.fail("union")
        n = d[i]
        if n > 0x7F:
            f_narrowest, i = atoms.int32(d, i)
        else:
            f_narrowest = (n >> 1) ^ -(n & 1)
            i += 1
    f_counted, i = atoms.many(d, i, counted.read_v1)
    return ReleaseMade(release=f_release, month=f_month, corrects=f_corrects, threshold=f_threshold, figures=f_figures, digest=f_digest, shown=f_shown, hidden=f_hidden, waiting=f_waiting, narrowest=f_narrowest, counted=f_counted), i


def write(x: ReleaseMade) -> bytes:
    """release-made.v1"""
    return b"".join((
        atoms.INTS[x.release],
        atoms.CODES[x.month],
        b"\x00" if (v_corrects := x.corrects) is None else b"\x02" + atoms.INTS[v_corrects],
        atoms.INTS[x.threshold],
        atoms.INTS[x.figures],
        atoms.LONG_CODES[x.digest],
        atoms.INTS[x.shown],
        atoms.INTS[x.hidden],
        atoms.INTS[x.waiting],
        b"\x00" if (v_narrowest := x.narrowest) is None else b"\x02" + atoms.INTS[v_narrowest],
        atoms.many_bytes(x.counted, counted.write),
    ))
