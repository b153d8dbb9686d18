"""Whoever goes on from what was stored counts as whoever reads everything; and what was stored for another purpose is not taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random

import msgspec
import pytest
from aiokafka import ConsumerRecord
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from referral.domain.events import Meta
from referral.domain.inputs import derived
from referral.runtime.loop.decode import Opened, open_all
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Unit
from referral.wire import codec, seal
from referral.wire.topics import partition
from services.oversight import progress
from services.oversight.calendar import begins
from services.oversight.counting.projection import Courses
from services.oversight.progress import Head, Row, opened, sealed
from services.oversight.record_reader import RecordReader
from tests.harness.erased import INTAKE, erased
from tests.harness.oversight_log import NEVER, WHOLE, Record, everybody, interleaved, year

OF_NOBODY = Unit("all", 0, {})
SHUT = begins("2026-05")
"""Until here everything is told; a record behind the middle with an earlier time is late."""


def keys_of(records: Iterable[Record]) -> dict[str, bytes]:
    return {meta.case_id: derived(meta.case_id, "key").encode()[:32] for _, meta, _ in records}


def raw(topic: str, meta: Meta, value: bytes, ends: Counter[tuple[str, int]]) -> Opened:
    place = topic, partition(meta.case_id)
    record = ConsumerRecord(*place, ends[place], 0, 0, meta.case_id.encode(), value, None, 0, 0, ())
    ends[place] += 1
    (found,) = open_all([Taken(OF_NOBODY, place, record)], unread=False)
    return found


@lru_cache(1)
def log() -> tuple[list[Opened], list[str]]:
    """A year as the topics have it, with what a bad day leaves: exercises, clocks set back, a gap, repeats, forks, nonsense, erasures."""
    records, ends, found = list(year(40)), Counter[tuple[str, int]](), []
    dice, keys = Random(7), keys_of(records)
    ids = sorted(keys)
    drilled, gapped, gone = set(ids[:3]), ids[3], ids[4:7]
    records = [(t, replace(m, drill=m.case_id in drilled), b) for t, m, b in records]
    records = [(t, replace(m, recorded_at=m.recorded_at - 10**10 * (dice.random() < 0.05)), b) for t, m, b in records]
    records = [one for one in records if not (one[1].case_id == gapped and one[1].case_seq == 2)]
    for id_ in gone:
        said = erased(id_)
        last = max((m for t, m, _ in records if m.case_id == id_ and t == "referral-intake"), key=lambda m: m.case_seq)
        records.append(("referral-intake", replace(last, type=said.TYPE, case_seq=last.case_seq + 1), said))
    for topic, meta, body in interleaved(records, 5):
        meta = replace(meta, fingerprint=codec.fingerprint(meta.type))
        nonce = derived(meta.case_id, f"{topic}{meta.case_seq}").encode()[:12]
        value = seal.seal(None if meta.type in seal.UNSEALED else keys[meta.case_id], topic, meta, codec.encode(body), nonce)
        found.append(raw(topic, meta, value, ends))
        if dice.random() < 0.02:
            found.append(raw(topic, meta, value, ends))
        if dice.random() < 0.02 and meta.type not in seal.UNSEALED:
            found.append(raw(topic, meta, seal.seal(keys[meta.case_id], topic, meta, codec.encode(body), bytes(12)), ends))
        if dice.random() < 0.02:
            found.append(raw(topic, meta, b"nonsense", ends))
    return found, gone


class Reader:
    """Reads, stores and starts again. keys: those that are there."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self.keys, self.rows, self.head = keys, dict[str, Row](), Head(program="x")
        self.reading = RecordReader(Courses(), INTAKE)

    def store(self) -> None:
        ids = sorted(self.reading.changed)
        new = sealed(self.reading, ids, self.keys)
        self.head.swap([self.rows[id_] for id_ in ids if id_ in self.rows], new)
        self.rows |= {row.case_id: row for row in new}
        self.head.late = self.reading.late()
        self.head.times, self.head.drills, self.head.met = self.reading.dump_all()
        self.reading.changed.clear()

    def start(self, told: tuple[int, dict[tuple[str, int], int]]) -> None:
        head = msgspec.msgpack.decode(msgspec.msgpack.encode(self.head), type=Head)
        self.reading = RecordReader(Courses(), INTAKE)
        for row in self.rows.values():
            self.reading.load(row.case_id, *opened(row, self.keys))
        self.reading.load_all(head.times, head.drills, head.met)
        self.reading.told(*told, head.late)
        check = Head(program="", key=head.key)
        check.swap((), self.rows.values())
        assert (check.total, check.rows) == (head.total, len(self.rows))


