"""`audit verify` over a log that the real rules made: it is good, and every way to tamper with it is caught and named."""

from __future__ import annotations

import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from referral.domain.case import next_due, open_offers
from referral.domain.decide import decide, facts_at
from referral.domain.events import AnswerWithdrawn, CaseClosed, Instruction, OfferOpened, OfferReopened, Quarantined, Word
from referral.domain.inputs import due_input, record_input
from referral.proof import cover
from referral.proof.entry import INTAKE, ROUTING, Entry, Kind, digest
from referral.proof.history.case import unseal
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report, Weight
from referral.wire import codec, headers, seal
from referral.wire.signed import erasure_approval
from services.audit.ingest import Says, ingest
from services.routing import engine_failure
from tests.harness.audit_log import MINUTE, POLICY, Log, asked, closed, erase, response, story
from tests.harness.audit_log import named as log_keys
from tests.harness.erased import INTAKE as OURS
from tests.harness.erased import PLAIN, erased
from tests.harness.made_child import ordered

MADE_UP = "00000000-0000-4000-8000-0000000000ee"


@pytest.fixture
def log() -> Log:
    made = Log()
    story(made)
    return made


def checked(log: Log, entries: list[Entry] | None = None) -> Report:
    return verify(log.entries if entries is None else entries, log.keys)


def numbered(entries: list[Entry]) -> list[Entry]:
    """An attacker who tidies up after himself."""
    return [structs.replace(entry, idx=n) for n, entry in enumerate(entries)]


def named(report: Report, code: str, idx: int) -> None:
    """The first bad entry is this one, for this reason, and nothing else is bad before it."""
    first = report.first_bad()
    assert first is not None and (first.code, first.idx) == (code, idx), report.findings
    assert report.exit_code() == 1


def decision(log: Log, kind: type, number: int = 0) -> Entry:
    return [e for e in log.entries if e.topic == ROUTING and e.type == kind.TYPE][number]  # type: ignore[attr-defined]


def resealed(log: Log, entry: Entry, body: object) -> Entry:
    """What somebody who holds the case's key can do: another body under a good seal and a good hash."""
    meta = seal.open(entry.value).meta
    value = seal.seal(log.keys[entry.case_id], entry.topic, meta, codec.encode(body), bytes(12))  # type: ignore[arg-type]
    return structs.replace(entry, value=value, sha256=digest(value))


def test_an_honest_log_is_good(log: Log) -> None:
    story(log, "two")
    report = verify(log.entries, log.keys)
    assert report.exit_code() == 0 and not report.findings
    assert report.counts["cases"] == 2
    assert report.counts["decisions"] == report.counts["decisions re-executed"] == 6
    assert report.counts["entries"] == len(log.entries)


def test_a_changed_payload_is_named(log: Log) -> None:
    place = log.entries.index(decision(log, OfferOpened))
    entry = log.entries[place]
    log.entries[place] = structs.replace(entry, value=entry.value[:-1] + bytes([entry.value[-1] ^ 1]))
    named(checked(log), "HASH_DIFFERS", entry.idx)


def test_a_changed_payload_with_a_new_hash_does_not_open(log: Log) -> None:
    for kind in (Kind.EVENT, Kind.DECISION):
        place, entry = next((n, e) for n, e in enumerate(log.entries) if e.kind is kind)
        value = entry.value[:-1] + bytes([entry.value[-1] ^ 1])
        entries = [*log.entries]
        entries[place] = structs.replace(entry, value=value, sha256=digest(value))
        named(checked(log, entries), "SEAL", entry.idx)


def test_a_dropped_entry_is_named_even_when_the_rest_is_numbered_anew(log: Log) -> None:
    entry = decision(log, OfferOpened)
    rest = [e for e in log.entries if e is not entry]
    named(checked(log, rest), "INDEX_GAP", entry.idx + 1)
    after = next(e for e in numbered(rest) if e.topic == ROUTING and e.case_seq == entry.case_seq + 1)
    named(checked(log, numbered(rest)), "SEQUENCE_GAP", after.idx)


