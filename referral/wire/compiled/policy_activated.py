"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import PolicyActivated
from referral.wire import atoms


def read_v1(d: bytes, i: int) -> tuple[PolicyActivated, int]:
    """policy-activated.v1"""
    f_number, i = atoms.long(d, i)
    f_digest, i = atoms.long_code(d, i)
    f_at, i = atoms.long(d, i)
    f_files, i = atoms.mapping(d, i, atoms.blob)
    return PolicyActivated(number=f_number, digest=f_digest, at=f_at, files=f_files), i


def write(x: PolicyActivated) -> bytes:
    """policy-activated.v1"""
    return b"".join((
        atoms.LONGS[x.number],
        atoms.LONG_CODES[x.digest],
        atoms.LONGS[x.at],
        atoms.mapping_bytes(x.files, atoms.blob_bytes),
    ))
