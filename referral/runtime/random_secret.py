"""Make a secret that only its holder knows, and the digest by which a table knows it again. Pure but for chance."""

from __future__ import annotations

import hashlib
import secrets


def made() -> str:
    """Return 256 new random bits as 43 characters: a token, the cookie of a session, the secret part of an address."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """Return the SHA-256 that a table stores of a secret, never the secret: so many random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
