"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Claim
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[Claim, int]:
    """claim.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_key, i = avro.fixed(d, i, 32)
    f_body, i = avro.fixed(d, i, 32)
    return Claim(agency=f_agency, key=f_key, body=f_body), i


def write(x: Claim) -> bytes:
    """claim.v1"""
    return b"".join((
        avro.CODES[x.agency],
        avro.fixed_bytes(x.key, 32),
        avro.fixed_bytes(x.body, 32),
    ))