def test_a_cut_end_shows_where_a_decision_is_incomplete(log: Log) -> None:
    last = log.entries[-1]
    report = checked(log, log.entries[:-1])
    assert last.topic == ROUTING
    named(report, "DECISION_DIFFERS", last.idx - 1)


def test_reordered_entries_are_named(log: Log) -> None:
    entries = [*log.entries]
    place = entries.index(decision(log, OfferOpened))
    entries[place], entries[place - 1] = entries[place - 1], entries[place]
    named(checked(log, entries), "INDEX_GAP", entries[place].idx)
    named(checked(log, numbered(entries)), "SEQUENCE_GAP", place - 1)


def test_a_changed_decision_under_a_good_seal_is_named(log: Log) -> None:
    entry = decision(log, OfferOpened)
    body = unseal(entry, log.keys[entry.case_id]).body
    place = log.entries.index(entry)
    log.entries[place] = resealed(log, entry, structs.replace(body, agency="police-prishtine"))
    named(checked(log), "DECISION_DIFFERS", entry.idx)


def test_changed_rules_are_named(log: Log) -> None:
    """Somebody swaps the bundle in the log: its digest does not fit, and no decision can be judged by it."""
    entry = log.entries[0]
    value = entry.value.replace(b"police-prizren", b"police-pristin", 1)
    log.entries[0] = structs.replace(entry, value=value, sha256=digest(value))
    named(checked(log), "HASH_DIFFERS", 0)


def forged(log: Log, seq: int, topic: str = "referral-intake") -> None:
    """What somebody can write who has the topic and not the case's key."""
    known = next(e for e in log.entries if e.topic == topic and e.case_id)
    meta = structs.replace(seal.open(known.value).meta, case_seq=seq, event_id=known.cause_id)
    value = seal.seal(bytes(32), topic, meta, b"", bytes(12))
    log.put(topic, known.partition, known.key or b"", value)


@pytest.mark.parametrize("seq", [3, 50])
def test_a_forged_record_is_the_bad_one_and_not_the_true_ones_after_it(log: Log, seq: int) -> None:
    """Audit has no key and believes who comes first: two true answers follow, and are logged as forks."""
    forged(log, seq)
    bad = log.entries[-1].idx
    case_id = next(iter(log.cases))
    for offer, name in zip(open_offers(log.cases[case_id]), ("first", "second"), strict=False):
        log.input(case_id, response(offer, Word.ACCEPT, name), name)
    assert next(e.case_seq for e in log.entries if e.kind is Kind.FORK) == 3
    report = checked(log)
    named(report, "SEAL", bad)
    assert {f.idx for f in report.findings if f.weight is Weight.BAD} == {bad}, report.findings
    assert report.counts["decisions re-executed"] == report.counts["decisions"] > 3


def test_a_second_record_with_one_sequence_is_a_fork(log: Log) -> None:
    entry = decision(log, OfferOpened)
    other = resealed(log, entry, unseal(entry, log.keys[entry.case_id]).body)
    log.put(ROUTING, entry.partition, entry.key or b"", other.value, entry.headers)
    assert log.entries[-1].kind is Kind.FORK
    named(checked(log), "FORK", len(log.entries) - 1)


def test_a_repeated_record_is_no_finding(log: Log) -> None:
    entry, before = decision(log, OfferOpened), len(log.entries)
    log.put(ROUTING, entry.partition, entry.key or b"", entry.value, entry.headers)
    assert len(log.entries) == before and checked(log).exit_code() == 0


def test_an_entry_that_says_other_than_its_value_is_named(log: Log) -> None:
    entry = decision(log, OfferOpened)
    log.entries[log.entries.index(entry)] = structs.replace(entry, recorded_at=entry.recorded_at + 1)
    named(checked(log), "META_DIFFERS", entry.idx)


