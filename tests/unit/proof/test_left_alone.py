"""Acts that an operator leaves undone, or has a single record say, and files that a hostile export holds beside its log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec import msgpack, structs

from referral.cli.audit.source import LARGEST, Folder
from referral.domain.case import next_due
from referral.domain.decide import decide, facts_for
from referral.domain.events import Door, Quarantined, ReferralSubmitted
from referral.domain.inputs import due_input
from referral.errors import Malformed
from referral.proof import archive
from referral.proof.entry import Kind
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report
from referral.wire import codec, headers
from referral.wire.signed import writer_signature
from services.audit.ingest import Says, ingest
from tests.harness import made_log, writers
from tests.harness.audit_archive import Rows, exported
from tests.harness.audit_archive import story as told
from tests.harness.audit_log import CHILD, MINUTE, POLICY, Log, _all_free, _id, asked, named, story
from tests.harness.two_operators import AT, act
from tests.harness.two_operators import LINES as OPERATORS

DAY = 24 * 60 * MINUTE


def codes(report: Report) -> set[str]:
    return {found.code for found in report.findings}


def beaten(log: Log, times: int = 6) -> Report:
    """Some minutes of heartbeats later."""
    for _ in range(times):
        log.now += MINUTE
        log.beat(None)
    return verify(log.entries, log.keys)


def test_a_referral_that_routing_passes_over_is_named_after_minutes() -> None:
    log = Log(signed=True)
    named(log)
    child = _id("case of a child")
    body = ReferralSubmitted(
        referral_id=_id("referral"), agency="school-drita", door=Door.HTTP, opens=True, traits=CHILD, sections=(), received_at=log.now
    )
    log.say(child, body, _id("event"), _id("cause"), "intake")
    log.beat(None)
    assert "NOT_DECIDED" not in codes(verify(log.entries, log.keys)), "it is in flight"
    report = beaten(log)
    assert "NOT_DECIDED" in codes(report) and report.exit_code() == 3


def test_a_limit_on_which_nobody_acts_is_named_after_minutes() -> None:
    log = Log(signed=True)
    named(log)
    case_id = story(log)
    due = next_due(log.cases[case_id])
    assert due is not None
    log.now = due - MINUTE
    log.beat(None)
    assert "OVERDUE" not in codes(verify(log.entries, log.keys))
    log.now += DAY
    assert "OVERDUE" in codes(beaten(log))


def test_one_heartbeat_of_a_drill_excuses_no_clock() -> None:
    log = Log(now=made_log.NOW * 1_000_000 - 90 * DAY, signed=True)
    named(log)
    log.beat(None)
    log.ahead = 120 * MINUTE
    story(log)
    log.ahead = 0
    log.now += MINUTE
    assert "RECORDED_AHEAD" in codes(verify(log.entries, log.keys))
    log.beat(None, drill=True)
    report = verify(log.entries, log.keys)
    assert {"RECORDED_AHEAD", "DRILL_CHANGED"} <= codes(report) and report.exit_code() == 1


def test_a_decision_upon_which_the_rules_fail_is_a_finding_and_no_traceback() -> None:
    log = Log(signed=True)
    named(log)
    case_id, _ = asked(log, "a")
    log.now += MINUTE
    due = next_due(log.cases[case_id])
    assert due is not None
    cause = due_input(case_id, due, log.cases[case_id].seq)
    facts = facts_for(log.cases[case_id], cause, POLICY, due, _all_free, bundle=1)
    said = list(decide(log.cases[case_id], cause, facts, POLICY))
    head = getattr(said[0], "head")  # noqa: B009 - every event that begins a decision has one
    said[0] = structs.replace(said[0], head=structs.replace(head, facts=structs.replace(facts, now=2**63 - 1)))
    log.record(cause, said)
    report = verify(log.entries, log.keys)
    assert "DECISION_DIFFERS" in codes(report) and report.exit_code() == 1


def test_whoever_signs_a_quarantine_speaks_for_nobody_else() -> None:
    log = Log(signed=True)
    named(log)
    case_id = story(log)
    entry = next(e for e in log.entries if e.topic == "referral-intake" and e.case_id == case_id)
    body = Quarantined(
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        reader="intake",
        reason="foreign",
        case_id=case_id,
        case_seq=entry.case_seq,
        at=log.now,
        nonce=bytes(12),
        sealed=bytes(16),
        length=0,
        sha256=None,
    )
    key, value = f"notifier/{entry.topic}/{entry.partition}/{entry.offset}".encode(), codec.encode(body)
    signature = writer_signature.sign(writers.KEYS["notifier"], "referral-quarantine", [(key, value)])[0]
    told = [*headers.plain(Quarantined.TYPE, id=key.decode(), source="notifier", at=log.now), signature]
    log.put("referral-quarantine", 0, key, value, told)
    found = codes(verify(log.entries, log.keys))
    assert "META_DIFFERS" in found and "DISOWNED" not in found


@pytest.mark.parametrize(("at", "asked_for"), [(-1, True), (0, True), (1, False), (1_000, True)])
def test_a_record_without_a_time_needs_its_signature(at: int, asked_for: bool) -> None:
    known = structs.replace(writers.WRITERS, since=1_000)
    assert known.wrote("referral-intake", b"case", b"forged", [], at) is not asked_for


def test_an_index_in_an_export_is_not_believed(tmp_path: Path) -> None:
    log = Log()
    case_id = told(log, "x")
    folder = exported(tmp_path / "export", Rows(log.entries), log.keys)
    mine = [entry.idx for entry in log.entries if entry.case_id == case_id]
    (folder / "case_id").mkdir()
    (folder / "case_id" / case_id).write_bytes(msgpack.encode(mine[:2]))
    (folder / "head").write_text("9\n")
    export = Folder(folder)
    assert archive.find(export, len(log.entries), "case_id", case_id) == mine and export.read("head") is None


def test_what_is_no_file_of_an_export_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "payload").mkdir()
    os.mkfifo(tmp_path / "payload" / "000")
    (tmp_path / "payload" / "001").symlink_to("/dev/zero")
    (tmp_path / "payload" / "003").mkdir()
    (tmp_path / "payload" / "004").symlink_to("004")
    with (tmp_path / "payload" / "002").open("wb") as large:
        large.truncate(LARGEST + 1)
    export = Folder(tmp_path)
    assert [export.read(f"payload/{name}") for name in ("000", "001", "003", "004", "005")] == [None] * 5
    with pytest.raises(Malformed, match="no file of an export has more"):
        export.read("payload/002")


@pytest.mark.parametrize(("minutes", "dated"), [(0, False), (3, False), (60, True)])
def test_an_act_that_is_dated_back_behind_heartbeats_is_named(minutes: int, dated: bool) -> None:
    """A second operator's word is good for an hour, and the act says itself when it was done."""
    log = Log(now=AT * 1_000_000, signed=True)
    named(log, more=OPERATORS)
    log.beat(None)
    for _ in range(minutes):
        log.now += MINUTE
        log.beat(None)
    done = act(command="ca sign", about=("certificate:service/intake",), at=AT)
    log.entries += ingest([], log._known, [Says(Kind.ADMINISTRATION, done.encode())]).entries
    assert ("ACT_DATED" in codes(verify(log.entries, log.keys))) is dated


def test_a_limit_that_is_said_to_have_passed_is_compared_with_the_clock() -> None:
    log = Log(signed=True)
    named(log)
    log.beat(None)
    case_id, _ = asked(log, "a")
    log.now += 1_000_000
    due = next_due(log.cases[case_id])
    assert due is not None and due > log.now + 2 * MINUTE
    cause = due_input(case_id, due, log.cases[case_id].seq)
    facts = facts_for(log.cases[case_id], cause, POLICY, due, _all_free, bundle=1)
    log.record(cause, list(decide(log.cases[case_id], cause, facts, POLICY)))
    report = verify(log.entries, log.keys)
    assert codes(report) == {"DECIDED_AT"} and report.exit_code() == 1
