"""`audit verify` compares the clocks that a log holds: the writer's, the broker's, audit's and the witnesses'."""

from __future__ import annotations

import pytest
from msgspec import structs
from rich.progress import Progress

from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import INTAKE, Entry, Kind, digest
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report, Weight
from tests.harness import made_log
from tests.harness.audit_archive import Rows
from tests.harness.audit_log import MINUTE, Log, story
from tests.harness.outages import call

DAY = 24 * 60 * MINUTE
ENDS = {INTAKE: [3, 0], "referral-routing": [9, 0]}


def codes(report: Report, weight: Weight = Weight.BAD) -> dict[str, list[int | None]]:
    found: dict[str, list[int | None]] = {}
    for one in report.findings:
        if one.weight is weight:
            found.setdefault(one.code, []).append(one.idx)
    return found


def judged(log: Log, **asked: object) -> Report:
    return judge(Rows(log.entries), VerifyOptions(keys=log.keys, **asked), Progress(disable=True)).report  # type: ignore[arg-type]


def records(log: Log, start: int) -> list[int]:
    """Indexes of what writers recorded from there on."""
    return [e.idx for e in log.entries[start:] if e.kind in (Kind.EVENT, Kind.DECISION)]


@pytest.mark.parametrize("ahead", [2 * 60 * MINUTE, 61_000_000])
def test_a_clock_that_was_set_ahead_is_named_entry_by_entry(ahead: int) -> None:
    """UPDATE runtime.clock SET offset_us=7200000000: a limit of fifteen minutes is over four seconds later, and verify said GOOD."""
    log = Log()
    story(log, "honest")
    start = len(log.entries)
    log.now, log.ahead = log.now + ahead, ahead
    story(log, "hurried")
    report = verify(log.entries, log.keys)
    assert codes(report)["RECORDED_AHEAD"] == records(log, start) and report.exit_code() == 1, report.findings
    assert "after the broker had it" in report.findings[0].what


def test_a_clock_that_was_set_back_is_named_although_the_log_never_goes_back() -> None:
    """UPDATE runtime.clock SET offset_us=-2592000000000: the next referral was received a month ago, with the limits of then."""
    log = Log()
    log.now += 40 * DAY
    story(log, "one")
    start = len(log.entries)
    log.now, log.ahead = log.now + 2 * MINUTE - 30 * DAY, -30 * DAY
    story(log, "two")
    report = verify(log.entries, log.keys)
    named = codes(report)
    assert set(named["LOGGED_EARLY"]) == set(range(start, len(log.entries))), "audit cannot have read what the broker did not have"
    assert report.exit_code() == 1


def test_a_clock_that_goes_back_within_one_partition_is_named() -> None:
    log = Log()
    case_id = story(log, "one")
    at = max(n for n, e in enumerate(log.entries) if e.case_id == case_id)
    entry = log.entries[at]
    log.entries[at] = structs.replace(entry, recorded_at=entry.recorded_at - 2 * MINUTE)
    assert codes(verify(log.entries, log.keys))["RECORDED_BACK"] == [at]


def test_within_a_minute_nothing_is_said() -> None:
    for ahead in (MINUTE - 1_000_000, -MINUTE + 1_000_000):
        log = Log()
        log.ahead = ahead
        story(log)
        assert not verify(log.entries, log.keys).findings


def late(log: Log, waited: int, busy: bool) -> Report:
    """Records that stood in an outbox; busy: the broker took another case's meanwhile."""
    first = len(log.entries)
    if busy:
        log.now += waited // 2
        story(log, "meanwhile")
        log.now -= waited // 2
    log.ahead, before = -waited, log.now
    story(log, "late")
    log.now = before
    entries = [structs.replace(e, logged_at=max(e.logged_at, e.kafka_time * 1000)) for e in log.entries]
    report = Report()
    report.add(verify([*entries[:first], *sorted(entries[first:], key=lambda e: e.idx)], log.keys))
    return report


def test_what_waited_for_a_broker_that_was_away_is_a_note() -> None:
    log = Log()
    story(log, "before")
    report = late(log, 3 * 60 * MINUTE, busy=False)
    assert report.exit_code() == 0 and codes(report, Weight.NOTE).keys() == {"RECORDED_LATE"}, report.findings
    assert any("it was away" in found.what and "3 hours" in found.what for found in report.findings)


@pytest.mark.parametrize(("waited", "weight"), [(30 * MINUTE, Weight.NOTE), (3 * 60 * MINUTE, Weight.UNCHECKED)])
def test_what_waited_while_others_were_published_is_asked_about_from_an_hour_on(waited: int, weight: Weight) -> None:
    log = Log()
    story(log, "before")
    report = late(log, waited, busy=True)
    assert "RECORDED_LATE" in codes(report, weight) and not codes(report), report.findings


def test_a_log_that_is_ahead_of_its_witnesses_is_named() -> None:
    log = Log()
    log.now = made_log.NOW * 1_000_000 + 2 * MINUTE
    entry = log.beat(ENDS)
    assert codes(judged(log))["LOGGED_AHEAD"] == [entry.idx]
    log = Log()
    log.now = made_log.NOW * 1_000_000 + MINUTE // 2
    log.beat(ENDS)
    assert not codes(judged(log))


