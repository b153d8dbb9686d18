"""Policy bundles as their two signers sign them, for tests of those who read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral.cli.policy import activate
from referral.domain.events import PolicyActivated
from referral.runtime import secret_file
from referral.wire import policy_digest
from referral.wire.signed import policy_signature, trust_lines
from referral.wire.signed.policy_signature import Trusted
from referral.wire.signed.trust_lines import Keyword

KEEPER, OFFICE, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (31, 32, 33))
"""The two signers' keys in every test that makes no other, and one of somebody else."""
TRUSTED = Trusted({name: key.public_key().public_bytes_raw() for name, key in (("policy-keeper", KEEPER), ("oversight-office", OFFICE))})
LINES = b"".join(trust_lines.key_line(Keyword.POLICY_SIGNER, name, public) for name, public in TRUSTED.signers.items())
"""The lines of a witness policy that name the two."""


def bundle(
    number: int,
    files: Mapping[str, bytes],
    *,
    at: int = 1,
    before: Mapping[str, bytes] | None = None,
    keys: Sequence[Ed25519PrivateKey] = (KEEPER, OFFICE),
    digest: str = "",
    valid_from: int = 0,
) -> PolicyActivated:
    """A bundle with these keys' signatures. before: the files of the one before it. digest: another one than that of its files."""
    digest, earlier = digest or policy_digest.digest(files), policy_digest.digest(before) if before is not None else ""
    return PolicyActivated(
        number=number,
        digest=digest,
        at=at,
        files=files,
        valid_from=valid_from,
        before=earlier,
        signatures=tuple(policy_signature.sign(key, number, digest, valid_from, earlier) for key in keys),
    )


def key_files(folder: Path) -> tuple[Path, ...]:
    """The files of the two signers' keys, as a local stack has them."""
    made = tuple(folder / f"{name}.key" for name in TRUSTED.signers)
    for path, key in zip(made, (KEEPER, OFFICE), strict=True):
        if not path.exists():
            secret_file.write(path, activate.pem(key))
    return made
