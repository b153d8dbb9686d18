"""Seal small values under the key of one purpose (AES-256-GCM), each bound to a context so that no row can be moved to another place."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from referral.errors import Malformed

CONTACT_BOX = "notifier-contact"
"""Purpose of the key that seals addresses: `referral duty` seals them, the notifier opens them."""
_NONCE = 12


def contact_context(account: str, channel: str) -> bytes:
    """Return the context of an address, so that no row can be moved to another person. account: id of the inbox account."""
    return f"{account}/{channel}".encode()


class SecretBox:
    """A key and its purpose. A sealed value is a random nonce and the ciphertext with its tag: 28 bytes more than the plain value."""

    def __init__(self, purpose: str, key: bytes) -> None:
        self._purpose, self._cipher = purpose, AESGCM(key)

    def seal(self, plain: bytes, context: bytes = b"") -> bytes:
        """Return the sealed value. context: what `open` must be given too."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes = b"") -> bytes:
        """Return the plain value. Malformed("seal"): another key or context, or changed bytes."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise Malformed("seal", self._purpose) from None
