"""An erasure is two persons': each signs for this case and this reason, with a key that no service has."""

from __future__ import annotations

from base64 import b64encode

import pytest
from msgspec.structs import replace

from referral.domain.events import CaseErased
from referral.errors import Malformed
from referral.wire import codec
from referral.wire.signed import erasure_approval, trust_lines
from referral.wire.signed.erasure_approval import Erasers
from tests.harness import made_log
from tests.harness.erased import APPROVERS, FIRST, INTAKE, KEY, LINES, PLAIN, SECOND, STRANGER, approved, erased

CASE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
BOTH = Erasers(INTAKE.intake, APPROVERS)
V3 = (
    "024861316131613161312d303030302d343030302d383030302d30303030303030303030303102024861326132613261322d303030302d343030302d38303030"
    "2d303030303030303030303032041a73746f726167652d656e6465640202e8870e6ff53bfabd74033933263b59f21d30fdac3bfe77bb135f91315e128088132b"
    "c47ba89c404a5f9443038aebcd9170d38f7da462868d9d0e2e50eaa3e10d"
)
"""An erasure of CASE as the version before signed it: Avro of case-erased.v3."""


def test_two_approvers_for_this_case_and_this_reason_are_needed() -> None:
    said = approved(CASE)
    assert BOTH.genuine(CASE, said, 1) and not BOTH.genuine(OTHER, said, 1)
    for bad, why in (
        (erased(CASE), "lacks the signatures of two persons"),
        (approved(CASE, FIRST, FIRST), "one person signed both"),
        (approved(CASE, SECOND, SECOND), "one person signed both"),
        (approved(CASE, STRANGER, SECOND), "no approver signed its request"),
        (approved(CASE, FIRST, STRANGER), "no approver signed its approval"),
        (approved(CASE, approved_by=PLAIN.requested_by), "one person signed both"),
        (replace(said, approved_signature=None), "lacks the signatures of two persons"),
        (replace(said, requested_signature=None), "lacks the signatures of two persons"),
        (replace(said, basis="person-asked"), "no approver signed its request"),
        (replace(said, requested_by=PLAIN.approved_by), "no approver signed its request"),
        (replace(said, approved_by="a3a3a3a3-0000-4000-8000-000000000003"), "no approver signed its approval"),
        (replace(said, requested_signature=said.approved_signature), "no approver signed its request"),
        (replace(said, approved_signature=said.requested_signature), "no approver signed its approval"),
        (replace(said, approved_signature=approved(OTHER).approved_signature), "no approver signed its approval"),
        (replace(said, approved_signature=approved(CASE, SECOND, SECOND).approved_signature), "no approver signed its approval"),
    ):
        bad = erasure_approval.signed(KEY, CASE, bad)  # whoever has intake's key signs anything
        assert not BOTH.genuine(CASE, bad, 1) and why in BOTH.lacks(CASE, bad, 1), (why, BOTH.lacks(CASE, bad, 1))
        assert INTAKE.genuine(CASE, bad, 1), "where the policy names no approvers"
    assert not BOTH.genuine(CASE, replace(said, approved_at=9), 1), "intake signs the times"
    assert not BOTH.genuine(CASE, approved(CASE, by=STRANGER), 1)


def test_an_erasure_of_before_is_believed_where_the_brokers_time_is_earlier() -> None:
    old = codec.decode("case-erased.v3", codec.fingerprint("case-erased.v3"), bytes.fromhex(V3))
    assert isinstance(old, CaseErased) and INTAKE.genuine(CASE, old, 1) and not BOTH.genuine(CASE, old, 1)
    since = trust_lines.erasers(trust_lines.intake_line(INTAKE.intake[0]) + LINES + b"# signed-from 1970-01-01T00:00:01Z\n")
    assert since == Erasers(INTAKE.intake, APPROVERS, 1000)
    assert since.genuine(CASE, old, 999) and not since.genuine(CASE, old, 1000) and since.genuine(CASE, approved(CASE), 1000)
    assert erasure_approval.signed(KEY, CASE, replace(old, signature=None)) == old, "without persons it is signed as before"


def test_the_witness_policy_names_the_approvers() -> None:
    assert trust_lines.approvers(made_log.policy() + LINES) == APPROVERS
    assert trust_lines.approvers(b"quorum none\n# a remark about an approver\n") == {}
    free, taken = (b64encode(key.public_key().public_bytes_raw()).decode() for key in (STRANGER, FIRST))
    for bad in (
        "# approver",
        "# approver third ed25519",
        "# approver third ed25519 x",
        f"# approver third rsa {free}",
        f"# approver Third ed25519 {free}",
        f"# approver third ed25519 {free} more",
        f"# approver desk-prizren-1 ed25519 {free}",
        f"# approver third ed25519 {taken}",
    ):
        with pytest.raises(Malformed, match="line 3"):
            trust_lines.approvers(LINES + bad.encode() + b"\n")
