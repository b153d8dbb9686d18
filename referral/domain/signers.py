"""The name and the key of an office that signs policies, erasures and operators' words: what every reader of signatures must agree on."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""Name of a signer: an office, not a person."""
NEEDED = 2
"""Signers that must sign a bundle: nobody changes the rules alone."""
PUBLIC = 32
"""Bytes of an Ed25519 public key (RFC 8032)."""


def public_key(word: str) -> bytes | None:
    """Return the 32 bytes of a key in base64; None: it is none."""
    try:
        public = b64decode(word, validate=True)
    except (ValueError, Error):
        return None
    return public if len(public) == PUBLIC else None
