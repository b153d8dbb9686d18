"""Case keys that are lent to an auditor: encrypted to the auditor's own key, so that an export may travel on any medium.

HPKE (RFC 9180) with the suite of `ingress`; info = b"referral-lent-keys-v1\\0" ‖ the log's origin.
The text is a msgpack map from case id to key.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from msgspec import DecodeError, msgpack

from referral.errors import Malformed
from referral.wire.ingress import suite

INFO = b"referral-lent-keys-v1\x00"
KEY = 32


def lend(public_key: X25519PublicKey, origin: str, keys: Mapping[str, bytes]) -> bytes:
    """The file of an export."""
    plain = {case_id: bytes(key) for case_id, key in keys.items()}  # a key may take its cipher along
    return suite().encrypt(msgpack.encode(plain, order="sorted"), public_key, info=INFO + origin.encode())


def take(private_key: X25519PrivateKey, origin: str, data: bytes) -> dict[str, bytes]:
    """Case id → key. Malformed: for another auditor or log, or changed."""
    try:
        keys = msgpack.decode(suite().decrypt(data, private_key, info=INFO + origin.encode()), type=dict[str, bytes])
    except (InvalidTag, ValueError):
        raise Malformed("keys", "not encrypted to this key for this log") from None
    except DecodeError as error:
        raise Malformed("keys", str(error)) from None
    if any(len(key) != KEY for key in keys.values()):
        raise Malformed("keys", f"a key has not {KEY} bytes")
    return keys
