"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Why
from referral.wire import avro
from referral.wire.compiled import passed


def read_v1(d: bytes, i: int) -> tuple[Why, int]:
    """why.v1"""
    f_rule = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_procedure, i = avro.long_code(d, i)
    f_directory, i = avro.long_code(d, i)
    n = d[i]
    if n > 0x7F:
        f_engine, i = avro.int32(d, i)
    else:
        f_engine = (n >> 1) ^ -(n & 1)
        i += 1
    f_passed, i = avro.many(d, i, passed.read_v1)
    return Why(rule=f_rule, procedure=f_procedure, directory=f_directory, engine=f_engine, passed=f_passed), i


def write(x: Why) -> bytes:
    """why.v1"""
    return b"".join((
        avro.CODES[x.rule],
        avro.LONG_CODES[x.procedure],
        avro.LONG_CODES[x.directory],
        avro.INTS[x.engine],
        avro.many_bytes(x.passed, passed.write),
    ))
