"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ConsentChanged
from referral.wire import avro
from referral.wire.compiled import claim
from referral.wire.compiled import consent
from referral.wire.compiled import signed


def read_v1(d: bytes, i: int) -> tuple[ConsentChanged, int]:
    """consent-changed.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_consent, i = consent.read_v1(d, i)
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
    return ConsentChanged(agency=f_agency, consent=f_consent, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write(x: ConsentChanged) -> bytes:
    """consent-changed.v1"""
    return b"".join((
        avro.CODES[x.agency],
        consent.write(x.consent),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + claim.write(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + signed.write(v_signed),
    ))