def test_an_input_that_was_passed_over_is_named(log: Log) -> None:
    case_id = next(iter(log.cases))
    offer = unseal(decision(log, OfferOpened), log.keys[case_id]).body
    assert isinstance(offer, OfferOpened)

    log.say(case_id, response(offer, Word.ARRIVE, "lost"), "00000000-0000-0000-0000-0000000000aa", case_id, "intake")
    passed = log.entries[-1]
    assert checked(log).exit_code() == 0 and checked(log).counts["inputs in flight"] == 1
    log.input(case_id, response(offer, Word.COMPLETE, "later"), "later")
    named(checked(log), "NOT_DECIDED", passed.idx)


def test_an_erased_case_is_whole_but_unread(log: Log) -> None:
    case_id = story(log, "erased")
    closed(log, case_id)
    erase(log, case_id)
    del log.keys[case_id]
    report = checked(log)
    mine = [e for e in log.entries if e.case_id == case_id]
    assert [(f.code, f.weight) for f in report.findings] == [("ERASED", Weight.NOTE)] and report.exit_code() == 0
    told = report.findings[0].what
    assert f"erased under entry {mine[-1].idx} (storage-ended)" in told
    assert PLAIN.requested_by in told and PLAIN.approved_by in told  # type: ignore[operator]
    log.entries[mine[2].idx] = structs.replace(mine[2], value=mine[2].value[:-1])
    assert checked(log).exit_code() == 1


def test_an_erasure_that_speaks_of_records_that_the_log_has_not_is_not_fully_checked(log: Log) -> None:
    case_id = story(log, "erased")
    closed(log, case_id)
    erase(log, case_id, records=7)
    del log.keys[case_id]
    assert [f.code for f in checked(log).findings] == ["ERASED", "ERASURE_COUNT"] and checked(log).exit_code() == 3


def test_an_erasure_that_the_readers_refused_is_forged_and_accounts_for_nothing(log: Log) -> None:
    case_id = story(log, "erased")
    closed(log, case_id)
    said = erase(log, case_id)
    gone = [e for e in log.entries if e.case_id == case_id][2]
    log.entries[gone.idx] = structs.replace(gone, value=b"")
    body = Quarantined(
        topic=INTAKE,
        partition=said.partition,
        offset=said.offset,
        reader="routing",
        reason="seal",
        case_seq=0,
        at=1,
        nonce=bytes(12),
        sealed=bytes(20),
        length=4,
    )
    key = f"routing/{INTAKE}/{said.partition}/{said.offset}"
    told = headers.plain(Quarantined.TYPE, id=key, source="routing", at=1)
    log.put(Quarantined.TOPIC, 0, key.encode(), codec.encode(body), told)
    del log.keys[case_id]
    report = checked(log)
    bad = [(f.code, f.idx) for f in report.findings if f.weight is Weight.BAD]
    assert bad == [("ERASURE_FORGED", said.idx), ("PAYLOAD_GONE", gone.idx)] and report.counts["cases erased"] == 0


def test_an_erasure_of_an_open_case_is_bad_whoever_signed_it(log: Log) -> None:
    case_id = story(log, "erased")
    at = erase(log, case_id).idx
    named(checked(log), "ERASURE_OPEN", at)
    del log.keys[case_id]
    named(checked(log), "ERASURE_OPEN", at)


def test_a_case_that_was_closed_after_the_approval_or_opened_again_before_it_was_open(log: Log) -> None:
    case_id = story(log, "erased")
    before = log.now
    log.now += MINUTE
    closed(log, case_id)
    at = erase(log, case_id, approved_at=before).idx
    named(checked(log), "ERASURE_OPEN", at)

    case_id = story(log, "again")
    closed(log, case_id)
    log.now += MINUTE
    reopened(log, case_id)
    assert not log.cases[case_id].closed
    at = erase(log, case_id).idx
    assert ("ERASURE_OPEN", at) in [(f.code, f.idx) for f in checked(log).findings]


