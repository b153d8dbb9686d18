"""`referral audit figures --release` where a clock was set back, or stood in another year: the log says what the release says."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.domain.durations import DAY_US
from referral.proof.entry import SEQUENCED
from referral.proof.history import case
from referral.runtime.policy_feed import Bundle
from services.oversight.counting.projection import Courses
from services.oversight.record_reader import RecordReader
from services.oversight.release import Release
from services.oversight.release_builder import ReleaseBuilder
from tests.harness.audit_archive import Rows
from tests.harness.audit_log import FILES, MINUTE, START, Log, asked, response, story
from tests.unit.proof.figures.test_log import MONTH, Auditor, Word, one, publish

CHILDREN = 60
"""So that the answers whose time is true, two in five, are enough to tell half of the waits."""


@pytest.fixture(scope="module")
def log() -> Log:
    """The first child came while a clock stood 24 years back; that of most answers stood some minutes back."""
    made = Log()
    made.now -= 24 * 365 * DAY_US
    story(made, "of another year")
    made.now = START
    for number in range(CHILDREN):
        case_id, police = asked(made, f"case {number}")
        made.alarm(case_id)
        made.now += MINUTE * (-2 if number % 5 < 3 else 1)
        made.input(case_id, response(police, Word.ACCEPT, f"case {number}"), f"accept {number}")
        made.now += 10 * MINUTE
    return made


@pytest.fixture(scope="module")
def made(log: Log) -> Release:
    courses = Courses()
    for entry in log.entries:
        if entry.kind in SEQUENCED:
            read = case.unseal(entry, log.keys[entry.case_id])
            courses.note(entry.topic, read.meta, read.body)
    making = ReleaseBuilder(RecordReader(courses, ()), lambda: [Bundle(1, "1", START, FILES)])
    assert making.due([]) == MONTH
    [made] = making.make([], MONTH)
    return made


def test_an_auditor_counts_no_child_of_another_year_and_no_wait_of_a_clock_that_was_set_back(
    log: Log, made: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert one(made, "children", "all").value == CHILDREN
    told = {one.what: one.count for one in made.made.counted}
    assert "out-of-period" in told and told["clock-back"], told
    assert one(made, "wait.acknowledged", "half").value == 16, "fifteen minutes until the alarm, and one"
    publish(log, [*made.figures, made.made])
    code, said = Auditor(tmp_path, capsys).compares(Rows(log.entries), log.keys)
    assert code == 0, said
