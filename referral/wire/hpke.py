"""Encrypt with HPKE to a public key: an agency's submissions to intake, and the case keys of an export to an auditor.

HPKE (RFC 9180), base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (ids 0x0020, 0x0001, 0x0002).

Case keys of an export: the plaintext is a msgpack map from case id to key; info = b"referral-lent-keys-v1\\0" ‖ the log's origin. So the
export may travel on any medium.

A record of `ingress.<agency>` is one submission, encrypted to intake's published key.
value = enc (32 bytes) ‖ ciphertext with its tag (16 bytes); info = b"referral-ingress-v1\\0" ‖ topic, e.g. ingress.school-gjakova,
without a stack's prefix; empty additional data; a fresh ephemeral key for each record. In Python, without any code of ours:

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    public_key = X25519PublicKey.from_public_bytes(raw)  # the 32 published bytes
    value = suite.encrypt(body, public_key, info=b"referral-ingress-v1\\0" + b"ingress.school-gjakova")
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from msgspec import DecodeError, msgpack

from referral.errors import Malformed

INGRESS_INFO = b"referral-ingress-v1\x00"
# A submission has only codes, a few hundred bytes; ingress.* accepts 1 MiB (topics.yaml), and no agency needs a tenth of it.
VALUE_LIMIT = 64 * 1024


def suite() -> Suite:
    """Return the only suite that we use."""
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def encrypt(public_key: X25519PublicKey, topic: str, body: bytes) -> bytes:
    """Return the record value of a submission."""
    return suite().encrypt(body, public_key, info=INGRESS_INFO + topic.encode())


def decrypt(private_key: X25519PrivateKey, topic: str, value: bytes) -> bytes:
    """Return the submission in a record value. Malformed: too large, truncated, for another key or topic, or changed."""
    if len(value) > VALUE_LIMIT:
        raise Malformed("too-large", "record value")
    try:
        return suite().decrypt(value, private_key, info=INGRESS_INFO + topic.encode())
    except (InvalidTag, ValueError):
        raise Malformed("seal", "not encrypted to this key for this topic") from None


LENT_INFO = b"referral-lent-keys-v1\x00"
KEY = 32


def lend(public_key: X25519PublicKey, origin: str, keys: Mapping[str, bytes]) -> bytes:
    """Return the key file of an export. public_key: the auditor's. origin: the log's. keys: case id → key."""
    plain = {case_id: bytes(key) for case_id, key in keys.items()}  # plain bytes: a seal.Key carries its cipher
    return suite().encrypt(msgpack.encode(plain, order="sorted"), public_key, info=LENT_INFO + origin.encode())


def take(private_key: X25519PrivateKey, origin: str, data: bytes) -> dict[str, bytes]:
    """Return case id → key from the key file of an export. Malformed: for another auditor or log, or changed."""
    try:
        keys = msgpack.decode(suite().decrypt(data, private_key, info=LENT_INFO + origin.encode()), type=dict[str, bytes])
    except (InvalidTag, ValueError):
        raise Malformed("keys", "not encrypted to this key for this log") from None
    except DecodeError as error:
        raise Malformed("keys", str(error)) from None
    if any(len(key) != KEY for key in keys.values()):
        raise Malformed("keys", f"a key has not {KEY} bytes")
    return keys
