"""No fetched byte raises, none is read twice, each answer moves the position; what is good between what is bad is read as ever."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from referral.runtime.kafka import fetched
from referral.runtime.kafka.fetched import CHECKSUM, COMPRESSED, KEPT, NAMELESS, TORN, Bytes, Fetched, Undecodable
from tests.harness import malformed
from tests.harness.malformed import KINDS, batch, corpus, record

HERE = TopicPartition("ingress.school-drita", 0)
UNCOMMITTED, COMMITTED = 0, 1


def answer(data: bytes, at: int = 0, level: int = COMMITTED, aborted: Any = None) -> Fetched:
    return Fetched(HERE, Bytes(data), aborted, at, None, None, True, level)


def good(base: int, value: bytes = b"good") -> bytes:
    """As aiokafka's own writer makes it."""
    made = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=99999
    )
    made.append(0, timestamp=7, key=b"k", value=value, headers=[("ce_id", b"1")])
    return base.to_bytes(8, "big") + bytes(made.build())[8:]


def placed(base: int, data: bytes) -> bytes:
    """Where a broker would have put it."""
    return base.to_bytes(8, "big") + data[8:]


def test_five_hundred_malformed_batches_each_between_two_good_ones() -> None:
    """What a broker would refuse is among them: a disk can still hold it."""
    found: Counter[str] = Counter()
    for bad in corpus(520):
        data = good(10, b"before") + placed(11, bad.data) + good(20, b"behind")
        made = answer(data, at=10)
        values = list(made)
        assert values[0].value == b"before", bad.kind
        assert made.next_fetch_offset > 10, bad.kind
        offsets = [one.offset for one in values]
        assert offsets == sorted(set(offsets)), bad.kind
        if values[-1].value != b"behind":  # the frame itself is torn: nobody can tell where the next begins
            assert bad.kind in ("frame", "format_", "noise"), bad.kind
        found.update(getattr(one, "reason", "read") for one in values[1:])
    assert found[COMPRESSED] > 30 and found[CHECKSUM] > 10 and found[TORN] > 50, found


@given(st.lists(st.one_of(st.binary(max_size=80), st.integers(0, 10**6)), max_size=5), st.integers(0, 5))
def test_any_bytes_move_the_position_and_raise_nothing(parts: list[bytes | int], at: int) -> None:
    data = b"".join(one if isinstance(one, bytes) else KINDS[one % len(KINDS)](random.Random(one)) for one in parts)
    made = answer(data, at)
    offsets = [one.offset for one in made]
    assert all(offset >= at for offset in offsets) and offsets == sorted(set(offsets))
    assert (made.next_fetch_offset > at) is bool(data)
    assert not offsets or made.next_fetch_offset > offsets[-1]


@given(st.integers(0, 10**6), st.data())
def test_a_changed_byte_is_never_read_as_something_else(seed: int, data: Any) -> None:
    """The checksum covers all but the frame."""
    whole = bytearray(good(0) + good(1) + good(2))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 + seed % 255
    made = answer(bytes(whole))
    assert all(isinstance(one, Undecodable) or (one.value, one.key) == (b"good", b"k") for one in made)


