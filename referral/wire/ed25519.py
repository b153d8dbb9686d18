"""Check a signature by Ed25519 (RFC 8032). Pure.

libsodium checks twice as fast as OpenSSL, and refuses keys of small order, with which one signature would hold for every text.
"""

from __future__ import annotations

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey


def holds(public: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether this is the key's signature of these bytes; False also where either has another length than 32 and 64."""
    try:
        VerifyKey(public).verify(data, signature)
    except (BadSignatureError, ValueError):
        return False
    return True
