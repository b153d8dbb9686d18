"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import PolicyActivated
from referral.wire import avro
from referral.wire.compiled import shared


def read_policy_activated_v1(d: bytes, i: int) -> tuple[PolicyActivated, int]:
    """policy-activated.v1"""
    f_number, i = avro.long(d, i)
    f_digest, i = avro.long_code(d, i)
    f_at, i = avro.long(d, i)
    f_files, i = avro.mapping(d, i, avro.blob)
    return PolicyActivated(number=f_number, digest=f_digest, at=f_at, files=f_files, valid_from=0, before='', signatures=()), i


def read_policy_activated_v2(d: bytes, i: int) -> tuple[PolicyActivated, int]:
    """policy-activated.v2"""
    f_number, i = avro.long(d, i)
    f_digest, i = avro.long_code(d, i)
    f_at, i = avro.long(d, i)
    f_files, i = avro.mapping(d, i, avro.blob)
    f_valid_from, i = avro.long(d, i)
    f_before, i = avro.long_code(d, i)
    f_signatures, i = avro.many(d, i, shared.read_policy_signature_v1)
    return PolicyActivated(number=f_number, digest=f_digest, at=f_at, files=f_files, valid_from=f_valid_from, before=f_before, signatures=f_signatures), i


def write_policy_activated(x: PolicyActivated) -> bytes:
    """policy-activated.v2"""
    return b"".join((
        avro.LONGS[x.number],
        avro.LONG_CODES[x.digest],
        avro.LONGS[x.at],
        avro.mapping_bytes(x.files, avro.blob_bytes),
        avro.LONGS[x.valid_from],
        avro.LONG_CODES[x.before],
        avro.many_bytes(x.signatures, shared.write_policy_signature),
    ))
