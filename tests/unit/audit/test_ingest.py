"""What audit makes of the records that it reads: entries, counted repeats, forks, gaps."""

from __future__ import annotations

import random

from aiokafka import TopicPartition
from msgspec import structs

from referral.domain.events import CaseErased, PolicyActivated, RungFailed
from referral.proof.entry import Kind, digest, leaf
from referral.runtime.kafka.fetched import MARK, NAMELESS, TORN, Bytes, Fetched
from referral.runtime.loop import decode
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Unit
from referral.wire import codec, headers, policy_digest
from referral.wire import leaf as wire
from services.audit.ingest import Known, ingest
from tests.harness import malformed
from tests.harness.audit_records import CASE, PARTITION, TOPIC, record, value
from tests.harness.erased import PLAIN


def test_a_record_is_kept_exactly_with_its_place_and_meta() -> None:
    data = value(1)
    (entry,) = ingest([record(data, 40)], Known(size=8, now=3)).entries
    assert (entry.idx, entry.topic, entry.partition, entry.offset, entry.kafka_time, entry.logged_at) == (8, TOPIC, PARTITION, 40, 17, 3)
    assert (entry.value, entry.sha256, entry.key) == (data, digest(data), CASE.encode())
    assert (entry.kind, entry.type, entry.case_id, entry.case_seq) == (Kind.EVENT, RungFailed.TYPE, CASE, 1)


def test_the_same_bytes_again_are_counted_and_not_logged() -> None:
    read = ingest([record(value(1), 0), record(value(2), 1), record(value(1), 2), record(value(2), 3)], Known())
    assert [e.case_seq for e in read.entries] == [1, 2]
    assert read.repeats == {(TOPIC, PARTITION): (2, 3)}


def test_the_same_sequence_with_other_bytes_is_an_entry_and_an_alarm() -> None:
    read = ingest([record(value(1), 0), record(value(1, rung=4), 1), record(value(2), 2)], Known())
    assert [e.kind for e in read.entries] == [Kind.EVENT, Kind.FORK, Kind.EVENT]
    assert read.alarms == [read.entries[1]]


def test_an_older_sequence_with_other_bytes_is_a_fork_too() -> None:
    """Readers keep the digest of a case's last record only; audit has all of them, also of batches before."""
    known = Known(size=3, sequences={(TOPIC, CASE): 3}, hashes={(TOPIC, CASE, 1): digest(value(1))})
    read = ingest([record(value(1, rung=4), 3), record(value(1), 4)], known)
    assert [(e.kind, e.case_seq) for e in read.entries] == [(Kind.FORK, 1)] and read.alarms == read.entries


def test_a_gap_is_logged_in_front_of_the_record_that_shows_it() -> None:
    read = ingest([record(value(1), 0), record(value(4), 1), record(value(5), 2)], Known())
    assert [e.kind for e in read.entries] == [Kind.EVENT, Kind.GAP, Kind.EVENT, Kind.EVENT]
    assert [e.idx for e in read.entries] == [0, 1, 2, 3]
    assert b'"came":4' in read.entries[1].value and b'"expected":2' in read.entries[1].value
    assert read.alarms == [read.entries[1]]


def test_the_log_before_counts() -> None:
    known = Known(size=2, sequences={(TOPIC, CASE): 2}, hashes={(TOPIC, CASE, 2): digest(value(2))}, positions={(TOPIC, PARTITION, 9)})
    read = ingest([record(value(9), 9), record(value(2), 10), record(value(3), 11)], known)
    assert [(e.idx, e.kind, e.case_seq) for e in read.entries] == [(2, Kind.EVENT, 3)]


def test_what_is_none_of_ours_is_kept_too() -> None:
    read = ingest([record(b"", 0), record(b"\x00garbage", 1, key=None), record(value(1) + b"x", 2)], Known())
    assert [e.kind for e in read.entries] == [Kind.UNREADABLE] * 3
    assert [e.value for e in read.entries] == [b"", b"\x00garbage", value(1) + b"x"]
    assert not read.alarms


def test_a_record_in_the_wrong_place_is_foreign_and_moves_no_sequence() -> None:
    other_key, other_topic = record(value(1), 0, key=b"x"), record(value(1), 1, "referral-routing")
    read = ingest([other_key, other_topic, record(value(1), 2)], Known())
    assert [e.kind for e in read.entries] == [Kind.FOREIGN, Kind.FOREIGN, Kind.EVENT]


def test_erasure_and_policy_have_their_kinds() -> None:
    files = {"a.yaml": b"a"}
    body = PolicyActivated(number=1, digest=policy_digest.digest(files), at=1, files=files, valid_from=0, before="")
    told = headers.plain(PolicyActivated.TYPE, id=CASE, source="routing", at=1)
    data = codec.encode(body)
    first = record(data, 0, PolicyActivated.TOPIC, b"1", told)
    again = record(data, 1, PolicyActivated.TOPIC, b"1", told)
    other = record(codec.encode(structs.replace(body, at=2)), 2, PolicyActivated.TOPIC, b"1", told)
    erased = value(1, body=PLAIN, topic=CaseErased.TOPIC)
    read = ingest([first, again, other, record(erased, 0, CaseErased.TOPIC)], Known())
    assert [e.kind for e in read.entries] == [Kind.POLICY, Kind.POLICY, Kind.ERASURE]
    assert read.repeats == {(PolicyActivated.TOPIC, PARTITION): (1, 1)}


def test_a_leaf_of_the_first_version_is_still_read() -> None:
    """Leaves stand in the tree for ever: what was hashed is what is read, whatever version a program writes now."""
    (entry,) = ingest([record(value(1), 40)], Known(size=8, now=3)).entries
    now = leaf(entry)
    then = wire.MARK + codec.fingerprint("leaf.v1").to_bytes(8, "little", signed=True) + now[len(wire.HEAD) :]
    assert now.startswith(wire.HEAD) and then != now and wire.decode(then) == wire.decode(now)


def test_a_batch_that_nobody_decodes_is_kept_with_why_and_a_header_name_that_is_no_text_with_its_bytes() -> None:
    """They are what the topic holds; an export that leaves them out would not be of that topic."""
    torn, odd = malformed.deltas(random.Random(1)), malformed.batch(malformed.record(headers=((b"\xff", b"1"),)), base=2)
    found = list(Fetched(TopicPartition(TOPIC, PARTITION), Bytes(torn + odd), None, 0, None, None, True, 1))
    unit = Unit("all", 1, {})
    entries = ingest([decode.raw(Taken(unit, (TOPIC, PARTITION), one)) for one in found], Known()).entries
    assert [(e.kind, e.offset) for e in entries] == [(Kind.UNREADABLE, 1), (Kind.UNREADABLE, 2)]
    assert dict(entries[0].headers)[MARK] == TORN.encode() and entries[0].value == torn
    assert entries[1].headers == tuple(zip(NAMELESS, (b"\xff", b"1"), strict=True))
    assert all(wire.decode(leaf(e)).offset == e.offset for e in entries)
