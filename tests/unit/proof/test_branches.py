"""Two records of one case and sequence, both under a good seal.

`verify` decides both branches again and names the one that the rules do not lead to.
"""

from __future__ import annotations

import uuid

import pytest
from msgspec import Struct, structs

from referral.domain.case import next_due
from referral.domain.events import OfferOpened, Quarantined, Word
from referral.domain.inputs import due_input
from referral.proof.entry import INTAKE, ROUTING, Entry, Kind, digest
from referral.proof.history.case import unseal
from referral.proof.history.timeline import timeline
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report, Weight
from referral.wire import codec, headers, seal, topics
from tests.harness import writers
from tests.harness.audit_log import MINUTE, Log, asked, response, story


def write(log: Log, case_id: str, body: Struct, seq: int, *, cause: str, event_id: str = "", by: str = "") -> Entry:
    """A record of somebody who holds the case's key and the topic, and whose numbers nobody checks. by: the service that signs it."""
    topic, type_ = type(body).TOPIC, type(body).TYPE  # type: ignore[attr-defined]
    meta = seal.open(next(e.value for e in log.entries if e.case_id == case_id)).meta
    meta = structs.replace(
        meta,
        event_id=event_id or str(uuid.uuid5(uuid.UUID(case_id), f"forged {seq} {len(log.entries)}")),
        case_seq=seq,
        type=type_,
        fingerprint=codec.fingerprint(type_),
        cause_id=cause,
        recorded_at=log.now,
        source=topic.removeprefix("referral-"),
    )
    value = seal.seal(log.keys[case_id], topic, meta, codec.encode(body), bytes(12))
    told = [*headers.of(meta), *([writers.signature(topic, case_id.encode(), value, by)] if by else [])]
    log.put(topic, topics.partition(case_id), case_id.encode(), value, told)
    return log.entries[-1]


def bad(report: Report) -> list[tuple[str, int | None]]:
    return sorted({(f.code, f.idx) for f in report.findings if f.weight is Weight.BAD}, key=lambda one: (one[1] or 0, one[0]))


def forged_answer(log: Log) -> tuple[str, list[Entry]]:
    """The school refers a child, and before routing's answer stands in the topic somebody writes it with another offer at the end.

    The case, and what was forged.
    """
    case_id, _ = asked(log, "child")
    cut = next(n for n, e in enumerate(log.entries) if e.topic == ROUTING)
    true = log.entries[cut:]
    bodies = [unseal(e, log.keys[case_id]).body for e in true]
    del log.entries[cut:]
    log._known.size, log._offsets[ROUTING, true[0].partition] = cut, 0
    log._known.sequences.pop((ROUTING, case_id))
    log._known.hashes = {place: sha for place, sha in log._known.hashes.items() if place[0] != ROUTING}
    log._known.positions = {place for place in log._known.positions if place[0] != ROUTING}
    last = bodies[-1]
    assert isinstance(last, OfferOpened)
    said = [*bodies[:-1], structs.replace(last, agency="csw-prishtine")]
    assert said != bodies
    forged = [
        write(log, case_id, body, seq, cause=entry.cause_id, event_id=entry.event_id)
        for seq, (entry, body) in enumerate(zip(true, said, strict=True), 1)
    ]
    for entry in true:
        log.put(ROUTING, entry.partition, entry.key or b"", entry.value, entry.headers)
    return case_id, forged


def only_the_forged(forged: list[Entry]) -> list[tuple[str, int | None]]:
    """Where the forger said what the rules lead to, it is the same words twice; where not, it differs. The true records are not named."""
    return [*(("FORK", e.idx) for e in forged[:-1]), ("DECISION_DIFFERS", forged[-1].idx)]


