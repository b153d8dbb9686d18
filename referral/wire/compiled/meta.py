"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Meta
from referral.wire import avro


def read_v1(d: bytes, i: int) -> tuple[Meta, int]:
    """meta.v1"""
    f_event_id = avro.ident(d[i : (i := i + 37)])
    f_case_id = avro.ident(d[i : (i := i + 37)])
    f_case_seq, i = avro.long(d, i)
    f_type = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_fingerprint, i = avro.long(d, i)
    f_cause_id = avro.ident(d[i : (i := i + 37)])
    f_recorded_at, i = avro.long(d, i)
    f_source = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_drill = avro.BOOLEANS[d[i]]
    i += 1
    return Meta(event_id=f_event_id, case_id=f_case_id, case_seq=f_case_seq, type=f_type, fingerprint=f_fingerprint, cause_id=f_cause_id, recorded_at=f_recorded_at, source=f_source, drill=f_drill), i


def write(x: Meta) -> bytes:
    """meta.v1"""
    return b"".join((
        avro.ident_bytes(x.event_id),
        avro.ident_bytes(x.case_id),
        avro.LONGS[x.case_seq],
        avro.CODES[x.type],
        avro.LONGS[x.fingerprint],
        avro.ident_bytes(x.cause_id),
        avro.LONGS[x.recorded_at],
        avro.CODES[x.source],
        avro.BOOLEAN_BYTES[x.drill],
    ))
