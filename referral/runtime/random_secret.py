"""Make a secret that only its holder knows, or the code of an invitation that is read aloud once, and the digest by which a table knows it
again. Pure but for chance."""

from __future__ import annotations

import hashlib
import re
import secrets

VALID_US = 72 * 3600 * 1_000_000
"""Time for which an invitation may be used (P): a weekend."""
IN_A_CALL_US = 15 * 60 * 1_000_000
"""Time for which a code of an operator, or one that replaces another, may be used (P): as long as one call to whoever it is for."""
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's alphabet: none of I, L, O and U, which are misread or misheard."""
LENGTH, GROUP = 16, 4
"""80 random bits, read aloud in groups of four: nobody guesses one, whatever the rate."""
_MISREAD = str.maketrans("ILO", "110")


def made() -> str:
    """Return 256 new random bits as 43 characters: a token, the cookie of a session, the secret part of an address."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """Return the SHA-256 that a table stores of a secret, never the secret: so many random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def in_a_call(now: int) -> int:
    """Return the time under which a code is stored that ends after IN_A_CALL_US. now: µs UTC."""
    return now - VALID_US + IN_A_CALL_US


def spoken_code() -> str:
    """Return a new code: K7QM-2F9D-XH3T-0R5W."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return "-".join(letters[n : n + GROUP] for n in range(0, LENGTH, GROUP))


def typed_digest(typed: str) -> bytes:
    """Return the digest of a code as a person types it: without regard to case, spaces, hyphens, and letters that are misread."""
    return digest(re.sub(r"[\s-]", "", typed).upper().translate(_MISREAD))