def test_a_forged_decision_stays_named_when_the_true_one_comes_after_it() -> None:
    """Before the true records came it was DECISION_DIFFERS; they must not make that vanish, nor be called the forgery."""
    log = Log()
    _, forged = forged_answer(log)
    report = verify(log.entries, log.keys)
    assert bad(report) == only_the_forged(forged), report.findings
    true = forged[-1].idx + len(forged)
    assert f"entry {true}, which has the same sequence" in next(f.what for f in report.findings if f.code == "DECISION_DIFFERS")
    assert report.counts["decisions"] == report.counts["decisions re-executed"] == 1


def test_what_follows_upon_the_true_branch_is_decided_again_too() -> None:
    log = Log()
    case_id, forged = forged_answer(log)
    log.alarm(case_id)
    report = verify(log.entries, log.keys)
    assert bad(report) == only_the_forged(forged), report.findings
    assert report.counts["decisions re-executed"] == 2


def test_a_forged_decision_after_the_true_one_is_the_forged_one() -> None:
    log = Log()
    case_id = story(log, "child")
    entry = next(e for e in log.entries if e.type == OfferOpened.TYPE)
    body = structs.replace(unseal(entry, log.keys[case_id]).body, agency="police-prishtine")
    forged = write(log, case_id, body, entry.case_seq, cause=entry.cause_id, event_id=entry.event_id)
    assert forged.kind is Kind.FORK
    report = verify(log.entries, log.keys)
    assert bad(report) == [("DECISION_DIFFERS", forged.idx)], report.findings
    assert report.counts["decisions re-executed"] == report.counts["decisions"] == 3


@pytest.mark.parametrize("first", ["forged", "true"])
def test_a_forged_answer_beside_a_true_one_is_a_fork_that_names_both(first: str) -> None:
    """Nothing in the log says which answer is the agency's, unless it is signed; both are named, and the case is decided again."""
    log = Log()
    case_id, offer = asked(log, "child")
    words = {"forged": Word.DECLINE, "true": Word.ACKNOWLEDGE}
    other = next(word for name, word in words.items() if name != first)
    log.input(case_id, response(offer, words[first], first), first)
    one = next(e for e in log.entries if e.topic == INTAKE and e.case_seq == 2)
    two = write(log, case_id, response(offer, other, "other"), 2, cause=str(uuid.UUID(int=9)))
    assert two.kind is Kind.FORK
    report = verify(log.entries, log.keys)
    assert bad(report) == [("FORK", one.idx), ("FORK", two.idx)], report.findings
    for found in report.findings:
        if found.code == "FORK":
            assert f"entry {one.idx}" in found.what and f"entry {two.idx}" in found.what and f"decided upon entry {one.idx}" in found.what
    assert report.counts["decisions re-executed"] == report.counts["decisions"] == 2


def test_a_forged_answer_ahead_of_its_time_is_named_and_not_the_true_one_that_fills_the_place() -> None:
    log = Log()
    case_id, offer = asked(log, "child")
    ahead = write(log, case_id, response(offer, Word.DECLINE, "ahead"), 3, cause=str(uuid.UUID(int=9)))
    log.input(case_id, response(offer, Word.ACKNOWLEDGE, "true"), "true")
    true = next(e for e in log.entries if e.topic == INTAKE and e.case_seq == 2)
    assert true.kind is Kind.FORK, "audit has no key and believes who comes first"
    report = verify(log.entries, log.keys)
    assert bad(report) == [("SEQUENCE_AHEAD", ahead.idx)], report.findings
    assert report.counts["decisions re-executed"] == 2


def test_a_decision_that_differs_is_named_although_somebody_tore_the_sequence_far_ahead() -> None:
    """One record under the case's key, fifty sequences ahead, hid every decision of the case from being made again."""
    log = Log()
    case_id = story(log, "child")
    entry = next(e for e in log.entries if e.type == OfferOpened.TYPE)
    body = structs.replace(unseal(entry, log.keys[case_id]).body, agency="police-prishtine")
    meta = seal.open(entry.value).meta
    value = seal.seal(log.keys[case_id], ROUTING, meta, codec.encode(body), bytes(12))
    log.entries[entry.idx] = structs.replace(entry, value=value, sha256=digest(value))
    assert isinstance(body, OfferOpened)
    write(log, case_id, response(body, Word.ACCEPT, "far"), 50, cause=str(uuid.UUID(int=9)))
    report = verify(log.entries, log.keys)
    assert ("DECISION_DIFFERS", entry.idx) in bad(report), report.findings


