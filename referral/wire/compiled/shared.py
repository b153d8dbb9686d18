"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CauseKind, Claim, Consent, ConsentState, Counted, EntryKind, Facts, Head, Leaf, Meta, Passed, PolicySignature, RosterRow, Scheme, Signed, Traits, Why
from referral.wire import avro

ConsentState_V1 = {0: ConsentState.UNKNOWN, 2: ConsentState.GIVEN, 4: ConsentState.REFUSED, 6: ConsentState.WITHDRAWN, 8: ConsentState.NOT_ASKED}
ConsentState_BYTES = {ConsentState.UNKNOWN: b"\x00", ConsentState.GIVEN: b"\x02", ConsentState.REFUSED: b"\x04", ConsentState.WITHDRAWN: b"\x06", ConsentState.NOT_ASKED: b"\x08"}
CauseKind_V1 = {0: CauseKind.UNKNOWN, 2: CauseKind.RECORD, 4: CauseKind.DUE, 6: CauseKind.LOST}
CauseKind_BYTES = {CauseKind.UNKNOWN: b"\x00", CauseKind.RECORD: b"\x02", CauseKind.DUE: b"\x04", CauseKind.LOST: b"\x06"}
EntryKind_V1 = {0: EntryKind.UNKNOWN, 2: EntryKind.EVENT, 4: EntryKind.DECISION, 6: EntryKind.DISCLOSURE, 8: EntryKind.ERASURE, 10: EntryKind.POLICY, 12: EntryKind.QUARANTINE, 14: EntryKind.KEYS, 16: EntryKind.SCHEMA, 18: EntryKind.UNREADABLE, 20: EntryKind.FOREIGN, 22: EntryKind.FORK, 24: EntryKind.GAP, 26: EntryKind.FIGURE}
EntryKind_V2 = {0: EntryKind.UNKNOWN, 2: EntryKind.EVENT, 4: EntryKind.DECISION, 6: EntryKind.DISCLOSURE, 8: EntryKind.ERASURE, 10: EntryKind.POLICY, 12: EntryKind.QUARANTINE, 14: EntryKind.KEYS, 16: EntryKind.SCHEMA, 18: EntryKind.UNREADABLE, 20: EntryKind.FOREIGN, 22: EntryKind.FORK, 24: EntryKind.GAP, 26: EntryKind.FIGURE, 28: EntryKind.HEARTBEAT}
EntryKind_V3 = {0: EntryKind.UNKNOWN, 2: EntryKind.EVENT, 4: EntryKind.DECISION, 6: EntryKind.DISCLOSURE, 8: EntryKind.ERASURE, 10: EntryKind.POLICY, 12: EntryKind.QUARANTINE, 14: EntryKind.KEYS, 16: EntryKind.SCHEMA, 18: EntryKind.UNREADABLE, 20: EntryKind.FOREIGN, 22: EntryKind.FORK, 24: EntryKind.GAP, 26: EntryKind.FIGURE, 28: EntryKind.HEARTBEAT, 30: EntryKind.READING, 32: EntryKind.COVER, 34: EntryKind.ADMINISTRATION}
EntryKind_BYTES = {EntryKind.UNKNOWN: b"\x00", EntryKind.EVENT: b"\x02", EntryKind.DECISION: b"\x04", EntryKind.DISCLOSURE: b"\x06", EntryKind.ERASURE: b"\x08", EntryKind.POLICY: b"\x0a", EntryKind.QUARANTINE: b"\x0c", EntryKind.KEYS: b"\x0e", EntryKind.SCHEMA: b"\x10", EntryKind.UNREADABLE: b"\x12", EntryKind.FOREIGN: b"\x14", EntryKind.FORK: b"\x16", EntryKind.GAP: b"\x18", EntryKind.FIGURE: b"\x1a", EntryKind.HEARTBEAT: b"\x1c", EntryKind.READING: b"\x1e", EntryKind.COVER: b"\x20", EntryKind.ADMINISTRATION: b"\x22"}
Scheme_V1 = {0: Scheme.UNKNOWN, 2: Scheme.HTTP, 4: Scheme.CLOUDEVENT}
Scheme_BYTES = {Scheme.UNKNOWN: b"\x00", Scheme.HTTP: b"\x02", Scheme.CLOUDEVENT: b"\x04"}


