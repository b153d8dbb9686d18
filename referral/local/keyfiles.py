"""Create the key files and the policy file of a local stack: each key once, readable by its owner only, never overwritten."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import structs

from referral.runtime import secret_file
from referral.runtime.keys import case_keys
from referral.tlog.note_keys import ED25519, SEED, SignerKey, VerifierKey
from referral.wire.signed import writer_signature
from referral.wire.signed.trust import Trust


def ensure(folder: Path) -> tuple[Path, Path]:
    """Return (master key file, ingress key file) in a folder; create missing ones. The ingress key is X25519, PKCS 8 in PEM."""
    master, ingress = folder / "master.key", folder / "ingress.key"
    if not master.exists():
        case_keys.write(master)
    if not ingress.exists():
        secret_file.write(ingress, X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return master, ingress


def intake(path: Path) -> bytes:
    """Return the public half of intake's signing key, for `trust.toml`; create the key if missing: Ed25519, PKCS 8 in PEM."""
    if not path.exists():
        secret_file.write(path, Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return case_keys.signing(path).public_key().public_bytes_raw()


SIGNERS = ("policy-keeper", "oversight-office")
"""The two signers of a local stack's policy. In production each has the key alone, on a machine of their own."""


def writers(folder: Path) -> dict[str, bytes]:
    """Return service → public half of the key with which it signs its records; create missing ones."""
    return {service: intake(writer(folder, service)) for service in writer_signature.OWNERS.values()}


def writer(folder: Path, service: str) -> Path:
    """Return the file of a service's key for its records."""
    return folder / f"{service}-writer.key"


def signers(folder: Path) -> dict[str, Path]:
    """Return name → key file of the policy's two signers; create missing ones."""
    return _pair(folder, SIGNERS, "")


def _pair(folder: Path, names: Sequence[str], begins: str) -> dict[str, Path]:
    """Return name → key file, Ed25519 in PKCS 8 and PEM; create missing ones. begins: first letters of each file's name."""
    files = {name: folder / f"{begins}{name}.key" for name in names}
    for path in files.values():
        intake(path)
    return files


APPROVERS = ("first-approver", "second-approver")
"""The two persons of a local stack who sign erasures. In production each has the key alone, on a machine of their own."""


OPERATORS = ("keeper", "second-keeper")
"""The two operators of a local stack; the first has the certificate. In production each has a key alone, on a machine of their own."""


def approvers(folder: Path) -> dict[str, Path]:
    """Return name → key file of those who sign erasures; create missing ones."""
    return _pair(folder, APPROVERS, "")


def operators(folder: Path) -> dict[str, Path]:
    """Return name → key file of the two operators; create missing ones."""
    return _pair(folder, OPERATORS, "operator-")


def log(folder: Path) -> Path:
    """Return the file of the log's key; create it if missing. Its name, the log's origin, is random and so unique."""
    path = folder / "log.key"
    if not path.exists():
        secret_file.write(path, SignerKey(f"log.test/{os.urandom(4).hex()}", ED25519, os.urandom(SEED)).encode() + b"\n")
    return path


def policy(log: VerifierKey, witnesses: Sequence[tuple[str, VerifierKey, str]]) -> bytes:
    """Return a C2SP policy file: a majority of the witnesses must cosign a checkpoint; without witnesses, none.

    log: the log's public key.
    witnesses: (name, key, address) of each.
    """
    lines = [b"log " + log.encode()]
    lines += [b"witness %s %s %s" % (name.encode(), key.encode(), url.encode()) for name, key, url in witnesses]
    if witnesses:
        names = " ".join(name for name, _, _ in witnesses).encode()
        lines += [b"group most %d %s" % (len(witnesses) // 2 + 1, names), b"quorum most"]
    else:
        lines.append(b"quorum none")
    return b"\n".join(lines) + b"\n"


def renewed(before: Trust, policy: bytes, intake: bytes) -> Trust:
    """Return whom a stack believes with the witnesses and intake's key of now, and all else as before.

    An older key of intake stands behind the current one: receipts and erasures that intake has signed with it stay good. The comments of
    the policy file stay: which log this one follows. policy: the C2SP policy file of now.
    """
    comments = [line for line in before.witness_policy.splitlines(keepends=True) if line.startswith(b"#")]
    keys = dict.fromkeys((intake, *before.erasers.intake))
    erasers = structs.replace(before.erasers, intake=tuple(keys))
    return structs.replace(before, witness_policy=b"".join(comments) + policy, erasers=erasers)
