"""The keys with which the services of tests sign their records."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral.wire.signed import trust_lines, writer_signature
from referral.wire.signed.trust_lines import Keyword
from referral.wire.signed.writer_signature import OWNERS, Writers

KEYS = {service: Ed25519PrivateKey.from_private_bytes(sha256(service.encode()).digest()) for service in OWNERS.values()}
WRITERS = Writers({service: (key.public_key().public_bytes_raw(),) for service, key in KEYS.items()})
LINES = b"".join(trust_lines.key_line(Keyword.WRITER, service, key) for service, (key,) in WRITERS.keys.items())


def signature(topic: str, key: bytes, value: bytes, by: str = "") -> tuple[str, bytes]:
    """The header of a record published alone. by: the service that signs; by itself the topic's writer."""
    return writer_signature.sign(KEYS[by or OWNERS[topic]], topic, [(key, value)])[0]
