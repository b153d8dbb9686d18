"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ReferralWithdrawn
from referral.wire import atoms


def read_v1(d: bytes, i: int) -> tuple[ReferralWithdrawn, int]:
    """referral-withdrawn.v1"""
    f_referral_id = atoms.ident(d[i : (i := i + 37)])
    f_agency = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reason = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_received_at, i = atoms.long(d, i)
    return ReferralWithdrawn(referral_id=f_referral_id, agency=f_agency, reason=f_reason, received_at=f_received_at), i


def write(x: ReferralWithdrawn) -> bytes:
    """referral-withdrawn.v1"""
    return b"".join((
        atoms.ident_bytes(x.referral_id),
        atoms.CODES[x.agency],
        atoms.CODES[x.reason],
        atoms.LONGS[x.received_at],
    ))