def read_claim_v1(d: bytes, i: int) -> tuple[Claim, int]:
    """claim.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_key, i = avro.fixed(d, i, 32)
    f_body, i = avro.fixed(d, i, 32)
    return Claim(agency=f_agency, key=f_key, body=f_body), i


def write_claim(x: Claim) -> bytes:
    """claim.v1"""
    return b"".join((
        avro.CODES[x.agency],
        avro.fixed_bytes(x.key, 32),
        avro.fixed_bytes(x.body, 32),
    ))


def read_consent_v1(d: bytes, i: int) -> tuple[Consent, int]:
    """consent.v1"""
    f_state = ConsentState_V1[d[i]]
    i += 1
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_giver = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_scope, i = avro.codes(d, i)
    else:
        f_scope = ()
        i += 1
    if d[i]:
        f_recipients, i = avro.codes(d, i)
    else:
        f_recipients = ()
        i += 1
    n = d[i]
    i += 1
    f_until = None
    if n:
        if n != 2:
            avro.fail("union")
        f_until, i = avro.long(d, i)
    return Consent(state=f_state, basis=f_basis, giver=f_giver, scope=f_scope, recipients=f_recipients, until=f_until), i


def write_consent(x: Consent) -> bytes:
    """consent.v1"""
    return b"".join((
        ConsentState_BYTES[x.state],
        avro.CODES[x.basis],
        avro.CODES[x.giver],
        avro.codes_bytes(x.scope),
        avro.codes_bytes(x.recipients),
        b"\x00" if (v_until := x.until) is None else b"\x02" + avro.LONGS[v_until],
    ))


def read_counted_v1(d: bytes, i: int) -> tuple[Counted, int]:
    """counted.v1"""
    f_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_count = None
    if n:
        if n != 2:
            avro.fail("union")
        f_count, i = avro.long(d, i)
    return Counted(what=f_what, count=f_count), i


def write_counted(x: Counted) -> bytes:
    """counted.v1"""
    return b"".join((
        avro.CODES[x.what],
        b"\x00" if (v_count := x.count) is None else b"\x02" + avro.LONGS[v_count],
    ))


def read_facts_v1(d: bytes, i: int) -> tuple[Facts, int]:
    """facts.v1"""
    f_now, i = avro.long(d, i)
    n = d[i]
    if n > 0x7F:
        f_engine, i = avro.int32(d, i)
    else:
        f_engine = (n >> 1) ^ -(n & 1)
        i += 1
    f_free, i = avro.mapping(d, i, avro.int32)
    n = d[i]
    i += 1
    f_bundle = None
    if n:
        if n != 2:
            avro.fail("union")
        n = d[i]
        if n > 0x7F:
            f_bundle, i = avro.int32(d, i)
        else:
            f_bundle = (n >> 1) ^ -(n & 1)
            i += 1
    return Facts(now=f_now, engine=f_engine, free=f_free, bundle=f_bundle), i


def write_facts(x: Facts) -> bytes:
    """facts.v1"""
    return b"".join((
        avro.LONGS[x.now],
        avro.INTS[x.engine],
        avro.mapping_bytes(x.free, avro.INTS.__getitem__),
        b"\x00" if (v_bundle := x.bundle) is None else b"\x02" + avro.INTS[v_bundle],
    ))


def read_head_v1(d: bytes, i: int) -> tuple[Head, int]:
    """head.v1"""
    f_kind = CauseKind_V1[d[i]]
    i += 1
    f_topic = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_partition, i = avro.int32(d, i)
    else:
        f_partition = (n >> 1) ^ -(n & 1)
        i += 1
    f_offset, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_lost_seq = None
    if n:
        if n != 2:
            avro.fail("union")
        f_lost_seq, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_lost_reason = None
    if n:
        if n != 2:
            avro.fail("union")
        f_lost_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_facts, i = read_facts_v1(d, i)
    return Head(kind=f_kind, topic=f_topic, partition=f_partition, offset=f_offset, due=f_due, lost_seq=f_lost_seq, lost_reason=f_lost_reason, facts=f_facts), i


def write_head(x: Head) -> bytes:
    """head.v1"""
    return b"".join((
        CauseKind_BYTES[x.kind],
        avro.CODES[x.topic],
        avro.INTS[x.partition],
        avro.LONGS[x.offset],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        b"\x00" if (v_lost_seq := x.lost_seq) is None else b"\x02" + avro.LONGS[v_lost_seq],
        b"\x00" if (v_lost_reason := x.lost_reason) is None else b"\x02" + avro.CODES[v_lost_reason],
        write_facts(x.facts),
    ))


def read_leaf_v1(d: bytes, i: int) -> tuple[Leaf, int]:
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


def read_leaf_v2(d: bytes, i: int) -> tuple[Leaf, int]:
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


def read_leaf_v3(d: bytes, i: int) -> tuple[Leaf, int]:
    """leaf.v3"""
    f_kind = EntryKind_V3[d[i]]
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


def write_leaf(x: Leaf) -> bytes:
    """leaf.v3"""
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


def read_meta_v1(d: bytes, i: int) -> tuple[Meta, int]:
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


def write_meta(x: Meta) -> bytes:
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


def read_passed_v1(d: bytes, i: int) -> tuple[Passed, int]:
    """passed.v1"""
    f_service = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return Passed(service=f_service, reason=f_reason), i


def write_passed(x: Passed) -> bytes:
    """passed.v1"""
    return b"".join((
        avro.CODES[x.service],
        avro.CODES[x.reason],
    ))


def read_policy_signature_v1(d: bytes, i: int) -> tuple[PolicySignature, int]:
    """policy-signature.v1"""
    f_public, i = avro.fixed(d, i, 32)
    f_signature, i = avro.fixed(d, i, 64)
    return PolicySignature(public=f_public, signature=f_signature), i


def write_policy_signature(x: PolicySignature) -> bytes:
    """policy-signature.v1"""
    return b"".join((
        avro.fixed_bytes(x.public, 32),
        avro.fixed_bytes(x.signature, 64),
    ))


def read_roster_row_v1(d: bytes, i: int) -> tuple[RosterRow, int]:
    """roster-row.v1"""
    f_part = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_number, i = avro.long(d, i)
    f_ended = avro.BOOLEANS[d[i]]
    i += 1
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_account = None
    if n:
        if n != 2:
            avro.fail("union")
        f_account = avro.ident(d[i : (i := i + 37)])
    if d[i]:
        f_rungs, i = avro.codes(d, i)
    else:
        f_rungs = ()
        i += 1
    f_channel = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_disabled = avro.BOOLEANS[d[i]]
    i += 1
    n = d[i]
    if n > 0x7F:
        f_weekday, i = avro.int32(d, i)
    else:
        f_weekday = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_start_minute, i = avro.int32(d, i)
    else:
        f_start_minute = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_end_minute, i = avro.int32(d, i)
    else:
        f_end_minute = (n >> 1) ^ -(n & 1)
        i += 1
    f_since = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_until = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_starts = None
    if n:
        if n != 2:
            avro.fail("union")
        f_starts, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_ends = None
    if n:
        if n != 2:
            avro.fail("union")
        f_ends, i = avro.long(d, i)
    return RosterRow(part=f_part, number=f_number, ended=f_ended, agency=f_agency, account=f_account, rungs=f_rungs, channel=f_channel, disabled=f_disabled, weekday=f_weekday, start_minute=f_start_minute, end_minute=f_end_minute, since=f_since, until=f_until, starts=f_starts, ends=f_ends), i


def write_roster_row(x: RosterRow) -> bytes:
    """roster-row.v1"""
    return b"".join((
        avro.CODES[x.part],
        avro.LONGS[x.number],
        avro.BOOLEAN_BYTES[x.ended],
        avro.CODES[x.agency],
        b"\x00" if (v_account := x.account) is None else b"\x02" + avro.ident_bytes(v_account),
        avro.codes_bytes(x.rungs),
        avro.CODES[x.channel],
        avro.BOOLEAN_BYTES[x.disabled],
        avro.INTS[x.weekday],
        avro.INTS[x.start_minute],
        avro.INTS[x.end_minute],
        avro.CODES[x.since],
        avro.CODES[x.until],
        b"\x00" if (v_starts := x.starts) is None else b"\x02" + avro.LONGS[v_starts],
        b"\x00" if (v_ends := x.ends) is None else b"\x02" + avro.LONGS[v_ends],
    ))


def read_signed_v1(d: bytes, i: int) -> tuple[Signed, int]:
    """signed.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_public, i = avro.fixed(d, i, 32)
    f_scheme = Scheme_V1[d[i]]
    i += 1
    f_base, i = avro.blob(d, i)
    f_signature, i = avro.fixed(d, i, 64)
    f_sequence, i = avro.long(d, i)
    return Signed(agency=f_agency, public=f_public, scheme=f_scheme, base=f_base, signature=f_signature, sequence=f_sequence), i


