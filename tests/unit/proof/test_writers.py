"""`verify` names each record that its one writer did not sign, and decides every case again as if it were not there."""

from __future__ import annotations

from msgspec import structs

from referral.cli.audit import figures
from referral.cli.audit.replay import Selection, casebook, selected_lines
from referral.domain.events import Quarantined, ResponseSubmitted, Word
from referral.proof.entry import INTAKE, ROUTING, Kind
from referral.proof.forgeries import judge
from referral.proof.history.case import standing
from referral.proof.history.words import english
from referral.proof.verify.log import verify
from referral.proof.verify.report import Weight
from referral.wire import codec, headers
from referral.wire.signed import writer_signature
from services.audit import case_view
from tests.harness import made_log, writers
from tests.harness.audit_archive import Rows
from tests.harness.audit_log import MINUTE, Log, asked, closed, erase, named, response, story
from tests.unit.proof.test_branches import bad, write


def signed() -> Log:
    """A log whose services sign, as its own policy file says."""
    log = Log(signed=True)
    named(log)
    return log


def test_a_log_whose_writers_sign_is_good_and_each_record_without_its_signature_is_named() -> None:
    log = signed()
    case_id = story(log)
    closed(log, case_id)
    assert bad(verify(log.entries, log.keys)) == []
    for entry in [e for e in log.entries if e.topic in (INTAKE, ROUTING)]:
        others = [header for header in entry.headers if header[0] != writer_signature.HEADER]
        of_other = "routing" if entry.topic == INTAKE else "intake"
        for told in (others, [*others, writers.signature(entry.topic, entry.key or b"", entry.value, of_other)]):
            changed = [structs.replace(e, headers=tuple(told)) if e is entry else e for e in log.entries]
            assert ("WRITER", entry.idx) in bad(verify(changed, log.keys)), entry


def test_a_forged_acceptance_is_named_and_the_true_answer_behind_it_counts() -> None:
    """A3 (i): somebody with the case's key and the broker is quicker than the police. Their true answer has the same number."""
    for keys in (True, False):
        log = signed()
        case_id, offer = asked(log, "child")
        forged = write(log, case_id, response(offer, Word.ACCEPT, "forged"), 2, cause=case_id)
        log.now += MINUTE
        log.input(case_id, response(offer, Word.ACCEPT, "true"), "accept")
        assert [e.kind for e in log.entries if e.topic == INTAKE and e.case_seq == 2] == [Kind.EVENT, Kind.FORK], "audit cannot tell"
        report = verify(log.entries, log.keys if keys else {})
        assert bad(report) == [("WRITER", forged.idx)], report.findings
        if keys:
            assert report.counts["decisions re-executed"] == report.counts["decisions"]


def test_the_auditors_own_keys_go_before_those_that_the_log_names() -> None:
    log = Log(signed=True)
    case_id = story(log)
    pinned = {name: (key[0][::-1],) for name, key in writers.WRITERS.keys.items()}
    assert not bad(verify(log.entries, log.keys)), "nobody names a writer"
    found = bad(verify(log.entries, log.keys, writers=writer_signature.Writers(pinned)))
    assert {idx for code, idx in found if code == "WRITER"} == {e.idx for e in log.entries if e.case_id == case_id}


def test_a_record_that_a_key_signed_after_its_end_is_forged_and_one_of_before_is_not() -> None:
    log = Log(signed=True)
    story(log)
    end = max(entry.kafka_time for entry in log.entries)
    log.now += MINUTE
    case_id = story(log, "two")
    new = {name: (bytes([n]) * 32, *keys) for n, (name, keys) in enumerate(writers.WRITERS.keys.items(), 1)}
    for ends, forged in (({}, set[int]()), (dict.fromkeys(new["intake"][1:], end), {e.idx for e in log.entries if e.topic == INTAKE})):
        found = bad(verify(log.entries, log.keys, writers=writer_signature.Writers(new, 0, ends)))
        late = {e.idx for e in log.entries if e.case_id == case_id} & forged
        assert {idx for code, idx in found if code == "WRITER"} == late and bool(late) is bool(ends)


