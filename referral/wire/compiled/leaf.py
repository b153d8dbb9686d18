"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import EntryKind, Leaf
from referral.wire import avro

EntryKind_V1 = {0: EntryKind.UNKNOWN, 2: EntryKind.EVENT, 4: EntryKind.DECISION, 6: EntryKind.DISCLOSURE, 8: EntryKind.ERASURE, 10: EntryKind.POLICY, 12: EntryKind.QUARANTINE, 14: EntryKind.KEYS, 16: EntryKind.SCHEMA, 18: EntryKind.UNREADABLE, 20: EntryKind.FOREIGN, 22: EntryKind.FORK, 24: EntryKind.GAP, 26: EntryKind.FIGURE}
EntryKind_V2 = {0: EntryKind.UNKNOWN, 2: EntryKind.EVENT, 4: EntryKind.DECISION, 6: EntryKind.DISCLOSURE, 8: EntryKind.ERASURE, 10: EntryKind.POLICY, 12: EntryKind.QUARANTINE, 14: EntryKind.KEYS, 16: EntryKind.SCHEMA, 18: EntryKind.UNREADABLE, 20: EntryKind.FOREIGN, 22: EntryKind.FORK, 24: EntryKind.GAP, 26: EntryKind.FIGURE, 28: EntryKind.HEARTBEAT}
EntryKind_BYTES = {EntryKind.UNKNOWN: b"\x00", EntryKind.EVENT: b"\x02", EntryKind.DECISION: b"\x04", EntryKind.DISCLOSURE: b"\x06", EntryKind.ERASURE: b"\x08", EntryKind.POLICY: b"\x0a", EntryKind.QUARANTINE: b"\x0c", EntryKind.KEYS: b"\x0e", EntryKind.SCHEMA: b"\x10", EntryKind.UNREADABLE: b"\x12", EntryKind.FOREIGN: b"\x14", EntryKind.FORK: b"\x16", EntryKind.GAP: b"\x18", EntryKind.FIGURE: b"\x1a", EntryKind.HEARTBEAT: b"\x1c"}


def read_v1(d: bytes, i: int) -> tuple[Leaf, int]:
    """leaf.v1"""
    f_kind = EntryKind_V1[d[i]]
    i += 1
    f_logged_at, i = avro.long(d, i)
    f_topic = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_partition, i = avro.int32(d, i)
    else:
        f_partition = (n >> 1) ^ -(n & 1)
        i += 1
    f_offset, i = avro.long(d, i)
    f_kafka_time, i = avro.long(d, i)
    f_sha256, i = avro.fixed(d, i, 32)
    f_rest, i = avro.fixed(d, i, 32)
    n = d[i]
    i += 1
    f_event_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_event_id = avro.ident(d[i : (i := i + 37)])
    f_type = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_fingerprint, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_case_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_case_id = avro.ident(d[i : (i := i + 37)])
    f_case_seq, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_cause_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_cause_id = avro.ident(d[i : (i := i + 37)])
    f_recorded_at, i = avro.long(d, i)
    return Leaf(kind=f_kind, logged_at=f_logged_at, topic=f_topic, partition=f_partition, offset=f_offset, kafka_time=f_kafka_time, sha256=f_sha256, rest=f_rest, event_id=f_event_id, type=f_type, fingerprint=f_fingerprint, case_id=f_case_id, case_seq=f_case_seq, cause_id=f_cause_id, recorded_at=f_recorded_at), i


def read_v2(d: bytes, i: int) -> tuple[Leaf, int]:
    """leaf.v2"""
    f_kind = EntryKind_V2[d[i]]
    i += 1
    f_logged_at, i = avro.long(d, i)
    f_topic = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_partition, i = avro.int32(d, i)
    else:
        f_partition = (n >> 1) ^ -(n & 1)
        i += 1
    f_offset, i = avro.long(d, i)
    f_kafka_time, i = avro.long(d, i)
    f_sha256, i = avro.fixed(d, i, 32)
    f_rest, i = avro.fixed(d, i, 32)
    n = d[i]
    i += 1
    f_event_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_event_id = avro.ident(d[i : (i := i + 37)])
    f_type = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_fingerprint, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_case_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_case_id = avro.ident(d[i : (i := i + 37)])
    f_case_seq, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_cause_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_cause_id = avro.ident(d[i : (i := i + 37)])
    f_recorded_at, i = avro.long(d, i)
    return Leaf(kind=f_kind, logged_at=f_logged_at, topic=f_topic, partition=f_partition, offset=f_offset, kafka_time=f_kafka_time, sha256=f_sha256, rest=f_rest, event_id=f_event_id, type=f_type, fingerprint=f_fingerprint, case_id=f_case_id, case_seq=f_case_seq, cause_id=f_cause_id, recorded_at=f_recorded_at), i


def write(x: Leaf) -> bytes:
    """leaf.v2"""
    return b"".join((
        EntryKind_BYTES[x.kind],
        avro.LONGS[x.logged_at],
        avro.CODES[x.topic],
        avro.INTS[x.partition],
        avro.LONGS[x.offset],
        avro.LONGS[x.kafka_time],
        avro.fixed_bytes(x.sha256, 32),
        avro.fixed_bytes(x.rest, 32),
        b"\x00" if (v_event_id := x.event_id) is None else b"\x02" + avro.ident_bytes(v_event_id),
        avro.CODES[x.type],
        avro.LONGS[x.fingerprint],
        b"\x00" if (v_case_id := x.case_id) is None else b"\x02" + avro.ident_bytes(v_case_id),
        avro.LONGS[x.case_seq],
        b"\x00" if (v_cause_id := x.cause_id) is None else b"\x02" + avro.ident_bytes(v_cause_id),
        avro.LONGS[x.recorded_at],
    ))
