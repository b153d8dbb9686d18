"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import SectionDisclosed
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[SectionDisclosed, int]:
    """section-disclosed.v1"""
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_section = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_at, i = avro.long(d, i)
    return SectionDisclosed(offer_id=f_offer_id, agency=f_agency, by=f_by, section=f_section, basis=f_basis, at=f_at), i


def write(x: SectionDisclosed) -> bytes:
    """section-disclosed.v1"""
    return b"".join((
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.CODES[x.section],
        avro.CODES[x.basis],
        avro.LONGS[x.at],
    ))
