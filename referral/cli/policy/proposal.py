"""A proposed policy bundle as a file: all that a signer needs to see what it changes, and to sign it on a machine without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, structs
from sqlalchemy import Row

from referral.domain.events import PolicyActivated, PolicySignature
from referral.domain.policy import Policy, policy
from referral.domain.policy.differences import differences
from referral.errors import Rejected
from referral.runtime import policy_feed
from referral.runtime.policy_feed import Chain
from referral.wire import policy_digest
from referral.wire.signed import policy_signature

BEGIN = b"referral-policy-proposal-v1\n"


class Proposal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proposed bundle.

    number, digest, valid_from, before: what is signed (PolicyActivated).
    files: the bundle; earlier: the files of every bundle before it, from which the differences are computed.
    signers: name → public key of those who may sign it, as the proposer has them; `activate` goes by its own.
    """

    number: int
    digest: str
    valid_from: int
    before: str
    files: Mapping[str, bytes]
    earlier: Sequence[Mapping[str, bytes]]
    signers: Mapping[str, bytes]
    signatures: tuple[PolicySignature, ...] = ()

    def body(self, at: int) -> PolicyActivated:
        """Return the event that puts it into force. at: time, µs UTC."""
        return PolicyActivated(
            number=self.number,
            digest=self.digest,
            at=at,
            files=self.files,
            valid_from=self.valid_from,
            before=self.before,
            signatures=self.signatures,
        )

    def signed_by(self) -> tuple[str, ...]:
        """Return the names of those who have signed it."""
        return policy_signature.signed_by(self.body(self.valid_from), self.signers)


def chain(rows: Sequence[Row[Any]], trusted: policy_signature.Trusted) -> Chain:
    """Return the believed bundles among the rows of routing.policy."""
    found = Chain(trusted)
    for row in rows:
        found.add(policy_feed.stored(row))
    return found


def proposed(believed: Chain, files: Mapping[str, bytes], valid_from: int) -> Proposal:
    """Return the proposal that puts these files into force after the believed bundles."""
    return Proposal(
        number=len(believed.known) + 1,
        digest=policy_digest.digest(files),
        valid_from=valid_from,
        before=believed.newest.digest if believed.newest else "",
        files=files,
        earlier=[bundle.files for bundle in believed.known.values()][-1:],
        signers=believed.signers,
    )


def signed(proposal: Proposal, key: Ed25519PrivateKey) -> Proposal:
    """Return the proposal with one more signature. Rejected: nobody who may sign has this key, or its owner has signed already."""
    one = policy_signature.sign(key, proposal.number, proposal.digest, proposal.valid_from, proposal.before)
    name = next((name for name, public in proposal.signers.items() if public == one.public), None)
    if name is None:
        raise Rejected("no-signer", "--key", f"this key is of no signer of this policy; they are: {', '.join(proposal.signers)}")
    if name in proposal.signed_by():
        raise Rejected("signed-already", "--key", f"{name} has signed already: another signer must sign, with a key of their own")
    return structs.replace(proposal, signatures=(*proposal.signatures, one))


def words(proposal: Proposal) -> Iterator[str]:
    """Yield what a signer must read. Rejected: the proposal holds other files than it says. PolicyErrors: of the files."""
    earlier = proposal.earlier[-1] if proposal.earlier else None
    if policy_digest.digest(proposal.files) != proposal.digest or (policy_digest.digest(earlier) if earlier else "") != proposal.before:
        raise Rejected("digest", "FILE", "it holds other files than its digests name: somebody changed it; do not sign it")
    before: Policy | None = policy.compile(earlier) if earlier else None
    yield f"policy bundle {proposal.number}, digest {proposal.digest}"
    yield f"after bundle {proposal.number - 1}, digest {proposal.before}" if earlier else "the first bundle of this stack"
    yield from (f"  {line}" for line in differences(before, policy.compile(proposal.files, before)))
    yield f"  files: {policy_digest.changes(earlier, proposal.files)}"
    yield f"signed by: {', '.join(proposal.signed_by()) or 'nobody yet'}"


def read(path: Path) -> Proposal:
    """Read a proposal. Rejected: it cannot be read, or is none."""
    try:
        data = path.read_bytes()
        if not data.startswith(BEGIN):
            raise Rejected("no-proposal", str(path), "name a file that `referral policy propose` wrote")
        return msgspec.msgpack.decode(data[len(BEGIN) :], type=Proposal)
    except OSError as error:
        raise Rejected("no-file", str(path), f"it cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError:
        raise Rejected("no-proposal", str(path), "it is cut or changed: ask for it again") from None


def write(path: Path, proposal: Proposal) -> None:
    """Write a proposal. Rejected: it cannot be written."""
    try:
        path.write_bytes(BEGIN + msgspec.msgpack.encode(proposal))
    except OSError as error:
        raise Rejected("no-file", str(path), f"it cannot be written: {error.strerror}") from None


def key(path: Path) -> Ed25519PrivateKey:
    """Read a signer's key: Ed25519, PKCS 8 in PEM. Rejected: no such file, or another content."""
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise Rejected("signer-key", str(path), "name a readable key of a signer, as `referral policy key` makes it")
    return found
