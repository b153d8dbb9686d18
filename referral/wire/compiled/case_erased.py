"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CaseErased
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v1"""
    return CaseErased(requested_by=None, requested_at=0, approved_by=None, approved_at=0, basis='', records=0, signature=None), i


def read_v2(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v2"""
    n = d[i]
    i += 1
    f_requested_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_requested_by = avro.ident(d[i : (i := i + 37)])
    f_requested_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_approved_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_approved_by = avro.ident(d[i : (i := i + 37)])
    f_approved_at, i = avro.long(d, i)
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_records, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_tag = None
    if n:
        if n != 2:
            avro.fail("union")
        f_tag, i = avro.blob(d, i)
    return CaseErased(requested_by=f_requested_by, requested_at=f_requested_at, approved_by=f_approved_by, approved_at=f_approved_at, basis=f_basis, records=f_records, signature=None), i


def read_v3(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v3"""
    n = d[i]
    i += 1
    f_requested_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_requested_by = avro.ident(d[i : (i := i + 37)])
    f_requested_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_approved_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_approved_by = avro.ident(d[i : (i := i + 37)])
    f_approved_at, i = avro.long(d, i)
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_records, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_signature = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signature, i = avro.fixed(d, i, 64)
    return CaseErased(requested_by=f_requested_by, requested_at=f_requested_at, approved_by=f_approved_by, approved_at=f_approved_at, basis=f_basis, records=f_records, signature=f_signature), i


def write(x: CaseErased) -> bytes:
    """case-erased.v3"""
    return b"".join((
        b"\x00" if (v_requested_by := x.requested_by) is None else b"\x02" + avro.ident_bytes(v_requested_by),
        avro.LONGS[x.requested_at],
        b"\x00" if (v_approved_by := x.approved_by) is None else b"\x02" + avro.ident_bytes(v_approved_by),
        avro.LONGS[x.approved_at],
        avro.CODES[x.basis],
        avro.LONGS[x.records],
        b"\x00" if (v_signature := x.signature) is None else b"\x02" + avro.fixed_bytes(v_signature, 64),
    ))
