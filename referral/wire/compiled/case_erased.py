"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CaseErased
from referral.wire import atoms


def read_v1(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v1"""
    return CaseErased(), i


def write(x: CaseErased) -> bytes:
    """case-erased.v1"""
    return b""