def test_an_erasure_that_audit_logs_before_the_older_record_of_the_closing_is_good(log: Log) -> None:
    """Topics are read beside one another: only the times tell."""
    case_id = story(log, "erased")
    closed(log, case_id)
    shut = next(e for e in log.entries if e.case_id == case_id and e.type == CaseClosed.TYPE)
    erase(log, case_id)
    log.entries = numbered([*(e for e in log.entries if e.idx != shut.idx), shut])
    del log.keys[case_id]
    assert checked(log).exit_code() == 0


@pytest.mark.parametrize("keys", [(), OURS.intake])
def test_an_erasure_without_intake_s_signature_is_forged_and_accounts_for_nothing(log: Log, keys: tuple[bytes, ...]) -> None:
    """The attack: the master key, which five services hold, and the broker; two innocent accounts stand in it."""
    case_id = story(log, "erased")
    closed(log, case_id)
    entry = [e for e in log.entries if e.case_id == case_id][2]
    log.entries[entry.idx] = structs.replace(entry, value=b"")
    log_keys(log, *keys)
    records = sum(e.case_id == case_id and e.topic == INTAKE for e in log.entries)
    log.say(case_id, structs.replace(PLAIN, records=records, approved_at=log.now), MADE_UP, case_id, "intake")
    at = log.entries[-1].idx
    del log.keys[case_id]
    report = checked(log)
    assert [(f.code, f.idx) for f in report.findings if f.weight is Weight.BAD] == [("ERASURE_FORGED", at), ("PAYLOAD_GONE", entry.idx)]
    assert report.counts["cases erased"] == 0 and "no signature of intake" in report.findings[0].what


def test_an_erasure_that_another_key_signed_is_forged_also_where_the_log_names_that_key_and_the_auditor_does_not(log: Log) -> None:
    case_id = story(log, "erased")
    closed(log, case_id)
    other = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
    theirs = other.public_key().public_bytes_raw()
    log_keys(log, *OURS.intake)
    records = sum(e.case_id == case_id and e.topic == INTAKE for e in log.entries)
    body = erasure_approval.signed(other, case_id, structs.replace(PLAIN, records=records, approved_at=log.now))
    log.say(case_id, body, MADE_UP, case_id, "intake")
    named(checked(log), "ERASURE_FORGED", log.entries[-1].idx)

    log.entries = numbered([*log.entries[:-1]])
    log_keys(log, theirs)
    log.say(case_id, body, MADE_UP, case_id, "intake")
    report = verify(log.entries, log.keys)
    assert "INTAKE_KEY" in [f.code for f in report.findings], "whoever changes the key is seen to"
    assert "ERASURE_FORGED" in [f.code for f in verify(log.entries, log.keys, OURS).findings]


def test_whether_intake_said_an_erasure_is_not_known_where_nobody_names_its_key(log: Log) -> None:
    case_id = story(log, "erased")
    closed(log, case_id)
    log.say(case_id, erased(case_id, 2, approved_at=log.now), MADE_UP, case_id, "intake")
    assert "ERASURE_KEY" in [f.code for f in checked(log).findings] and checked(log).exit_code() == 3
    report = verify(log.entries, log.keys, OURS)
    assert "ERASURE_KEY" not in [f.code for f in report.findings]


def reopened(log: Log, case_id: str) -> None:
    """The desk opens it again."""
    log.input(case_id, ordered(Instruction.REOPEN, MADE_UP, log.now), f"reopen {case_id}")


