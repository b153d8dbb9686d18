"""Read intake's public keys from the log's policy file, and sign and check erasures with intake's key. Pure.

The line `# intake ed25519 <base64 of 32 bytes>` is a comment to every C2SP reader. So one file names both the log's witnesses and intake's
key, and the log pins the key, because the log contains that file (docs/decisions/0025). Only a program writes such lines, from
`trust.toml` (`referral/wire/trust.py`).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, structs

from referral.domain.events import CaseErased
from referral.errors import Malformed
from referral.wire import codec, ed25519

BEGIN = [b"#", b"intake"]
KIND = b"ed25519"
PUBLIC = 32
"""Bytes of an Ed25519 public key (RFC 8032)."""
ERASURE_V3, ERASURE = b"referral-case-erased-v3\n", b"referral-case-erased-v4\n"
"""First bytes of a signed erasure, so that its signature fits no other statement. Version 3 had no signatures of the two persons."""
NO_PERSONS = b"\x00\x00"
"""Avro of the two signatures, the last fields, where there are none: what version 4 has behind version 3."""


def line(public: bytes) -> bytes:
    """Return the line of a witness policy that names a key. public: 32 bytes."""
    return b" ".join((*BEGIN, KIND, b64encode(public))) + b"\n"


def named(policy: bytes) -> tuple[bytes, ...]:
    """Return intake's keys in a witness policy: the current one, and older ones whose erasures stay valid. Malformed: a bad line."""
    keys: list[bytes] = []
    for number, text in enumerate(policy.split(b"\n"), 1):
        words = text.split()
        if words[:2] == BEGIN:
            keys.append(_key(words[2:], number))
    return tuple(keys)


def _key(words: list[bytes], number: int) -> bytes:
    try:
        kind, written = words
        public = b64decode(written, validate=True)
    except (ValueError, Error):
        kind, public = b"", b""
    if kind != KIND or len(public) != PUBLIC:
        raise Malformed("policy", f"line {number} does not name a key of intake: write `# intake ed25519 <base64 of {PUBLIC} bytes>`")
    return public


def signed(key: Ed25519PrivateKey, case_id: str, body: CaseErased) -> CaseErased:
    """Return the erasure with intake's signature."""
    return structs.replace(body, signature=key.sign(_statement(case_id, body)))


def genuine(keys: Collection[bytes], case_id: str, body: Struct) -> bool:
    """Return whether intake signed this erasure of this case. keys: as `named` returns them. Versions 1 and 2 had no signature."""
    if not isinstance(body, CaseErased) or body.signature is None:
        return False
    return signs(keys, body.signature, _statement(case_id, body))


def signs(keys: Collection[bytes], signature: bytes, data: bytes) -> bool:
    """Return whether one of these public keys signed these bytes."""
    return any(ed25519.holds(key, signature, data) for key in keys)


def _statement(case_id: str, body: CaseErased) -> bytes:
    data = codec.encode(structs.replace(body, signature=None))
    if body.requested_signature is None and body.approved_signature is None:
        return ERASURE_V3 + case_id.encode() + b"\n" + data.removesuffix(NO_PERSONS)
    return ERASURE + case_id.encode() + b"\n" + data
