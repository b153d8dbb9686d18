"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Passed
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[Passed, int]:
    """passed.v1"""
    f_service = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return Passed(service=f_service, reason=f_reason), i


def write(x: Passed) -> bytes:
    """passed.v1"""
    return b"".join((
        avro.CODES[x.service],
        avro.CODES[x.reason],
    ))
