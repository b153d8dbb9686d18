"""When a month is closed, and what is left out of it: a record that no writer of ours leaves."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from aiokafka import ConsumerRecord
from msgspec.structs import replace

from referral.runtime.loop.decode import open_all
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Unit
from referral.wire import codec, seal
from referral.wire.topics import partition
from services.oversight.calendar import closes
from services.oversight.counting.projection import Courses
from services.oversight.record_reader import RecordReader
from services.oversight.scheduler import GRACE, is_whole
from tests.harness.erased import INTAKE
from tests.harness.oversight_log import CALM, NEVER, told
from tests.stories.teller import CASE

KEY = os.urandom(32)
DUE = closes("2027-01") + GRACE


@pytest.mark.parametrize(("behind", "asked", "whole"), [(0, DUE, True), (1, DUE, False), (0, DUE - 1, False), (0, DUE - 3 * 10**12, False)])
def test_a_month_is_whole_only_up_to_an_end_that_was_asked_for_after_its_close(behind: int, asked: int, whole: bool) -> None:
    assert is_whole("2027-01", behind, asked) is whole


def test_a_record_far_ahead_takes_nothing_from_its_case() -> None:
    records = told(*CALM)
    at = [number for number, (topic, _, _) in enumerate(records) if topic == "referral-routing"][1]
    topic, meta, body = records[at]
    forged = [*records[:at], (topic, replace(meta, case_seq=meta.case_seq + 5_000), body), *records[at:]]
    assert facts(forged) == facts(records) and facts(records) != []


def facts(records: list) -> list[list[str]]:  # type: ignore[type-arg]
    reading, ends = RecordReader(Courses(), INTAKE), Counter[str]()
    unit, place = Unit("all", 0, {}), partition(CASE)
    for topic, meta, body in records:
        known = replace(meta, fingerprint=codec.fingerprint(meta.type))
        value = seal.seal(None if meta.type in seal.UNSEALED else KEY, topic, known, codec.encode(body), os.urandom(12))
        record = ConsumerRecord(topic, place, ends[topic], 0, 0, CASE.encode(), value, None, 0, 0, ())
        ends[topic] += 1
        reading.take(open_all([Taken(unit, (topic, place), record)], unread=False), {CASE: KEY})
    return [sorted(child.first) for pathway in reading.courses.pathways() for child in reading.courses.of(pathway, 0, NEVER)]
