"""Sign an erasure with intake's key, its request and its approval each with its person's own key, and check all three. Pure.

The log's policy file names the keys (`trust_lines.py`, docs/decisions/0048). An approver's name is an office and a number, no person's.
Each of two persons signs on a machine of their own; no service ever has such a key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, structs

from referral.domain.events import CaseErased
from referral.wire import codec
from referral.wire.signed import statements
from referral.wire.signed.statements import Kind

NO_PERSONS = b"\x00\x00"
"""Avro of the two signatures, the last fields, where there are none: what version 4 has behind version 3."""
Approvers = Mapping[str, bytes]
"""Name → public key."""


class Erasers(Struct, frozen=True):
    """Those whom a reader believes that a case is erased: intake, and two approvers.

    intake: intake's public keys. approvers: none where the policy names none; then intake's signature is enough.
    since: broker's time in ms from which an erasure needs both persons' signatures.
    """

    intake: tuple[bytes, ...] = ()
    approvers: Approvers = {}
    since: int = 0

    def genuine(self, case_id: str, body: Struct, at: int) -> bool:
        """Return whether intake and two persons signed this erasure of this case. at: LogAppendTime of its record, ms."""
        return genuine(self.intake, case_id, body) and not self.lacks(case_id, body, at)

    def lacks(self, case_id: str, body: Struct, at: int) -> str:
        """Return in words what an erasure lacks of its two persons; empty: nothing."""
        if not self.approvers or 0 < at < self.since or not isinstance(body, CaseErased):
            return ""
        return lacks(self.approvers, case_id, body)


NO_ERASERS = Erasers()


def request(case_id: str, basis: str, account: str) -> bytes:
    """Return what the person signs who asks for an erasure. basis: the reason. account: the person's own."""
    return statements.write(Kind.ERASURE_REQUEST, case_id, basis, account)


def approval(case_id: str, basis: str, account: str, asked_by: str, asked: bytes) -> bytes:
    """Return what the other person signs: the same case and reason, and this very request. asked: its signature."""
    return statements.write(Kind.ERASURE_APPROVAL, case_id, basis, account, asked_by, rest=asked)


def lacks(approvers: Approvers, case_id: str, body: CaseErased) -> str:
    """Return in words what an erasure lacks to be that of two persons; empty: two approvers signed it, for this case and reason."""
    asked, approved = body.requested_signature, body.approved_signature
    if asked is None or approved is None:
        return "it lacks the signatures of two persons"
    one = statements.signer(approvers, asked, request(case_id, body.basis, body.requested_by or ""))
    two = statements.signer(approvers, approved, approval(case_id, body.basis, body.approved_by or "", body.requested_by or "", asked))
    if not one or not two:
        return f"no approver signed its {'approval' if one else 'request'}, for this case and this reason"
    return "one person signed both its request and its approval" if one == two or body.requested_by == body.approved_by else ""


def signed(key: Ed25519PrivateKey, case_id: str, body: CaseErased) -> CaseErased:
    """Return the erasure with intake's signature. key: intake's own."""
    return structs.replace(body, signature=key.sign(statement(case_id, body)))


def genuine(intake: Collection[bytes], case_id: str, body: Struct) -> bool:
    """Return whether intake signed this erasure of this case. intake: its public keys. Versions 1 and 2 had no signature."""
    if not isinstance(body, CaseErased) or body.signature is None:
        return False
    return statements.holds_by_any(intake, body.signature, statement(case_id, body))


def statement(case_id: str, body: CaseErased) -> bytes:
    """Return what intake signs. Version 3 had no signatures of the two persons."""
    data = codec.encode(structs.replace(body, signature=None))
    if body.requested_signature is None and body.approved_signature is None:
        return statements.write(Kind.ERASED_V3, case_id, rest=data.removesuffix(NO_PERSONS))
    return statements.write(Kind.ERASED, case_id, rest=data)
