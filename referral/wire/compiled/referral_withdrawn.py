"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ReferralWithdrawn
from referral.wire import avro
from referral.wire.compiled import claim
from referral.wire.compiled import signed


def read_v1(d: bytes, i: int) -> tuple[ReferralWithdrawn, int]:
    """referral-withdrawn.v1"""
    f_referral_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
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
    return ReferralWithdrawn(referral_id=f_referral_id, agency=f_agency, reason=f_reason, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write(x: ReferralWithdrawn) -> bytes:
    """referral-withdrawn.v1"""
    return b"".join((
        avro.ident_bytes(x.referral_id),
        avro.CODES[x.agency],
        avro.CODES[x.reason],
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + claim.write(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + signed.write(v_signed),
    ))