def test_a_value_that_is_gone_is_a_note_under_an_erasure_and_tampering_without_one(log: Log) -> None:
    case_id = story(log, "erased")
    entry = [e for e in log.entries if e.case_id == case_id][2]
    log.entries[entry.idx] = structs.replace(entry, value=b"")
    named(checked(log), "PAYLOAD_GONE", entry.idx)
    key = log.keys.pop(case_id)
    named(checked(log), "PAYLOAD_GONE", entry.idx)
    log.keys[case_id] = key
    closed(log, case_id)
    erase(log, case_id)
    del log.keys[case_id]
    report = checked(log)
    assert [(f.code, f.idx) for f in report.findings] == [("PAYLOAD_ERASED", entry.idx), ("ERASED", log.entries[-1].idx)]
    assert report.exit_code() == 0 and f"erased under entry {log.entries[-1].idx}" in report.findings[0].what


def test_a_key_that_is_gone_without_an_erasure_is_not_fully_checked(log: Log) -> None:
    log.keys.clear()
    report = checked(log)
    assert report.exit_code() == 3
    assert [f.code for f in report.findings] == ["KEY_GONE"]


def test_a_decision_of_the_path_for_a_failed_engine_is_unverified_and_the_rest_is_judged(log: Log) -> None:
    case_id = next(iter(log.cases))
    case = log.cases[case_id]
    log.now = next_due(case) or 0
    cause = due_input(case_id, log.now, case.seq)
    facts = facts_at(case, log.now, {}, 1)
    log.record(cause, list(engine_failure.events(case, cause, facts, POLICY)))
    log.alarm(case_id)
    report = checked(log)
    assert [f.code for f in report.findings] == ["ENGINE_FAILED"]
    assert report.exit_code() == 3
    assert report.counts["decisions"] - report.counts["decisions re-executed"] == 1


def test_another_engines_decision_is_unchecked_not_bad(log: Log) -> None:
    case_id = next(iter(log.cases))
    entries = []
    for entry in log.entries:
        body = unseal(entry, log.keys[case_id]).body if entry.kind is Kind.DECISION else None
        head = getattr(body, "head", None)
        if body is not None and head is not None:
            body = structs.replace(body, head=structs.replace(head, facts=structs.replace(head.facts, engine=99)))
            entry = resealed(log, entry, body)
        entries.append(entry)
    report = checked(log, entries)
    assert {f.code for f in report.findings} == {"OTHER_ENGINE"} and report.exit_code() == 3


@pytest.mark.parametrize(("minutes", "codes"), [(1, []), (5, ["DECISION_DIFFERS"])])
def test_an_answer_that_was_taken_back_is_decided_again(log: Log, minutes: int, codes: list[str]) -> None:
    """Routing cannot open an offer again by pretending that it was asked to sooner."""
    case_id, police = asked(log, "slip")
    for word in (Word.ACCEPT, Word.COMPLETE):
        log.input(case_id, response(police, word, "slip"), f"slip {word}")
    done = log.now
    log.now += minutes * MINUTE
    back = AnswerWithdrawn(offer_id=police.offer_id, agency=police.agency, by=MADE_UP, recorded_by=None, received_at=log.now)
    meta, source = log.say(case_id, back, str(uuid.uuid5(uuid.UUID(MADE_UP), "0")), MADE_UP, "intake")
    cause = record_input(meta, back, source)
    case = log.cases[case_id]
    said = decide(case, structs.replace(cause, body=structs.replace(back, received_at=done)), facts_at(case, log.now, {}, 1), POLICY)
    assert isinstance(said[0], OfferReopened)
    log.record(cause, list(said))
    assert [found.code for found in checked(log).findings] == codes


def test_a_record_that_is_hidden_as_cover_is_bad() -> None:
    log = Log()
    log.entries += ingest([], log._known, [Says(Kind.COVER, bytes(cover.BYTES)), Says(Kind.COVER, b"a name and an address")]).entries
    report = verify(log.entries, log.keys)
    assert [(f.code, f.idx) for f in report.findings if f.weight is Weight.BAD] == [("BODY", len(log.entries) - 1)]
    assert report.counts["cover entries"] == 2
