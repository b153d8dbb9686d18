"""Vectors of the leaf, its digest `rest`, the kind of a record, ids, and the one form of Avro (sections 4 to 6 and 15.2)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import json, structs

from referral.domain.events import EVENTS, CauseKind, EntryKind, Facts, Head, InputIgnored, Leaf, Meta, Why
from referral.domain.inputs import RecordLost, Source, alarm_id, derived, lost_input
from referral.errors import Malformed, NewerVersion
from referral.proof.entry import Headers, Kind, rest, sort
from referral.tlog.merkle import leaf_hash
from referral.wire import avro, codec, seal, topics
from referral.wire import leaf as wire
from tests.vectors.form import Vector, VectorFile, bad, each_field, good

CASE, EVENT, CAUSE = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
OTHER = "00000000-0000-4000-8000-00000000000f"
AT = 1_800_000_000_000_000
"""µs: 15 January 2027."""
BASE = Leaf(
    kind=EntryKind.EVENT,
    logged_at=AT + 3,
    topic="referral-intake",
    partition=topics.partition(CASE),
    offset=41,
    kafka_time=(AT + 2000) // 1000,
    sha256=bytes([0xAA]) * 32,
    rest=bytes([0xBB]) * 32,
    event_id=EVENT,
    type="referral-submitted.v1",
    fingerprint=codec.fingerprint("referral-submitted.v1"),
    case_id=CASE,
    case_seq=1,
    cause_id=CAUSE,
    recorded_at=AT,
)
OTHERS: dict[str, Any] = {
    "kind": EntryKind.DECISION,
    "logged_at": 0,
    "topic": "",
    "partition": -1,
    "offset": -1,
    "kafka_time": 0,
    "sha256": bytes(32),
    "rest": bytes(32),
    "event_id": None,
    "type": "",
    "fingerprint": 0,
    "case_id": None,
    "case_seq": 0,
    "cause_id": None,
    "recorded_at": 0,
}
OWN = structs.replace(BASE, **{name: value for name, value in OTHERS.items() if name not in ("kind", "logged_at", "sha256", "rest")})
HEADS = {n: wire.MARK + codec.fingerprint(f"leaf.v{n}").to_bytes(8, "little", signed=True) for n in (1, 2, 3)}
KINDS = {
    Kind.EVENT: BASE,
    Kind.DECISION: structs.replace(BASE, topic="referral-routing", type="offer-opened.v1"),
    Kind.DISCLOSURE: structs.replace(BASE, type="section-disclosed.v1", fingerprint=codec.fingerprint("section-disclosed.v1"), case_seq=2),
    Kind.ERASURE: structs.replace(BASE, type="case-erased.v4", fingerprint=codec.fingerprint("case-erased.v4"), case_seq=3),
    Kind.POLICY: structs.replace(OWN, topic="referral-policy", partition=0, offset=0, kafka_time=BASE.kafka_time),
    Kind.QUARANTINE: structs.replace(OWN, topic="referral-quarantine", partition=0, offset=0, kafka_time=BASE.kafka_time),
    Kind.FIGURE: structs.replace(OWN, topic="oversight-feed", partition=0, offset=0, kafka_time=BASE.kafka_time),
    Kind.UNREADABLE: structs.replace(OWN, topic="referral-intake", partition=4, offset=7, kafka_time=BASE.kafka_time),
    Kind.FOREIGN: structs.replace(BASE, partition=(BASE.partition + 1) % 12),
    Kind.FORK: BASE,
    Kind.GAP: structs.replace(
        OWN, topic=BASE.topic, partition=BASE.partition, offset=BASE.offset, kafka_time=BASE.kafka_time, case_id=CASE
    ),
    Kind.KEYS: OWN,
    Kind.SCHEMA: structs.replace(OWN, type="offer-opened.v1", fingerprint=codec.fingerprint("offer-opened.v1")),
    Kind.HEARTBEAT: OWN,
    Kind.READING: OWN,
    Kind.COVER: OWN,
    Kind.ADMINISTRATION: OWN,
}
"""Kind → a leaf of it. A new kind needs one here, and a row in section 5."""


def leaf() -> VectorFile:
    return VectorFile("4, 5", list(_leaves()))


def _leaves() -> Iterator[Vector]:
    for kind in Kind:
        if kind is not Kind.UNKNOWN:
            yield _good(f"kind {kind}", structs.replace(KINDS[kind], kind=kind))
    for name, changed in each_field(BASE, OTHERS):
        yield _good(f"field {name}", changed)
    for version, kinds in ((1, 14), (2, 15)):
        newest = structs.replace(BASE, kind=[*Kind][kinds - 1])
        data = HEADS[version] + codec.encode(newest)
        assert wire.decode(data) == newest
        yield good(f"version {version}", version=version, bytes=data, hash=leaf_hash(data), leaf=newest)
        data = HEADS[version] + codec.encode(structs.replace(BASE, kind=[*Kind][kinds]))
        yield _bad(f"version {version} has no kind {kinds}", "the enum of this version is shorter", f"version {version}", data)
    data = wire.encode(BASE)
    yield _bad("a byte is left over", "a leaf ends with its last field", "kind EVENT", data + b"\0")
    yield _bad("a byte is missing", "a leaf ends with its last field", "kind EVENT", data[:-1])
    yield _bad("another mark", "a single object begins with c3 01", "kind EVENT", b"\xc3\x02" + data[2:])
    yield _bad("no version of today", "the fingerprint is of a newer program: NEWER_VERSION", "kind EVENT", data[:2] + bytes(8) + data[10:])
    long = data.replace(avro.LONGS[BASE.case_seq] + b"\x02\x48" + CAUSE.encode(), b"\x82\x00\x02\x48" + CAUSE.encode())
    yield _bad("a long in more bytes than it needs", "a number has one form", "kind EVENT", long)
    shout = structs.replace(BASE, event_id="0000000a-0000-4000-8000-000000000002")
    yield _bad("an id in upper case", "an id is in lower case", data=wire.encode(shout).replace(b"0000000a", b"0000000A"))
    yield _bad("a topic with a space", "a code is visible ASCII", "kind EVENT", data.replace(b"referral-intake", b"referral intake"))


def _good(name: str, value: Leaf) -> Vector:
    data = wire.encode(value)
    return good(name, version=3, bytes=data, hash=leaf_hash(data), leaf=value)


def _bad(name: str, why: str, base: str = "", data: bytes = b"") -> Vector:
    try:
        wire.decode(data)
    except (Malformed, NewerVersion):
        return bad(name, why, base, bytes=data)
    raise AssertionError(f"{name}: the leaf is read")


def rest_file() -> VectorFile:
    told: Headers = (("ce_type", b"referral.offer-opened.v1"), ("x", b""))
    parts: list[tuple[str, bytes | None, Headers]] = [
        ("no key, no headers: the eight zero bytes are there", None, ()),
        ("an empty key", b"", ()),
        ("a key", CASE.encode(), ()),
        ("headers without a key", None, told),
        ("key and headers", CASE.encode(), told),
        ("the same headers in another order", CASE.encode(), told[::-1]),
        ("a name that is not ASCII", None, (("\N{LATIN SMALL LETTER E WITH DIAERESIS}", b"\x00"),)),
    ]
    found = [good(name, key=key, headers=headers, rest=rest(key, headers)) for name, key, headers in parts]
    why = "the length of the key is written also where there is no key"
    return VectorFile(
        "4", [*found, bad("without the eight zero bytes", why, parts[0][0], key=None, headers=[], rest=sha256(bytes(1)).digest())]
    )


def kind() -> VectorFile:
    return VectorFile("5", list(_kinds()))


def _kinds() -> Iterator[Vector]:
    here = topics.partition(CASE)
    event, decision = _value("referral-submitted.v1"), _value("offer-opened.v1")
    for topic, partition, key, value, told, why in (
        ("referral-intake", here, CASE, event, "", "its key, partition and topic are its own"),
        ("referral-routing", here, CASE, decision, "", "every other type in this topic is a decision"),
        ("referral-intake", here, CASE, _value("section-disclosed.v1"), "", "a section was read"),
        ("referral-intake", here, CASE, _value("case-erased.v1"), "", "any version"),
        ("referral-intake", here, OTHER, event, "", "its key is another case"),
        ("referral-intake", (here + 1) % 12, CASE, event, "", "it is in the partition of others"),
        ("referral-routing", here, CASE, event, "", "its type belongs to another topic"),
        ("referral-routing", here, CASE, _value("instruction-given.v1"), "", "an older version is not held to its topic"),
        ("referral-intake", here, CASE, _value("referral-submitted.v1", seq=0), "", "sequences begin at 1"),
        ("referral-intake", here, CASE, event + b"\0", "", "a byte is left over"),
        ("referral-intake", here, CASE, b"hello", "", "no meta"),
        ("referral-policy", 0, "1", b"", "policy-activated.v2", "by its header"),
        ("referral-policy", 0, "1", b"", "policy-activated.v1", "by its header"),
        ("referral-quarantine", 0, "intake/referral-intake/3/9", b"", "quarantined.v2", "by its header"),
        ("oversight-feed", 0, "release/1", b"", "release-made.v1", "by its header"),
        ("oversight-feed", 0, "release/1/2027-01/2027-01//stage/all", b"", "figure-released.v1", "by its header"),
        ("referral-policy", 0, "1", b"", "offer-opened.v1", "no type of an open topic"),
        ("referral-policy", 0, "1", b"", "", "no header"),
        ("referral-policy", 0, "intake/referral-intake/3/9", b"", "quarantined.v2", "a type of another topic"),
        ("oversight-feed", 0, "1", b"", "policy-activated.v2", "a type of another topic"),
        ("referral-policy", 0, "k" * 1001, b"", "policy-activated.v2", "a key of more than 1,000 bytes"),
    ):
        headers: Headers = (("ce_type", b"referral." + told.encode()),) if told else ()
        found, _ = sort(topic, partition, key.encode(), value, headers)
        name = f"{found} in {topic}: {why}"
        yield good(name, topic=topic, partition=partition, key=key.encode(), headers=headers, value=value, kind=found)
    twice: Headers = (("ce_type", b"referral.policy-activated.v2"),) * 2
    found, _ = sort("referral-policy", 0, b"1", b"", twice)
    yield good(f"{found}: the header stands twice", topic="referral-policy", partition=0, key=b"1", headers=twice, value=b"", kind=found)


def _value(type_: str, seq: int = 1) -> bytes:
    meta = structs.replace(META, type=type_, fingerprint=codec.fingerprint(type_), case_seq=seq)
    return seal.seal(bytes([0x4B]) * 32, "referral-intake", meta, b"", bytes([0x4E]) * 12)


META = Meta(
    event_id=EVENT,
    case_id=CASE,
    case_seq=1,
    type="referral-submitted.v1",
    fingerprint=codec.fingerprint("referral-submitted.v1"),
    cause_id=CAUSE,
    recorded_at=AT,
    source="intake",
    drill=False,
)


def ids() -> VectorFile:
    """Ids that are derived, and partitions of cases."""
    found = [good(f"derive {name}", id=CAUSE, name_text=str(name), derived=derived(CAUSE, name)) for name in (0, 1, "offer:0", "track:2")]
    found.append(good("cause_id of an alarm", case_id=CASE, due=AT, seq=7, derived=alarm_id(CASE, AT, 7)))
    lost = lost_input(
        CASE, RecordLost(topic="referral-intake", seq=2, reason="gap"), Source(topic="referral-intake", partition=3, offset=9)
    )
    place = {"topic": "referral-intake", "lost_seq": 2, "partition": 3, "offset": 9}
    found.append(good("cause_id of a lost record", case_id=CASE, **place, derived=lost.id))
    return VectorFile(
        "5, 15.2", found + [good(f"partition of {one}", case_id=one, partition=topics.partition(one)) for one in (CASE, OTHER)]
    )


def avro_file() -> VectorFile:
    """The primitives, in their one form and in others."""
    forms: list[tuple[str, Any, Any, bytes]] = [
        *(("long", n, avro.long, avro.LONGS[n]) for n in (0, -1, 1, 63, 64, -65, 2**63 - 1, -(2**63))),
        *(("int", n, avro.int32, avro.INTS[n]) for n in (0, -1, 2**31 - 1, -(2**31))),
        ("boolean", True, avro.boolean, b"\x01"),
        ("code", "offer", avro.code, avro.CODES["offer"]),
        ("code", "x" * 63, avro.code, avro.CODES["x" * 63]),
        ("code of a digest", "f" * 64, avro.long_code, avro.LONG_CODES["f" * 64]),
        ("id", CASE, avro.ident_at, avro.ident_bytes(CASE)),
        ("bytes", b"\x00\x01", avro.blob, avro.blob_bytes(b"\x00\x01")),
        ("array of codes", (), lambda d, i: avro.many(d, i, avro.code), avro.codes_bytes(())),
        ("array of codes", ("b", "a"), lambda d, i: avro.many(d, i, avro.code), avro.codes_bytes(("b", "a"))),
        (
            "map of ints",
            {"a": 1, "b": -1},
            lambda d, i: avro.mapping(d, i, avro.int32),
            avro.mapping_bytes({"b": -1, "a": 1}, avro.INTS.__getitem__),
        ),
    ]
    found = []
    for of, value, read, data in forms:
        assert read(data, 0) == (value, len(data))
        held = b64encode(value).decode() if isinstance(value, bytes) else value
        found.append(good(f"{of}: {str(value)[:20]}", type=of, value_json=held, bytes=data))
    for of, why, read, data in (
        ("long", "not in the fewest bytes", avro.long, b"\x82\x00"),
        ("long", "more than 64 bits", avro.long, b"\xff" * 9 + b"\x02"),
        ("int", "more than 32 bits", avro.int32, b"\xfe\xff\xff\xff\x1f"),
        ("boolean", "neither 0 nor 1", avro.boolean, b"\x02"),
        ("code", "a space", avro.code, b"\x06a b"),
        ("code", "64 characters", avro.code, b"\x80\x01" + b"x" * 64),
        ("id", "upper case", avro.ident_at, b"\x48" + CASE.replace("f", "F").replace("0", "A").encode()),
        ("array of codes", "two blocks", lambda d, i: avro.many(d, i, avro.code), b"\x02\x02a\x02\x02b\x00"),
        ("array of codes", "a negative count", lambda d, i: avro.many(d, i, avro.code), b"\x01\x04\x02a\x00"),
        ("map of ints", "keys do not ascend", lambda d, i: avro.mapping(d, i, avro.int32), b"\x04\x02b\x00\x02a\x00\x00"),
        ("map of ints", "a key stands twice", lambda d, i: avro.mapping(d, i, avro.int32), b"\x04\x02a\x00\x02a\x00\x00"),
    ):
        try:
            _, end = read(data, 0)
        except (ValueError, IndexError, KeyError):
            end = -1
        assert end != len(data), (of, why)
        found.append(bad(f"{of}: {why}", why, type=of, bytes=data))
    return VectorFile("6", found)


def bodies() -> VectorFile:
    """Return the body of each type of event, from its made-up example, and of heads and facts in each form."""
    found = []
    for type_, struct in sorted(EVENTS.items()):
        data = codec.encode(json.decode((EXAMPLES / f"{type_}.json").read_bytes(), type=struct))
        fields = json.decode(json.encode(codec.decode(type_, codec.fingerprint(type_), data)))
        print_ = f"{codec.fingerprint(type_) & (1 << 64) - 1:016x}"
        found.append(good(type_, type=type_, fingerprint_text=print_, body=data, fields_json=fields))
    why = Why(rule="ignored", procedure="", directory="", engine=4, passed=())
    for name, head in (*_heads(), *((f"field {name}", head) for name, head in each_field(HEAD, HEADS_OTHER))):
        body = InputIgnored(head=head, why=why, reason="NOTHING_CHANGED")
        found.append(good(f"head: {name}", type=body.TYPE, body=codec.encode(body), fields_json=json.decode(json.encode(body))))
    for name, facts in each_field(FACTS, FACTS_OTHER):
        body = InputIgnored(head=structs.replace(HEAD, facts=facts), why=why, reason="NOTHING_CHANGED")
        found.append(good(f"facts: field {name}", type=body.TYPE, body=codec.encode(body), fields_json=json.decode(json.encode(body))))
    return VectorFile("6, 15.3", found)


EXAMPLES = Path(__file__).parents[2] / "examples" / "events"
FACTS = Facts(now=AT, engine=4, free={}, bundle=1)
FACTS_OTHER: dict[str, Any] = {"now": 0, "engine": 3, "free": {"shelter-b": 0, "shelter-a": 2}, "bundle": None}
HEAD = Head(kind=CauseKind.RECORD, topic="referral-intake", partition=3, offset=9, facts=FACTS)
HEADS_OTHER: dict[str, Any] = {
    "kind": CauseKind.LOST,
    "topic": "referral-notification",
    "partition": 4,
    "offset": 10,
    "due": AT,
    "lost_seq": 2,
    "lost_reason": "gap",
    "facts": structs.replace(FACTS, bundle=2),
}


def _heads() -> Iterator[tuple[str, Head]]:
    yield "of a record", HEAD
    yield "of an alarm", Head(kind=CauseKind.DUE, topic="", partition=-1, offset=-1, due=AT, facts=FACTS)
    yield "of a lost record", structs.replace(HEAD, kind=CauseKind.LOST, lost_seq=2, lost_reason="gap")
