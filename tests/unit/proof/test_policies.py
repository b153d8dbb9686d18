"""What `audit verify` says of the policies of a log: who signed each, how long it was in force, what it changed, whom it decided about."""

from __future__ import annotations

from msgspec import structs

from referral.cli.audit.verify import policies
from referral.proof.verify.log import Verification
from referral.proof.verify.report import Report, Weight
from referral.wire.signed.policy_signature import NO_SIGNERS, Trusted
from services.audit.ingest import Says, ingest
from tests.attacks.policies import BAD, begun, listing, put
from tests.harness import made_log
from tests.harness.audit_log import FILES, MINUTE, Kind, Log, story
from tests.harness.policies import KEEPER, LINES, OFFICE, STRANGER, TRUSTED, bundle
from tests.harness.signing_school import KEY, OTHER, by_http, refer

DAY = 24 * 60 * MINUTE
PATH = "pathways/trafficking-child.yaml"
SLOW = {**FILES, PATH: FILES[PATH].replace(b"acknowledge: 15 min P", b"acknowledge: 20 min P", 1)}


def judged(log: Log, signers: Trusted = NO_SIGNERS) -> Report:
    proof = Verification(log.keys, (), signers=signers)
    for entry in log.entries:
        proof.take(entry)
    proof.taken()
    cases = {entry.case_id for entry in log.entries if entry.case_id}
    for case_id in sorted(cases):
        proof.case(case_id, [entry for entry in log.entries if entry.case_id == case_id])
    return proof.report


def codes(report: Report) -> list[tuple[Weight, str]]:
    return [(found.weight, found.code) for found in report.findings]


def test_the_periods_name_signers_differences_and_cases() -> None:
    log = begun()
    story(log)
    log.now += DAY
    put(log, bundle(2, SLOW, at=log.now, before=FILES))
    since = log.now
    log.now += 10 * MINUTE
    put(log, bundle(3, FILES, at=log.now, before=SLOW))
    report = judged(log)
    assert codes(report) == []
    first, second, third = report.periods
    assert (first.number, first.signed_by, first.short) == (1, "nobody: before signatures", False)
    assert (second.since, second.until, second.signed_by, second.short) == (since, log.now, "policy-keeper and oversight-office", True)
    assert second.changes == (
        "LIMIT trafficking-child/police acknowledge: 15 min P → 20 min P",
        f"files: changed {PATH} (+1 -1 lines)",
    )
    assert (third.until, third.short) == (None, False)
    assert report.decided == {1: 1}
    shown = [*policies(report)]
    assert any(line.startswith("policy 2: ") and line.endswith("; LESS THAN A DAY") for line in shown)
    assert any("1 cases decided under it" in line for line in shown) and shown[-1].startswith("  files: ")
    [_, told, _] = report.as_json()["policies"]
    assert (told["number"], told["short"], told["cases"]) == (2, True, 0)


def test_a_forged_bundle_is_bad_and_is_no_period() -> None:
    for keys in ((), (KEEPER,), (KEEPER, KEEPER), (KEEPER, STRANGER)):
        log = begun()
        put(log, bundle(2, BAD, at=log.now, before=FILES, keys=keys))
        put(log, bundle(2, SLOW, at=log.now, before=FILES))
        report = judged(log)
        assert codes(report) == [(Weight.BAD, "POLICY_FORGED")]
        assert [(p.number, p.digest) for p in report.periods] == [(1, bundle(1, FILES).digest), (2, bundle(2, SLOW).digest)]


def test_a_log_of_before_signatures_is_good_and_says_so() -> None:
    log = Log()
    report = judged(log)
    assert codes(report) == [] and [p.signed_by for p in report.periods] == ["nobody: before signatures"]
    assert codes(judged(log, TRUSTED)) == [(Weight.BAD, "POLICY_FORGED")], "the auditor names signers, and pins nothing"
    pinned = structs.replace(TRUSTED, pins={1: bundle(1, FILES).digest})
    assert codes(judged(log, pinned)) == []


def test_the_auditors_signers_go_before_the_logs() -> None:
    log = begun()
    put(log, bundle(2, SLOW, at=log.now, before=FILES))
    mine = Trusted({"one": STRANGER.public_key().public_bytes_raw(), **dict([*TRUSTED.signers.items()][:1])}, {1: bundle(1, FILES).digest})
    assert codes(judged(log)) == [] and codes(judged(log, mine)) == [(Weight.BAD, "POLICY_FORGED")]


def test_a_log_that_names_other_signers_later_says_so() -> None:
    log = begun()
    put(log, bundle(2, SLOW, at=log.now, before=FILES))
    lines = LINES.replace(b"oversight-office", b"another-office")
    log.entries += ingest([], log._known, [Says(Kind.KEYS, made_log.policy() + lines)]).entries
    put(log, bundle(3, FILES, at=log.now, before=SLOW, keys=(KEEPER, OFFICE)))
    report = judged(log)
    assert codes(report) == [(Weight.NOTE, "POLICY_SIGNERS")]
    assert [p.signed_by for p in report.periods][1:] == ["policy-keeper and another-office"] * 2


def test_a_changed_key_is_bad_for_a_day_and_good_after_it() -> None:
    for wait, expected in ((10 * MINUTE, [(Weight.BAD, "SIGNATURE_KEY_NEW")]), (DAY, [])):
        log = begun()
        put(log, bundle(2, listing(KEY), at=log.now, before=FILES))
        log.now += MINUTE
        put(log, bundle(3, listing(OTHER), at=log.now, before=listing(KEY)))
        log.now += wait
        refer(log, by_http(key=OTHER))
        assert codes(judged(log)) == expected


def test_the_time_of_a_key_is_the_brokers_not_the_one_that_the_operator_writes() -> None:
    log = begun()
    put(log, bundle(2, listing(KEY), at=log.now - 2 * DAY, before=FILES))
    put(log, bundle(3, listing(OTHER), at=log.now - DAY, before=listing(KEY)))
    refer(log, by_http(key=OTHER))
    dated = (Weight.UNCHECKED, "ACTIVATED_AT")
    assert codes(judged(log)) == [dated, dated, (Weight.BAD, "SIGNATURE_KEY_NEW")]


def test_a_bundle_whose_bytes_were_changed_or_taken_away_is_the_finding_and_no_decision_under_it_is_accused() -> None:
    log = begun()
    story(log)
    [at] = [entry.idx for entry in log.entries if entry.kind is Kind.POLICY]
    whole = log.entries[at]
    flipped = whole.value[:-1] + bytes([whole.value[-1] ^ 1])
    for value, code in ((flipped, "HASH_DIFFERS"), (whole.value[::-1], "HASH_DIFFERS"), (b"", "PAYLOAD_GONE")):
        log.entries[at] = structs.replace(whole, value=value)
        report = judged(log)
        found = {code for weight, code in codes(report) if weight is Weight.BAD}
        assert code in found and found <= {code, "BODY", "WRITER", "META_DIFFERS"}, found
        assert report.counts["cases not decided again"] == 1
    log.entries[at] = whole
    assert codes(judged(log)) == []
