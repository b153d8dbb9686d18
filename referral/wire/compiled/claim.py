"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Claim
from referral.wire import atoms


def read_v1(d: bytes, i: int) -> tuple[Claim, int]:
    """claim.v1"""
    f_agency = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_key, i = atoms.fixed(d, i, 32)
    f_body, i = atoms.fixed(d, i, 32)
    return Claim(agency=f_agency, key=f_key, body=f_body), i


def write(x: Claim) -> bytes:
    """claim.v1"""
    return b"".join((
        atoms.CODES[x.agency],
        atoms.fixed_bytes(x.key, 32),
        atoms.fixed_bytes(x.body, 32),
    ))