@pytest.mark.parametrize("codec", malformed.CODECS)
def test_a_compressed_batch_is_one_record_and_is_not_unpacked(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpacked(*_: object) -> None:
        raise AssertionError("unpacked")

    for name in ("gzip_decode", "snappy_decode", "lz4_decode", "zstd_decode"):
        monkeypatch.setattr(f"aiokafka.record.default_records.{name}", unpacked)
    data = batch(malformed.CODECS[codec](b"".join(record(n) for n in range(3))), 3, base=5, attributes=codec)
    made = answer(data + good(8), at=5)
    first, second = made
    assert (first.offset, first.reason, first.value, second.offset) == (7, COMPRESSED, data[:KEPT], 8)
    assert dict(first.headers)[fetched.MARK] == b"compressed" and made.next_fetch_offset == 9


def test_of_a_large_batch_the_first_bytes_are_kept_with_the_length_and_digest_of_all() -> None:
    [found] = answer(batch(random.Random(1).randbytes(300_000), attributes=1))
    assert (len(found.value), found.length, len(found.sha256)) == (KEPT, 300_061, 32)
    assert "300061" not in repr(found.headers[0]) and dict(found.headers)["referral-length"] == b"300061"


@pytest.mark.parametrize("name", [b"\xff", b"ce_\xc3", b"\xed\xa0\x80"])
def test_a_header_whose_name_is_no_text_is_kept_and_the_record_is_read(name: bytes) -> None:
    [found] = answer(batch(record(headers=((b"ce_id", b"1"), (name, None)))))
    assert (found.value, found.headers) == (malformed.ALWAYS, (("ce_id", b"1"), *zip(NAMELESS, (name, None), strict=True)))


def test_the_slow_reader_reads_what_the_fast_one_does() -> None:
    body = b"".join(record(n, key=None if n else b"k", value=None if n == 1 else b"v" * n, headers=((b"a", b"b"),), at=n) for n in range(4))
    piece = fetched.cut(batch(body, 4, base=3, first=100))[0]
    slow, fast = fetched._read(piece), list(fetched.DefaultRecordBatch(piece.view))

    def told(one: Any) -> tuple[object, ...]:
        return one.offset, one.timestamp, one.timestamp_type, one.key, one.value, tuple(one.headers)

    assert [told(one) for one in slow] == [told(one) for one in fast]


def test_a_torn_checksum_passes_over_its_own_records_and_none_of_the_next_batch() -> None:
    bad = batch(b"".join(record(n) for n in range(3)), 3, base=4, crc=1)
    first, second = answer(bad + good(7), at=4)
    assert (first.offset, first.reason, second.offset) == (6, CHECKSUM, 7)
    last = answer(bad, at=4)
    assert [one.offset for one in last] == [4], "where nothing follows, nothing tells how many it had"
    assert last.next_fetch_offset == 5


def test_a_batch_cannot_claim_the_offsets_of_the_next_one() -> None:
    first, second = answer(batch(record(), 1, base=4, delta=50) + good(5), at=4)
    assert (first.offset, second.offset) == (4, 5)


def test_a_torn_first_frame_is_told_and_passed_by_one() -> None:
    made = answer(batch(record(), length=2**31 - 1), at=9)
    [found] = made
    assert (found.offset, found.reason, made.next_fetch_offset) == (9, TORN, 10)


def test_a_last_batch_that_the_broker_cut_short_waits_for_the_next_answer() -> None:
    made = answer(good(0) + good(1)[:-3])
    assert [one.offset for one in made] == [0] and made.next_fetch_offset == 1


def test_markers_and_what_was_aborted_move_the_position_and_are_no_records() -> None:
    marker = b"\x00\x00\x00\x00"  # of an abort
    data = batch(record(), base=0, attributes=0x10, producer=(7, 0, 0)) + batch(
        record(key=marker), base=1, attributes=0x30, producer=(7, 0, -1)
    )
    made = answer(data + good(2), aborted=[(7, 0)])
    assert [one.offset for one in made] == [2]
    assert [one.offset for one in answer(data, level=UNCOMMITTED)] == [0]
    ended = answer(data, aborted=[(7, 0)])
    assert list(ended) == [] and ended.next_fetch_offset == 2


def test_a_marker_that_cannot_be_read_marks_nothing() -> None:
    data = batch(record(key=None), attributes=0x30, producer=(7, 0, -1))
    made = answer(data)
    assert list(made) == [] and made.next_fetch_offset == 1


def test_what_a_broker_compacted_away_is_no_hole() -> None:
    made = answer(batch(record(3), 1, base=0, delta=9), at=2)
    assert [one.offset for one in made] == [3] and made.next_fetch_offset == 10
