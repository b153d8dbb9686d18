"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Quarantined
from referral.wire import avro


def read_quarantined_v1(d: bytes, i: int) -> tuple[Quarantined, int]:
    """quarantined.v1"""
    f_topic = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_partition, i = avro.int32(d, i)
    else:
        f_partition = (n >> 1) ^ -(n & 1)
        i += 1
    f_offset, i = avro.long(d, i)
    f_reader = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_case_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_case_id = avro.ident(d[i : (i := i + 37)])
    f_case_seq, i = avro.long(d, i)
    f_at, i = avro.long(d, i)
    f_nonce, i = avro.fixed(d, i, 12)
    f_sealed, i = avro.blob(d, i)
    return Quarantined(topic=f_topic, partition=f_partition, offset=f_offset, reader=f_reader, reason=f_reason, case_id=f_case_id, case_seq=f_case_seq, at=f_at, nonce=f_nonce, sealed=f_sealed, length=0, sha256=None), i


def read_quarantined_v2(d: bytes, i: int) -> tuple[Quarantined, int]:
    """quarantined.v2"""
    f_topic = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_partition, i = avro.int32(d, i)
    else:
        f_partition = (n >> 1) ^ -(n & 1)
        i += 1
    f_offset, i = avro.long(d, i)
    f_reader = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_case_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_case_id = avro.ident(d[i : (i := i + 37)])
    f_case_seq, i = avro.long(d, i)
    f_at, i = avro.long(d, i)
    f_nonce, i = avro.fixed(d, i, 12)
    f_sealed, i = avro.blob(d, i)
    f_length, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_sha256 = None
    if n:
        if n != 2:
            avro.fail("union")
        f_sha256, i = avro.blob(d, i)
    return Quarantined(topic=f_topic, partition=f_partition, offset=f_offset, reader=f_reader, reason=f_reason, case_id=f_case_id, case_seq=f_case_seq, at=f_at, nonce=f_nonce, sealed=f_sealed, length=f_length, sha256=f_sha256), i


def write_quarantined(x: Quarantined) -> bytes:
    """quarantined.v2"""
    return b"".join((
        avro.CODES[x.topic],
        avro.INTS[x.partition],
        avro.LONGS[x.offset],
        avro.CODES[x.reader],
        avro.CODES[x.reason],
        b"\x00" if (v_case_id := x.case_id) is None else b"\x02" + avro.ident_bytes(v_case_id),
        avro.LONGS[x.case_seq],
        avro.LONGS[x.at],
        avro.fixed_bytes(x.nonce, 12),
        avro.blob_bytes(x.sealed),
        avro.LONGS[x.length],
        b"\x00" if (v_sha256 := x.sha256) is None else b"\x02" + avro.blob_bytes(v_sha256),
    ))