def test_records_of_before_the_time_that_the_policy_names_need_none_and_other_keys_later_are_noted() -> None:
    log = Log()
    story(log)
    log.now += MINUTE
    log.signed = True
    named(log, more=b"# signed-from 2026-01-01T00:16:30Z\n")
    case_id = story(log, "two")
    closed(log, case_id)
    report = verify(log.entries, log.keys)
    assert bad(report) == [], report.findings
    named(log)
    erase(log, case_id)
    report = verify(log.entries, log.keys)
    assert [f.code for f in report.findings if f.code == "WRITER_KEYS"] == ["WRITER_KEYS"]
    assert all(f.weight is not Weight.BAD for f in report.findings), report.findings


def test_a_replay_the_page_and_the_figures_name_the_forged_record_and_take_the_true_one_as_verify_does() -> None:
    log = signed()
    case_id, offer = asked(log, "child")
    forged = write(log, case_id, response(offer, Word.ACCEPT, "forged"), 2, cause=case_id)
    fork = write(log, case_id, response(offer, Word.DECLINE, "another"), 2, cause=case_id)
    log.now += MINUTE
    log.input(case_id, response(offer, Word.ACCEPT, "true"), "accept")
    true = next(e for e in log.entries if e.topic == INTAKE and e.idx > fork.idx)
    assert [e.kind for e in (forged, fork, true)] == [Kind.EVENT, Kind.FORK, Kind.FORK], "audit cannot tell"
    entries, pinned = [e for e in log.entries if e.case_id == case_id], made_log.policy() + writers.LINES
    for key, by in ((log.keys[case_id], None), (log.keys[case_id], pinned), (None, None)):
        book, _ = casebook(Rows(log.entries), by)
        lines = {line.idx: line for line in selected_lines(book, lambda _, key=key: {case_id: key} if key else {}, Selection(case=case_id))}
        for one in (forged, fork):
            assert (lines[one.idx].mark, lines[one.idx].offer_id) == ("bad", "") and "did not sign it" in lines[one.idx].what
        assert lines[true.idx].mark == ("logged" if key else "sealed"), lines[true.idx]
        assert "did not sign" not in lines[true.idx].what and "fork" not in lines[true.idx].what
        rows = {row.idx: row for row in case_view.rows(entries, key, {}, english(), book.believed)}
        assert {idx for idx, row in rows.items() if "bad" in row.marks} == {forged.idx, fork.idx}
        own = judge(entries, key, book.believed).genuine(entries)
        assert {e.idx for e in entries} - {e.idx for e in own} == {forged.idx, fork.idx}
        assert [e.kind for e in own if e.idx == true.idx] == [Kind.EVENT]
    book, _ = casebook(Rows(log.entries), None)
    state = standing(judge(entries, log.keys[case_id], book.believed).genuine(entries), log.keys[case_id], case_id)
    assert state == log.cases[case_id]
    answers = [event.body for event in figures.gather(book, log.keys).log.said if isinstance(event.body, ResponseSubmitted)]
    assert answers == [response(offer, Word.ACCEPT, "true")]


def test_a_quarantine_record_on_a_topic_that_nobody_signs_accounts_for_nothing_and_disowns_nothing() -> None:
    """Whoever writes on referral-policy hides no record that was taken away, and makes none of another service a forgery."""
    for reason, finding in (("body", "SEQUENCE_GAP"), ("foreign", "")):
        log = signed()
        case_id = story(log)
        true = next(entry for entry in log.entries if entry.topic == INTAKE)
        taken = Quarantined(
            topic=true.topic,
            partition=true.partition,
            offset=true.offset if reason == "foreign" else 99,
            reader="intake",
            reason=reason,
            case_id=case_id,
            case_seq=3,
            at=log.now,
            nonce=bytes(12),
            sealed=b"",
            length=0,
            sha256=None,
        )
        key = f"intake/{taken.topic}/{taken.partition}/{taken.offset}"
        told = headers.plain(taken.TYPE, id=key, source="intake", at=log.now)
        log.put("referral-policy", 0, key.encode(), codec.encode(taken), told)
        if finding:
            log._seqs[INTAKE, case_id] += 1
            closed(log, case_id)
        report = verify(log.entries, log.keys)
        assert {code for code, _ in bad(report)} == ({finding} if finding else set()), report.findings
