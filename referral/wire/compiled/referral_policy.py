"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import PolicyActivated
from referral.wire import avro


def read_policy_activated_v1(d: bytes, i: int) -> tuple[PolicyActivated, int]:
    """policy-activated.v1"""
    f_number, i = avro.long(d, i)
    f_digest, i = avro.long_code(d, i)
    f_at, i = avro.long(d, i)
    f_files, i = avro.mapping(d, i, avro.blob)
    return PolicyActivated(number=f_number, digest=f_digest, at=f_at, files=f_files), i


def write_policy_activated(x: PolicyActivated) -> bytes:
    """policy-activated.v1"""
    return b"".join((
        avro.LONGS[x.number],
        avro.LONG_CODES[x.digest],
        avro.LONGS[x.at],
        avro.mapping_bytes(x.files, avro.blob_bytes),
    ))
