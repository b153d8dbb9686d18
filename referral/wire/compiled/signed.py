"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Scheme, Signed
from referral.wire import avro

Scheme_V1 = {0: Scheme.UNKNOWN, 2: Scheme.HTTP, 4: Scheme.CLOUDEVENT}
Scheme_BYTES = {Scheme.UNKNOWN: b"\x00", Scheme.HTTP: b"\x02", Scheme.CLOUDEVENT: b"\x04"}


def read_v1(d: bytes, i: int) -> tuple[Signed, int]:
    """signed.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_public, i = avro.fixed(d, i, 32)
    f_scheme = Scheme_V1[d[i]]
    i += 1
    f_base, i = avro.blob(d, i)
    f_signature, i = avro.fixed(d, i, 64)
    f_sequence, i = avro.long(d, i)
    return Signed(agency=f_agency, public=f_public, scheme=f_scheme, base=f_base, signature=f_signature, sequence=f_sequence), i


def write(x: Signed) -> bytes:
    """signed.v1"""
    return b"".join((
        avro.CODES[x.agency],
        avro.fixed_bytes(x.public, 32),
        Scheme_BYTES[x.scheme],
        avro.blob_bytes(x.base),
        avro.fixed_bytes(x.signature, 64),
        avro.LONGS[x.sequence],
    ))