def write_signed(x: Signed) -> bytes:
    """signed.v1"""
    return b"".join((
        avro.CODES[x.agency],
        avro.fixed_bytes(x.public, 32),
        Scheme_BYTES[x.scheme],
        avro.blob_bytes(x.base),
        avro.fixed_bytes(x.signature, 64),
        avro.LONGS[x.sequence],
    ))


def read_traits_v1(d: bytes, i: int) -> tuple[Traits, int]:
    """traits.v1"""
    f_concern = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_age = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_age_band = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_sex = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_found_in = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_home = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_urgency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_origin = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_asylum = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_languages, i = avro.codes(d, i)
    else:
        f_languages = ()
        i += 1
    if d[i]:
        f_flags, i = avro.codes(d, i)
    else:
        f_flags = ()
        i += 1
    return Traits(concern=f_concern, age=f_age, age_band=f_age_band, sex=f_sex, found_in=f_found_in, home=f_home, urgency=f_urgency, origin=f_origin, asylum=f_asylum, languages=f_languages, flags=f_flags), i


def write_traits(x: Traits) -> bytes:
    """traits.v1"""
    return b"".join((
        avro.CODES[x.concern],
        avro.CODES[x.age],
        avro.CODES[x.age_band],
        avro.CODES[x.sex],
        avro.CODES[x.found_in],
        avro.CODES[x.home],
        avro.CODES[x.urgency],
        avro.CODES[x.origin],
        avro.CODES[x.asylum],
        avro.codes_bytes(x.languages),
        avro.codes_bytes(x.flags),
    ))


def read_why_v1(d: bytes, i: int) -> tuple[Why, int]:
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
    f_passed, i = avro.many(d, i, read_passed_v1)
    return Why(rule=f_rule, procedure=f_procedure, directory=f_directory, engine=f_engine, passed=f_passed), i


def write_why(x: Why) -> bytes:
    """why.v1"""
    return b"".join((
        avro.CODES[x.rule],
        avro.LONG_CODES[x.procedure],
        avro.LONG_CODES[x.directory],
        avro.INTS[x.engine],
        avro.many_bytes(x.passed, write_passed),
    ))
