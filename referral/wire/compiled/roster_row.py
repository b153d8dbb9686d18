"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import RosterRow
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[RosterRow, int]:
    """roster-row.v1"""
    f_part = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_number, i = avro.long(d, i)
    f_ended = avro.BOOLEANS[d[i]]
    i += 1
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_account = None
    if n:
        if n != 2:
            avro.fail("union")
        f_account = avro.ident(d[i : (i := i + 37)])
    if d[i]:
        f_rungs, i = avro.codes(d, i)
    else:
        f_rungs = ()
        i += 1
    f_channel = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_disabled = avro.BOOLEANS[d[i]]
    i += 1
    n = d[i]
    if n > 0x7F:
        f_weekday, i = avro.int32(d, i)
    else:
        f_weekday = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_start_minute, i = avro.int32(d, i)
    else:
        f_start_minute = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_end_minute, i = avro.int32(d, i)
    else:
        f_end_minute = (n >> 1) ^ -(n & 1)
        i += 1
    f_since = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_until = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_starts = None
    if n:
        if n != 2:
            avro.fail("union")
        f_starts, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_ends = None
    if n:
        if n != 2:
            avro.fail("union")
        f_ends, i = avro.long(d, i)
    return RosterRow(part=f_part, number=f_number, ended=f_ended, agency=f_agency, account=f_account, rungs=f_rungs, channel=f_channel, disabled=f_disabled, weekday=f_weekday, start_minute=f_start_minute, end_minute=f_end_minute, since=f_since, until=f_until, starts=f_starts, ends=f_ends), i


def write(x: RosterRow) -> bytes:
    """roster-row.v1"""
    return b"".join((
        avro.CODES[x.part],
        avro.LONGS[x.number],
        avro.BOOLEAN_BYTES[x.ended],
        avro.CODES[x.agency],
        b"\x00" if (v_account := x.account) is None else b"\x02" + avro.ident_bytes(v_account),
        avro.codes_bytes(x.rungs),
        avro.CODES[x.channel],
        avro.BOOLEAN_BYTES[x.disabled],
        avro.INTS[x.weekday],
        avro.INTS[x.start_minute],
        avro.INTS[x.end_minute],
        avro.CODES[x.since],
        avro.CODES[x.until],
        b"\x00" if (v_starts := x.starts) is None else b"\x02" + avro.LONGS[v_starts],
        b"\x00" if (v_ends := x.ends) is None else b"\x02" + avro.LONGS[v_ends],
    ))
