"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import TraitsChanged
from referral.wire import avro
from referral.wire.compiled import claim
from referral.wire.compiled import signed
from referral.wire.compiled import traits


def read_v1(d: bytes, i: int) -> tuple[TraitsChanged, int]:
    """traits-changed.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_traits, i = traits.read_v1(d, i)
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = claim.read_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = signed.read_v1(d, i)
    return TraitsChanged(agency=f_agency, by=f_by, traits=f_traits, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write(x: TraitsChanged) -> bytes:
    """traits-changed.v1"""
    return b"".join((
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        traits.write(x.traits),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + claim.write(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + signed.write(v_signed),
    ))
