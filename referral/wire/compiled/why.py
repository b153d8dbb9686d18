"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Why
from referral.wire import atoms
from referral.wire.compiled import passed


def read_v1(d: bytes, i: int) -> tuple[Why, int]:
    """why.v1"""
    f_rule = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_procedure, i = atoms.long_code(d, i)
    f_directory, i = atoms.long_code(d, i)
    n = d[i]
    if n > 0x7F:
        f_engine, i = atoms.int32(d, i)
    else:
        f_engine = (n >> 1) ^ -(n & 1)
        i += 1
    f_passed, i = atoms.many(d, i, passed.read_v1)
    return Why(rule=f_rule, procedure=f_procedure, directory=f_directory, engine=f_engine, passed=f_passed), i


def write(x: Why) -> bytes:
    """why.v1"""
    return b"".join((
        atoms.CODES[x.rule],
        atoms.LONG_CODES[x.procedure],
        atoms.LONG_CODES[x.directory],
        atoms.INTS[x.engine],
        atoms.many_bytes(x.passed, passed.write),
    ))
