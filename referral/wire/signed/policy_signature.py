"""Decide whether a policy bundle is to be believed: two signers have signed it. Pure; services, `recover` and auditors use this alone.

The log's policy file names the first signers (`trust_lines.py`, docs/decisions/0043). A bundle with a file `signers.yaml` names the signers
of those that follow. A pinned bundle is one that nobody need have signed: one of before there were signatures, or of before all keys were
lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, field

from referral.domain.events import PolicyActivated, PolicySignature
from referral.domain.policy.reading.reader import PolicyErrors, Reader
from referral.domain.policy.reading.signers import read_signers
from referral.domain.signers import NEEDED
from referral.wire import policy_digest
from referral.wire.signed import statements
from referral.wire.signed.statements import Kind

MOST = 16
"""Signatures that a bundle may carry (ours): a forged one with thousands would keep every reader busy at each start."""


class Trusted(Struct, frozen=True):
    """Trust of a reader. signers: name → public key. pins: number of a bundle → its digest, believed without signatures."""

    signers: Mapping[str, bytes] = {}
    pins: Mapping[int, str] = {}


NO_SIGNERS = Trusted()


def statement(number: int, digest: str, valid_from: int, before: str) -> bytes:
    """Return the bytes that a signer signs: one line each."""
    return statements.write(Kind.POLICY, number, digest, valid_from, before or "-")


def sign(key: Ed25519PrivateKey, number: int, digest: str, valid_from: int, before: str) -> PolicySignature:
    """Return a signer's signature of a bundle."""
    public = key.public_key().public_bytes_raw()
    return PolicySignature(public=public, signature=key.sign(statement(number, digest, valid_from, before)))


def signed_by(body: PolicyActivated, signers: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the names of those signers who signed this bundle, each once."""
    text = statement(body.number, body.digest, body.valid_from, body.before)
    holding = {one.public for one in body.signatures if statements.holds(one.public, one.signature, text)}
    return tuple(name for name, public in signers.items() if public in holding)


class Believed(Struct, kw_only=True):
    """The believed bundles of a topic or a log: for each next number the first that two signers signed.

    trusted: the signers and pins of the witness policy.
    signers: those who sign the next bundle.
    digests: of the believed bundles, by number, dense from 1.
    """

    trusted: Trusted
    signers: Mapping[str, bytes] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    signed: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Number → the signers of a bundle; nobody where a pin vouches for it."""

    def __post_init__(self) -> None:
        self.signers = self.signers or self.trusted.signers

    def take(self, body: PolicyActivated) -> str:
        """Believe the next bundle. Return "" or the word for why it is not believed; a believed one that comes again is "repeated"."""
        if self.digests.get(body.number) == body.digest:
            return "repeated"
        if body.number != len(self.digests) + 1:
            return "policy-sequence"
        if policy_digest.digest(body.files) != body.digest:
            return "policy-digest"
        if self.trusted.pins.get(body.number) == body.digest:
            self._believe(body, (), self.trusted.signers)
            return ""
        if body.before != self.digests.get(body.number - 1, ""):
            return "policy-predecessor"
        if body.at < body.valid_from:
            return "policy-early"
        by = signed_by(body, self.signers) if len(body.signatures) <= MOST else ()
        if len(by) < NEEDED:
            return "policy-signatures"
        reader = Reader(body.files)
        try:
            following = read_signers(reader)
            reader.finish()
        except PolicyErrors:
            return "policy-signers"
        self._believe(body, by, following or self.signers)
        return ""

    def _believe(self, body: PolicyActivated, by: tuple[str, ...], following: Mapping[str, bytes]) -> None:
        self.digests[body.number], self.signed[body.number], self.signers = body.digest, by, following
