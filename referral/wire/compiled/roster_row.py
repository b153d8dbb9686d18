"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import RosterRow
from referral.wire import atoms


def read_v1(d: bytes, i: int) -> tuple[RosterRow, int]:
    """roster-row.v1"""
    f_part = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_number, i = atoms.long(d, i)
    f_ended = atoms.BOOLEANS[d[i]]
    i += 1
    f_agency = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_account = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_account = atoms.ident(d[i : (i := i + 37)])
    if d[i]:
        f_rungs, i = atoms.codes(d, i)
    else:
        f_rungs = ()
        i += 1
    f_channel = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_disabled = atoms.BOOLEANS[d[i]]
    i += 1
    n = d[i]
    if n > 0x7F:
        f_weekday, i = atoms.int32(d, i)
    else:
        f_weekday = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_start_minute, i = atoms.int32(d, i)
    else:
        f_start_minute = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_end_minute, i = atoms.int32(d, i)
    else:
        f_end_minute = (n >> 1) ^ -(n & 1)
        i += 1
    f_since = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_until = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_starts = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_starts, i = atoms.long(d, i)
    n = d[i]
    i += 1
    f_ends = None
    if n:
        if n != 2:
            atoms.fail("union")
        f_ends, i = atoms.long(d, i)
    return RosterRow(part=f_part, number=f_number, ended=f_ended, agency=f_agency, account=f_account, rungs=f_rungs, channel=f_channel, disabled=f_disabled, weekday=f_weekday, start_minute=f_start_minute, end_minute=f_end_minute, since=f_since, until=f_until, starts=f_starts, ends=f_ends), i


def write(x: RosterRow) -> bytes:
    """roster-row.v1"""
    return b"".join((
        atoms.CODES[x.part],
        atoms.LONGS[x.number],
        atoms.BOOLEAN_BYTES[x.ended],
        atoms.CODES[x.agency],
        b"\x00" if (v_account := x.account) is None else b"\x02" + atoms.ident_bytes(v_account),
        atoms.codes_bytes(x.rungs),
        atoms.CODES[x.channel],
        atoms.BOOLEAN_BYTES[x.disabled],
        atoms.INTS[x.weekday],
        atoms.INTS[x.start_minute],
        atoms.INTS[x.end_minute],
        atoms.CODES[x.since],
        atoms.CODES[x.until],
        b"\x00" if (v_starts := x.starts) is None else b"\x02" + atoms.LONGS[v_starts],
        b"\x00" if (v_ends := x.ends) is None else b"\x02" + atoms.LONGS[v_ends],
    ))
