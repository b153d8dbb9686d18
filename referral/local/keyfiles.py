"""The two keys of a local stack: made once, readable by their owner alone, never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from referral.runtime import keys


def ensure(folder: Path) -> tuple[Path, Path]:
    """(master key file, ingress key file) in a folder, made if missing. The ingress key is an X25519 private key, PKCS 8 in PEM."""
    master, ingress = folder / "master.key", folder / "ingress.key"
    if not master.exists():
        keys.write(master)
    if not ingress.exists():
        pem = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        descriptor = os.open(ingress, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    return master, ingress
