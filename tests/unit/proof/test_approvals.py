"""`verify` says bad of an erasure that two persons did not sign, whoever has intake's key."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from referral.domain.events import CaseClosed, SectionDisclosed, Why
from referral.proof.entry import INTAKE as TOPIC
from referral.proof.entry import Kind
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report, Weight
from referral.wire.signed.erasure_approval import Erasers
from tests.harness.audit_log import MINUTE, Log, closed, named, story
from tests.harness.erased import APPROVERS, FIRST, INTAKE, LINES, SECOND, STRANGER, approved, erased
from tests.unit.proof.test_branches import bad
from tests.vectors.leaves import CASE
from tests.vectors.order import LINES as WRITERS
from tests.vectors.order import PEOPLE
from tests.vectors.people import erased as two_persons
from tests.vectors.short_log import Short

ID = "0e0e0e0e-0000-4000-8000-00000000000e"


def gone(
    *, more: bytes = LINES, intake: tuple[bytes, ...] = INTAKE.intake, ends: bool = True, body: Any = None, **said: Any
) -> tuple[Log, str]:
    """A log whose policy names approvers, and a case of it that intake says is erased; its key is gone. more: lines of the policy."""
    log = Log()
    named(log, *intake, more=more)
    case_id = story(log)
    if ends:
        closed(log, case_id)
    times = {"records": sum(e.topic == TOPIC for e in log.entries), "requested_at": log.now, "approved_at": log.now, **said}
    log.say(case_id, (body or approved)(case_id, **times), ID, case_id, "intake")
    del log.keys[case_id]
    return log, case_id


def codes(report: Report) -> list[str]:
    return [code for code, _ in bad(report)]


def by(asks: Ed25519PrivateKey, approves: Ed25519PrivateKey) -> Any:
    return lambda case_id, **said: approved(case_id, asks, approves, **said)


def test_an_erasure_of_two_persons_is_whole_and_one_without_them_is_bad_and_accounts_for_nothing() -> None:
    log, _ = gone()
    report = verify(log.entries, log.keys)
    assert bad(report) == [] and report.counts["cases erased"] == 1, report.findings
    for body in (erased, by(FIRST, FIRST), by(STRANGER, SECOND), by(FIRST, STRANGER)):
        log, _ = gone(body=body)
        report = verify(log.entries, log.keys)
        assert codes(report) == ["ERASURE_ALONE"] and report.counts["cases erased"] == 0, report.findings
        assert "whoever has intake's key" in report.findings[0].what
    assert codes(verify(*_of(gone(ends=False)))) == ["ERASURE_OPEN"], "two persons erase no open case either"


def test_the_auditors_own_approvers_go_before_those_that_the_log_names() -> None:
    log, _ = gone(body=by(STRANGER, FIRST), more=LINES + b"# approver mine ed25519 " + _public(STRANGER))
    assert codes(verify(log.entries, log.keys)) == []
    assert codes(verify(log.entries, log.keys, Erasers(INTAKE.intake, APPROVERS))) == ["ERASURE_ALONE"]
    named(log, *INTAKE.intake, more=LINES)
    assert "APPROVERS" in [f.code for f in verify(log.entries, log.keys).findings], "whoever changes them is seen to"


def test_a_log_of_before_is_good_until_the_policy_names_approvers() -> None:
    for more in (b"", LINES + b"# signed-from 2027-01-01T00:00:00Z\n"):
        log, _ = gone(more=more, body=erased)
        assert all(f.weight is Weight.NOTE for f in verify(log.entries, log.keys).findings)


def test_an_approval_dated_after_its_record_waits_for_no_end_of_the_case() -> None:
    """Intake's key dates the approval of an open case into the future; the case ends before that time."""
    log = Log()
    named(log, *INTAKE.intake, more=LINES)
    case_id = story(log)
    log.say(case_id, approved(case_id, records=2, approved_at=log.now + 60 * MINUTE), ID, case_id, "intake")
    log.now += MINUTE
    closed(log, case_id)
    assert codes(verify(log.entries, log.keys)) == ["ERASURE_OPEN"]


def _of(made: tuple[Log, str]) -> tuple[Any, Any]:
    return made[0].entries, made[0].keys


def _public(key: Ed25519PrivateKey) -> bytes:
    from base64 import b64encode

    return b64encode(key.public_key().public_bytes_raw()) + b"\n"


def emptied(log: Log, case_id: str, *more: int) -> list[str]:
    """The bad findings once somebody took the values of a case away. more: entries whose value is gone too."""
    for at, entry in enumerate(log.entries):
        if (entry.case_id == case_id and entry.kind in (Kind.EVENT, Kind.DECISION)) or at in more:
            log.entries[at] = structs.replace(entry, key=None, value=b"", headers=())
    return codes(verify(log.entries, log.keys))


def test_approvers_are_asked_where_nobody_names_a_key_of_intake() -> None:
    for body, told in ((approved, []), (erased, ["ERASURE_ALONE"])):
        log, case_id = gone(body=body, intake=())
        report = verify(log.entries, log.keys)
        assert codes(report) == told and "ERASURE_KEY" in [f.code for f in report.findings]
        assert ("PAYLOAD_GONE" in emptied(log, case_id)) == bool(told), "whoever has the broker and the tables accounts for nothing"


def test_the_log_does_not_say_from_when_the_auditors_own_approvers_are_asked() -> None:
    log, _ = gone(body=erased, more=LINES + b"# signed-from 2099-01-01T00:00:00Z\n")
    assert codes(verify(log.entries, log.keys)) == []
    assert codes(verify(log.entries, log.keys, Erasers(approvers=APPROVERS))) == ["ERASURE_ALONE"]


def test_an_erasure_that_its_writer_did_not_sign_accounts_for_no_value_that_is_gone() -> None:
    """Intake's key for erasures, and both approvers' signatures from a file, are there; intake's key for records is not."""
    for signs, told in (("intake", []), ("", ["PAYLOAD_GONE", "WRITER"])):
        log = Short()
        log.names(WRITERS + PEOPLE)
        log.write(CASE, SectionDisclosed(agency="school-one", section="identity", basis="desk", at=log.now), by="intake")
        why = Why(rule="all-tracks-ended", procedure="", directory="", engine=4, passed=())
        log.write(CASE, CaseClosed(why=why, outcome="all-tracks-ended"), by="routing")
        log.write(CASE, two_persons(records=1, approved_at=log.now), by=signs)
        log.take_away(1)
        assert sorted(codes(verify(log.entries, {}))) == told


def test_an_erasure_whose_own_value_is_gone_accounts_for_nothing() -> None:
    """A database administrator empties a case and the erasure that nobody signed."""
    log, case_id = gone(body=by(STRANGER, STRANGER))
    erasure = len(log.entries) - 1
    held = sum(e.case_id == case_id and e.kind in (Kind.EVENT, Kind.DECISION) for e in log.entries)
    assert emptied(log, case_id, erasure) == ["PAYLOAD_GONE"] * (held + 1)
