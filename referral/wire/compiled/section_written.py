"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import SectionWritten
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[SectionWritten, int]:
    """section-written.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_section = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_version, i = avro.int32(d, i)
    else:
        f_version = (n >> 1) ^ -(n & 1)
        i += 1
    f_content, i = avro.blob(d, i)
    f_offers, i = avro.many(d, i, avro.ident_at)
    f_at, i = avro.long(d, i)
    return SectionWritten(agency=f_agency, by=f_by, section=f_section, version=f_version, content=f_content, offers=f_offers, at=f_at), i


def write(x: SectionWritten) -> bytes:
    """section-written.v1"""
    return b"".join((
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.CODES[x.section],
        avro.INTS[x.version],
        avro.blob_bytes(x.content),
        avro.many_bytes(x.offers, avro.ident_bytes),
        avro.LONGS[x.at],
    ))
