"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Scheme, Signed
from referral.wire import atoms

Scheme_V1 = {0: Scheme.UNKNOWN, 2: Scheme.HTTP, 4: Scheme.CLOUDEVENT}
Scheme_BYTES = {Scheme.UNKNOWN: b"\x00", Scheme.HTTP: b"\x02", Scheme.CLOUDEVENT: b"\x04"}


def read_v1(d: bytes, i: int) -> tuple[Signed, int]:
    """signed.v1"""
    f_agency = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_public, i = atoms.fixed(d, i, 32)
    f_scheme = Scheme_V1[d[i]]
    i += 1
    f_base, i = atoms.blob(d, i)
    f_signature, i = atoms.fixed(d, i, 64)
    f_sequence, i = atoms.long(d, i)
    return Signed(agency=f_agency, public=f_public, scheme=f_scheme, base=f_base, signature=f_signature, sequence=f_sequence), i


def write(x: Signed) -> bytes:
    """signed.v1"""
    return b"".join((
        atoms.CODES[x.agency],
        atoms.fixed_bytes(x.public, 32),
        Scheme_BYTES[x.scheme],
        atoms.blob_bytes(x.base),
        atoms.fixed_bytes(x.signature, 64),
        atoms.LONGS[x.sequence],
    ))
