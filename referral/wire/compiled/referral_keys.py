"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CaseKey
from referral.wire import avro


def read_case_key_v1(d: bytes, i: int) -> tuple[CaseKey, int]:
    """case-key.v1"""
    f_wrapped, i = avro.blob(d, i)
    return CaseKey(wrapped=f_wrapped), i


def write_case_key(x: CaseKey) -> bytes:
    """case-key.v1"""
    return b"".join((
        avro.blob_bytes(x.wrapped),
    ))