def test_a_single_forged_record_within_a_true_answer_is_the_one_that_is_named() -> None:
    """Only the offer is forged, and it came first; what stands around it is routing's own."""
    log = Log()
    case_id, forged = forged_answer(log)
    alone = [e for e in log.entries if e not in forged[:-1]]
    report = verify([structs.replace(e, idx=n) for n, e in enumerate(alone)], log.keys)
    assert bad(report) == [("DECISION_DIFFERS", forged[0].idx), ("SEQUENCE_AHEAD", forged[0].idx)], report.findings
    assert report.counts["decisions re-executed"] == 1 and case_id in log.cases


def test_replay_believes_neither_of_two_records_of_one_sequence() -> None:
    """The forged acceptance came first and was shown as verified, the true answer as "a fork, never applied"."""
    log = Log()
    case_id, offer = asked(log, "child")
    log.input(case_id, response(offer, Word.DECLINE, "forged"), "forged")
    write(log, case_id, response(offer, Word.ACKNOWLEDGE, "true"), 2, cause=str(uuid.UUID(int=9)))
    told = [line for line in timeline(log.entries[1:], log.keys[case_id]) if line.topic == INTAKE and line.seq == 2]
    assert [line.mark for line in told] == ["bad", "bad"]
    assert all("a second record has this sequence" in line.what and "police-prizren" in line.what for line in told), told


def test_a_fork_of_a_case_without_its_key_is_named_as_one() -> None:
    log = Log()
    _, forged = forged_answer(log)
    log.keys.clear()
    assert {code for code, _ in bad(verify(log.entries, log.keys))} == {"FORK"} and forged


def disown(log: Log, entry: Entry) -> None:
    """Its owner finds a record on its topic that it has not written (docs/decisions/0020)."""
    body = Quarantined(
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        reader=entry.topic.removeprefix("referral-"),
        reason="foreign",
        case_id=entry.case_id,
        case_seq=entry.case_seq,
        at=1,
        nonce=bytes(12),
        sealed=bytes(20),
        length=20,
    )
    key = f"{body.reader}/{entry.topic}/{entry.partition}/{entry.offset}"
    log.put(Quarantined.TOPIC, 0, key.encode(), codec.encode(body), headers.plain(Quarantined.TYPE, id=key, source=body.reader, at=1))


def test_what_the_owner_disowns_is_forged_and_everything_true_is_decided_again() -> None:
    log = Log()
    case_id, forged = forged_answer(log)
    for entry in forged:
        disown(log, entry)
    log.alarm(case_id)
    report = verify(log.entries, log.keys)
    assert bad(report) == [("DISOWNED", e.idx) for e in forged], report.findings
    assert report.counts["decisions re-executed"] == report.counts["decisions"] == 2


def test_a_number_that_the_owner_stepped_over_hides_no_later_decision() -> None:
    """A forged record took the next number before routing answered the alarm: the true answer stands behind it."""
    log = Log()
    case_id, offer = asked(log, "child")
    log.now += MINUTE
    seq = log._seqs[ROUTING, case_id] = log._seqs[ROUTING, case_id] + 1
    forged = write(log, case_id, structs.replace(offer, agency="police-prishtine"), seq, cause=str(uuid.UUID(int=9)))
    assert forged.kind is Kind.DECISION, "audit cannot tell"
    disown(log, forged)
    case = log.cases[case_id]
    at = next_due(case) or 0
    log.now = at
    log.answer(due_input(case_id, at, seq))
    report = verify(log.entries, log.keys)
    assert bad(report) == [("DISOWNED", forged.idx)], report.findings
    assert report.counts["decisions re-executed"] == 2
