"""What of the records that came after their month was told is late: new ones that would have counted, and no others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest
from aiokafka import ConsumerRecord
from msgspec.structs import replace

from referral.runtime.loop.decode import open_all
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Unit
from referral.wire import codec, seal
from referral.wire.topics import partition
from services.oversight.counting.projection import Courses
from services.oversight.record_reader import RecordReader
from tests.harness.erased import INTAKE, erased
from tests.harness.oversight_log import CALM, NEVER, Record, told
from tests.stories.teller import CASE

KEY = os.urandom(32)
PARTITION = partition(CASE)
OF_NOBODY = Unit("all", 0, {})


class Topics:
    """What was written to them, read by somebody."""

    def __init__(self) -> None:
        self.courses, self.ends = Courses(), Counter[tuple[str, int]]()
        self.reading = RecordReader(self.courses, INTAKE)

    def write(self, records: Iterable[Record], key: bytes = KEY, known: bool = True) -> None:
        for topic, meta, body in records:
            meta = replace(meta, fingerprint=codec.fingerprint(meta.type))
            value = seal.seal(None if meta.type in seal.UNSEALED else key, topic, meta, codec.encode(body), os.urandom(12))
            self.raw(topic, value, known)

    def raw(self, topic: str, value: bytes, known: bool = True) -> None:
        place = topic, PARTITION
        record = ConsumerRecord(topic, PARTITION, self.ends[place], 0, 0, CASE.encode(), value, None, 0, 0, ())
        self.ends[place] += 1
        self.reading.take(open_all([Taken(OF_NOBODY, place, record)], unread=False), {CASE: KEY} if known else {})


RECORDS = told(*CALM)


@pytest.fixture
def topics() -> Topics:
    """All of a case but its last records was read, and its month is told."""
    made = Topics()
    made.write(RECORDS[:-1])
    made.reading.told(NEVER, made.ends)
    return made


def test_a_new_record_of_a_month_that_was_told_is_late_until_the_next_is_told(topics: Topics) -> None:
    topics.write(RECORDS[-1:])
    assert topics.reading.late() == 1
    topics.reading.told(NEVER, topics.ends)
    assert topics.reading.late() == 0


def test_what_was_read_before_or_is_of_a_month_to_come_is_not_late(topics: Topics) -> None:
    anew = Topics()
    anew.reading.told(NEVER, topics.ends)
    anew.write(RECORDS[:-1])
    assert anew.reading.late() == 0
    anew.reading.told(RECORDS[-1][1].recorded_at, topics.ends)
    anew.write(RECORDS[-1:])
    assert anew.reading.late() == 0


def test_a_repeat_an_exercise_a_forgery_and_what_says_nothing_are_not_late(topics: Topics) -> None:
    topic, meta, body = RECORDS[-1]
    topics.write(RECORDS[:-1])  # sealed anew: repeats, and of each topic a fork
    topics.write([(topic, replace(meta, drill=True), body)])
    topics.write([(topic, replace(meta, case_seq=meta.case_seq + 1), body)], key=os.urandom(32))
    topics.write([(topic, replace(meta, case_seq=meta.case_seq + 1, recorded_at=1), body)])
    topics.raw(topic, b"nonsense")
    topics.write([("referral-intake", replace(meta, case_seq=900), body)])
    assert topics.reading.late() == 0
    met = topics.reading.counted(NEVER) + topics.courses.counted(NEVER)
    assert {"repeat", "fork", "unreadable", "drill", "out-of-period", "foreign"} <= set(met), met
    topics.write([(topic, replace(meta, case_seq=meta.case_seq + 2), body)])
    assert topics.reading.late() == 1


def test_what_is_left_of_an_erased_case_or_of_one_whose_key_is_gone_is_not_late(topics: Topics) -> None:
    meta = RECORDS[-1][1]
    topics.write(RECORDS[-1:], known=False)
    assert topics.courses.counted(NEVER)["key-gone"] == 1
    said, seq = erased(CASE), sum(t == "referral-intake" for t, _, _ in RECORDS) + 1
    topics.write([("referral-intake", replace(meta, type=said.TYPE, case_seq=seq), said)], known=False)
    met = topics.courses.counted(NEVER)
    assert (topics.reading.late(), met["key-gone"], met["erased"]) == (0, 0, 1)
