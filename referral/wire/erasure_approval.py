"""Sign a request for an erasure, and its approval, each with its person's own key; and check both. Pure.

The log's policy file names the keys, in lines that are comments to every C2SP reader (docs/decisions/0048) and that `trust.py` writes:

    # approver desk-prizren-1 ed25519 <base64 of 32 bytes>

A name is an office and a number, no person's. Each of two persons signs on a machine of their own; no service ever has such a key.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from referral.domain.events import CaseErased
from referral.domain.signers import NAME, public_key
from referral.errors import Malformed
from referral.wire import ed25519, intake_key, writer_signature

APPROVER, KIND = [b"#", b"approver"], b"ed25519"
REQUEST, APPROVAL = b"referral-erasure-request-v1\n", b"referral-erasure-approval-v1\n"
"""First bytes of what each person signs, so that neither signature fits another statement."""
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
        return intake_key.genuine(self.intake, case_id, body) and not self.lacks(case_id, body, at)

    def lacks(self, case_id: str, body: Struct, at: int) -> str:
        """Return in words what an erasure lacks of its two persons; empty: nothing."""
        if not self.approvers or 0 < at < self.since or not isinstance(body, CaseErased):
            return ""
        return lacks(self.approvers, case_id, body)


NOBODY = Erasers()


def erasers(policy: bytes) -> Erasers:
    """Return those whom a witness policy names. Malformed: a bad line."""
    return Erasers(intake_key.named(policy), named(policy), writer_signature.since(policy))


def line(name: str, public: bytes) -> str:
    """Return the line of a witness policy that names a person's key. public: 32 bytes."""
    return f"# approver {name} ed25519 {b64encode(public).decode()}\n"


def named(policy: bytes) -> Approvers:
    """Return the approvers that a witness policy names. Malformed: a bad line, or a name or a key that stands there twice."""
    found = dict[str, bytes]()
    for number, text in enumerate(policy.split(b"\n"), 1):
        words = text.split()
        if words[:2] == APPROVER:
            name, public = _approver(words[2:], number)
            if name in found or public in found.values():
                raise Malformed("policy", f"line {number} repeats an approver, or the key of one: two persons have two keys")
            found[name] = public
    return found


def _approver(words: list[bytes], number: int) -> tuple[str, bytes]:
    name, kind, written = [*words, b"", b"", b""][:3]
    public = public_key(written.decode("ascii", "replace"))
    if len(words) != 3 or kind != KIND or public is None or not NAME.fullmatch(name.decode("ascii", "replace")):
        raise Malformed("policy", f"line {number} names no approver: write `# approver NAME ed25519 <base64 of 32 bytes>`")
    return name.decode(), public


def request(case_id: str, basis: str, account: str) -> bytes:
    """Return what the person signs who asks for an erasure. basis: the reason. account: the person's own."""
    return REQUEST + f"{case_id}\n{basis}\n{account}\n".encode()


def approval(case_id: str, basis: str, account: str, asked_by: str, asked: bytes) -> bytes:
    """Return what the other person signs: the same case and reason, and this very request. asked: its signature."""
    return APPROVAL + f"{case_id}\n{basis}\n{account}\n{asked_by}\n".encode() + asked


def signer(approvers: Approvers, signature: bytes | None, statement: bytes) -> str:
    """Return the name of the approver who signed this; empty: none."""
    return next((name for name, public in approvers.items() if signature is not None and ed25519.holds(public, signature, statement)), "")


def lacks(approvers: Approvers, case_id: str, body: CaseErased) -> str:
    """Return in words what an erasure lacks to be that of two persons; empty: two approvers signed it, for this case and reason."""
    asked, approved = body.requested_signature, body.approved_signature
    if asked is None or approved is None:
        return "it lacks the signatures of two persons"
    one = signer(approvers, asked, request(case_id, body.basis, body.requested_by or ""))
    two = signer(approvers, approved, approval(case_id, body.basis, body.approved_by or "", body.requested_by or "", asked))
    if not one or not two:
        return f"no approver signed its {'approval' if one else 'request'}, for this case and this reason"
    return "one person signed both its request and its approval" if one == two or body.requested_by == body.approved_by else ""


def sign(key: Ed25519PrivateKey, statement: bytes) -> bytes:
    """Return a person's signature of `request` or `approval`."""
    return key.sign(statement)