def everything(reading: RecordReader) -> list[object]:
    courses = reading.courses
    fulls = [courses.fulls(month, WHOLE, NEVER) for month in courses.months()]
    counted = [(courses.counted(until), reading.counted(until)) for until in (NEVER, SHUT)]
    return [everybody(courses), courses.months(), fulls, counted, reading.late()]


@given(cuts=st.lists(st.integers(0, 10_000), max_size=8), shut=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_from_any_stored_place_on_everything_is_counted_as_from_the_beginning(cuts: list[int], shut: int) -> None:
    records, gone = log()
    keys = {id_: key for id_, key in keys_of(year(40)).items() if id_ not in gone}
    places = sorted({cut % len(records) for cut in cuts})
    cut = Counter(one.taken.place for one in records[: shut % len(records)])
    whole, broken = Reader(keys), Reader(dict(keys_of(year(40))))  # the keys of the erased are there until the last start
    for one in (whole, broken):
        one.reading.told(SHUT, cut)
    whole.reading.take(records, keys)
    for start, end in zip([0, *places], [*places, len(records)], strict=True):
        broken.reading.take(records[start:end], broken.keys)
        broken.store()
        broken.start((SHUT, cut))
    broken.keys = keys
    broken.start((SHUT, cut))
    assert everything(whole.reading) == everything(broken.reading)
    assert {"repeat", "fork", "gap", "foreign"} & set(whole.reading.counted(NEVER)) and whole.reading.courses.counted(NEVER)["erased"] == 3


def test_an_erased_case_leaves_nothing_but_that_it_was_erased() -> None:
    records, gone = log()
    made = Reader(dict(keys_of(year(40))))
    made.reading.take(records, made.keys)
    made.store()
    assert len(made.rows) > 40 and all((row.state is None) == (id_ in gone) for id_, row in made.rows.items() if not _drilled(row))
    held = [row for id_, row in made.rows.items() if row.state is not None]
    assert all(word not in row.state for row in held for word in (b"prizren", b"female", b"trafficking")), "a state is sealed"  # type: ignore[operator]


def test_a_key_that_was_destroyed_before_the_erasure_was_read_takes_the_child_away() -> None:
    records, gone = log()
    made = Reader(dict(keys_of(year(40))))
    made.reading.take([one for one in records if one.envelope is None or one.envelope.meta.type not in seal.UNSEALED], made.keys)
    made.store()
    made.keys = {id_: key for id_, key in made.keys.items() if id_ not in gone}
    made.start((0, {}))
    assert made.reading.courses.counted(NEVER)["key-gone"] == len(gone)


def test_a_row_of_another_case_and_one_that_was_set_back_are_not_taken() -> None:
    records, _ = log()
    made = Reader(dict(keys_of(year(40))))
    made.reading.take(records[: len(records) // 2], made.keys)
    made.store()
    early = dict(made.rows)
    made.reading.take(records[len(records) // 2 :], made.keys)
    made.store()
    one, other = [row for row in made.rows.values() if row.state is not None][:2]
    with pytest.raises(InvalidTag):
        opened(replace(one, state=other.state), made.keys)
    moved = next(row for id_, row in early.items() if row != made.rows[id_])
    for rows in (made.rows | {moved.case_id: moved}, {id_: row for id_, row in made.rows.items() if id_ != one.case_id}):
        found = Head(program="", key=made.head.key)
        found.swap((), rows.values())
        assert (found.total, found.rows) != (made.head.total, made.head.rows)
    assert Head(program="").key != Head(program="").key


def test_another_program_is_another_word(monkeypatch: pytest.MonkeyPatch) -> None:
    before = progress.program.__wrapped__()
    monkeypatch.setattr(progress, "MODULES", progress.MODULES[1:])
    assert progress.program.__wrapped__() != before and len(before) == 32


def _drilled(row: Row) -> bool:
    seen: Sequence[tuple[str, int, bytes, bool]] = msgspec.msgpack.decode(row.seen)[1]
    return any(drill for *_, drill in seen)
