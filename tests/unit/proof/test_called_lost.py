"""`audit verify` wants to see in the log why routing calls a record lost."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from referral.domain.events import Quarantined
from referral.domain.inputs import RecordLost, lost_input
from referral.proof.entry import INTAKE, ROUTING, Entry
from referral.proof.verify.report import Weight
from referral.wire import codec, headers
from referral.wire.signed import writer_signature
from tests.harness import writers
from tests.harness.audit_log import Log, asked
from tests.harness.outages import MINUTE
from tests.unit.proof.test_omissions import answered, bad, checked, of


def beats(log: Log, minutes: int = 12) -> None:
    for _ in range(minutes):
        log.now += MINUTE
        log.beat({ROUTING: [99] * 12})


def quarantined(log: Log, entry: Entry, reason: str, *, of_case: bool = True) -> None:
    """Routing sets a record aside."""
    body = Quarantined(
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        reader="routing",
        reason=reason,
        case_id=entry.case_id if of_case else None,
        case_seq=entry.case_seq if of_case else 0,
        at=log.now,
        nonce=bytes(12),
        sealed=bytes(16),
        length=0,
        sha256=None,
    )
    key, value = f"routing/{entry.topic}/{entry.partition}/{entry.offset}".encode(), codec.encode(body)
    signature = writer_signature.sign(writers.KEYS["routing"], "referral-quarantine", [(key, value)])[0]
    log.put("referral-quarantine", 0, key, value, [*headers.plain(Quarantined.TYPE, id="x", source="routing", at=log.now), signature])


def lost(log: Log, seq: int, at: Any, reason: str = "gap") -> None:
    case_id = next(iter(log.cases))
    log.answer(lost_input(case_id, RecordLost(topic=INTAKE, seq=seq, reason=reason), at))


def test_a_record_that_routing_set_aside_is_not_called_lost_falsely_and_not_good_either() -> None:
    for of_case in (True, False):
        log = Log()
        _, at, entry = answered(log, "one")
        quarantined(log, entry, "kills-process", of_case=of_case)
        lost(log, entry.case_seq, at, "kills-process")
        report = checked(log)
        assert [f.code for f in report.findings if f.weight] == ["LOST_UNPROVEN"] and "routing" in of(report, "LOST_UNPROVEN")[0].what


def test_a_record_that_kills_routing_is_called_lost_when_the_next_one_reveals_the_gap() -> None:
    log = Log()
    _, _, entry = answered(log, "one")
    quarantined(log, entry, "kills-process", of_case=False)
    following, at, _ = answered(log, "two")
    lost(log, entry.case_seq, at)
    log.answer(following)
    report = checked(log)
    assert {(f.code, f.weight) for f in report.findings} == {("LOST_UNPROVEN", Weight.UNCHECKED), ("NOT_DECIDED", Weight.UNCHECKED)}
    assert "routing set it aside as kills-process" in of(report, "NOT_DECIDED")[0].what


def test_a_gap_in_the_log_excuses_routing() -> None:
    log = Log()
    answered(log, "zero")
    log.entries.pop()
    following, at, entry = answered(log, "one")
    log.entries[-1] = structs.replace(entry, idx=entry.idx - 1)
    lost(log, entry.case_seq - 1, at)
    log.answer(following)
    log.entries = [structs.replace(e, idx=n) for n, e in enumerate(log.entries)]
    assert {f.code for f in bad(checked(log))} == {"SEQUENCE_GAP"}


def test_a_loss_that_nothing_in_the_log_shows_is_false() -> None:
    log = Log()
    first, at, _ = answered(log, "one")
    log.answer(first)
    lost(log, 7, at)
    assert [f.code for f in bad(checked(log))] == ["LOST_FALSE"]
    beats(log, 2)
    assert not bad(checked(log)), "what stood in the quarantine may not be read yet"
    beats(log)
    assert [f.code for f in bad(checked(log))] == ["LOST_FALSE"]


def test_an_answer_as_lost_does_not_answer_the_record_that_revealed_it() -> None:
    log = Log()
    answered(log, "zero")
    log.entries.pop()
    _, at, entry = answered(log, "one")
    lost(log, entry.case_seq - 1, at)
    following, _, _ = answered(log, "two")
    log.answer(following)
    log.entries = [structs.replace(e, idx=n) for n, e in enumerate(log.entries)]
    assert {f.code for f in bad(checked(log))} == {"SEQUENCE_GAP", "NOT_DECIDED"}


def test_a_decision_that_was_set_aside_ends_the_judgement_of_its_case_and_is_not_good() -> None:
    """Routing alone could leave out the end of an answer, put it into the quarantine, and decide on as it likes."""
    log = Log()
    case_id, _ = asked(log, "one")
    gone = log.entries.pop()
    log._known.size -= 1
    log._known.sequences[gone.topic, case_id] -= 1
    quarantined(log, gone, "far")
    log.alarm(case_id)
    beats(log)
    report = checked(log)
    assert not report.counts["decisions"]
    assert [(f.weight, f.code) for f in report.findings if f.weight] == [(Weight.UNCHECKED, "LOST")]
    assert "a decision is missing" in of(report, "LOST")[0].what
