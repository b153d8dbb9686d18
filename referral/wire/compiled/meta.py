"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Meta
from referral.wire import atoms


def read_v1(d: bytes, i: int) -> tuple[Meta, int]:
    """meta.v1"""
    f_event_id = atoms.ident(d[i : (i := i + 37)])
    f_case_id = atoms.ident(d[i : (i := i + 37)])
    f_case_seq, i = atoms.long(d, i)
    f_type = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_fingerprint, i = atoms.long(d, i)
    f_cause_id = atoms.ident(d[i : (i := i + 37)])
    f_recorded_at, i = atoms.long(d, i)
    f_source = atoms.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_drill = atoms.BOOLEANS[d[i]]
    i += 1
    return Meta(event_id=f_event_id, case_id=f_case_id, case_seq=f_case_seq, type=f_type, fingerprint=f_fingerprint, cause_id=f_cause_id, recorded_at=f_recorded_at, source=f_source, drill=f_drill), i


def write(x: Meta) -> bytes:
    """meta.v1"""
    return b"".join((
        atoms.ident_bytes(x.event_id),
        atoms.ident_bytes(x.case_id),
        atoms.LONGS[x.case_seq],
        atoms.CODES[x.type],
        atoms.LONGS[x.fingerprint],
        atoms.ident_bytes(x.cause_id),
        atoms.LONGS[x.recorded_at],
        atoms.CODES[x.source],
        atoms.BOOLEAN_BYTES[x.drill],
    ))