def test_a_drills_clock_is_not_judged_and_that_is_counted() -> None:
    log = Log()
    log.beat(ENDS, drill=True)
    log.now, log.ahead = log.now + DAY, DAY
    story(log)
    report = verify(log.entries, log.keys)
    assert not report.findings and report.counts["entries by a drill's clock, not compared"] == len(log.entries)


def beating(log: Log, minutes: int, **unread: int) -> Entry:
    for _ in range(minutes):
        log.now += MINUTE
        last = log.beat(ENDS, **unread)
    return last


def test_heartbeats_of_an_idle_log_are_no_finding() -> None:
    log = Log(now=made_log.NOW * 1_000_000 - 20 * MINUTE)
    story(log)
    call(log)
    log.now = made_log.NOW * 1_000_000 - 10 * MINUTE
    beating(log, 10)
    report = judged(log, max_age=300, now=made_log.NOW + 200)
    assert not report.findings and report.counts["cases"] == 1, report.findings


def test_a_log_that_stands_still_is_not_good() -> None:
    """After audit was stopped for good verify said GOOD of what it had logged, however long ago that was."""
    log = Log()
    story(log)
    assert judged(log).exit_code() == 0, "an export of any age is judged as such"
    report = judged(log, max_age=300, now=made_log.NOW + 301)
    assert report.exit_code() == 3 and "nothing newer for 301 seconds" in next(f.what for f in report.findings if f.code == "STALE")
    assert "signed it 900 seconds from now" in str(judged(log, max_age=300, now=made_log.NOW - 900).findings)


def test_a_last_heartbeat_long_before_the_newest_signature_is_not_good() -> None:
    log = Log(now=made_log.NOW * 1_000_000 - 20 * MINUTE)
    last = beating(log, 2)
    assert codes(judged(log), Weight.UNCHECKED) == {"STOOD_STILL": [last.idx]}


def test_a_pause_between_heartbeats_is_a_note() -> None:
    log = Log()
    beating(log, 2)
    log.now += 10 * MINUTE
    back = log.beat(ENDS)
    report = verify(log.entries, log.keys)
    assert codes(report, Weight.NOTE) == {"PAUSED": [back.idx]} and report.exit_code() == 0


def test_records_that_audit_does_not_read_are_named() -> None:
    log = Log()
    assert not verify([*log.entries, beating(log, 1)], log.keys).findings
    stuck = beating(log, 6, **{"referral-intake_0": 1})
    report = verify(log.entries, log.keys)
    assert codes(report, Weight.UNCHECKED) == {"NOT_READ": [stuck.idx]}
    assert "2 records of referral-intake/0" in report.findings[0].what
    beating(log, 1)
    assert not verify(log.entries, log.keys).findings, "it has caught up"


def test_a_broker_that_never_answers_is_named_and_one_that_missed_a_question_is_not() -> None:
    log = Log()
    beating(log, 6)
    log.now += MINUTE
    log.beat(None)
    assert not verify(log.entries, log.keys).findings
    for _ in range(6):
        log.now += MINUTE
        last = log.beat(None)
    assert codes(verify(log.entries, log.keys), Weight.UNCHECKED) == {"BROKER_AWAY": [last.idx]}


def test_a_heartbeat_that_cannot_be_read_is_bad() -> None:
    log = Log()
    entry = log.beat(ENDS)
    assert entry.kind is Kind.HEARTBEAT
    value = b"{}"
    log.entries[-1] = structs.replace(entry, value=value, sha256=digest(value))
    assert codes(verify(log.entries, log.keys)) == {"BODY": [entry.idx]}


def hurried(log: Log) -> None:
    """A case whose writer's clock is two hours ahead."""
    log.now, log.ahead = log.now + 2 * 60 * MINUTE, 2 * 60 * MINUTE
    story(log, "hurried")
    log.now, log.ahead = log.now - 2 * 60 * MINUTE, 0


@pytest.mark.parametrize("drill", [0, 1, 50, 51, 98, 99])
@pytest.mark.parametrize("at", [2, 51, 97])
def test_one_beat_of_a_drill_hides_no_clock(drill: int, at: int) -> None:
    """N8: audit says for a minute that it is a drill, and the comparison of every clock of the log was off, before and after."""
    log = Log()
    for number in range(100):
        if number == at:
            hurried(log)
        log.now += MINUTE
        log.beat(ENDS, drill=number == drill)
    report = verify(log.entries, log.keys)
    found = codes(report)
    assert report.exit_code() == 1 and len(found["DRILL_CHANGED"]) == 1
    assert len(found["RECORDED_AHEAD"]) > 3, "two hours ahead, whatever one beat says"
    assert not report.counts["entries by a drill's clock, not compared"]


def test_what_stands_behind_the_last_beat_is_of_the_logs_kind() -> None:
    for drill in (True, False):
        log = Log()
        log.now += MINUTE
        log.beat(ENDS, drill=drill)
        hurried(log)
        assert ("RECORDED_AHEAD" in codes(verify(log.entries, log.keys))) is not drill


@pytest.mark.parametrize("drill", [0, 3, 9])
def test_a_log_that_does_not_read_is_named_beside_a_beat_of_a_drill(drill: int) -> None:
    log = Log()
    for number in range(10):
        log.now += MINUTE
        last = log.beat(ENDS, drill=number == drill, **{"referral-intake_0": 1})
    assert "NOT_READ" in codes(verify(log.entries, log.keys), Weight.UNCHECKED), last
