"""What an agency encrypts by RFC 9180 alone intake can read, and nothing else."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from referral.errors import Malformed
from referral.wire import hpke

PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
TOPIC = "ingress.school-gjakova"
VALUE = hpke.encrypt(PRIVATE.public_key(), TOPIC, b"the submission")


def hmac256(key: bytes, data: bytes) -> bytes:
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(data)
    return mac.finalize()


def expand(secret: bytes, info: bytes, size: int) -> bytes:
    return hmac256(secret, info + b"\x01")[:size]


def rfc_9180(body: bytes, info: bytes) -> bytes:
    """Base mode, one shot, written from the RFC (sections 4.1, 5.1 and 7): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    ephemeral = X25519PrivateKey.generate()
    enc, theirs = ephemeral.public_key().public_bytes_raw(), PRIVATE.public_key().public_bytes_raw()
    kem = b"KEM" + (0x0020).to_bytes(2, "big")
    prk = hmac256(b"", b"HPKE-v1" + kem + b"eae_prk" + ephemeral.exchange(PRIVATE.public_key()))
    shared = expand(prk, (32).to_bytes(2, "big") + b"HPKE-v1" + kem + b"shared_secret" + enc + theirs, 32)
    suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x0020, 0x0001, 0x0002))
    context = b"\x00" + hmac256(b"", b"HPKE-v1" + suite + b"psk_id_hash") + hmac256(b"", b"HPKE-v1" + suite + b"info_hash" + info)
    secret = hmac256(shared, b"HPKE-v1" + suite + b"secret")
    key = expand(secret, (32).to_bytes(2, "big") + b"HPKE-v1" + suite + b"key" + context, 32)
    nonce = expand(secret, (12).to_bytes(2, "big") + b"HPKE-v1" + suite + b"base_nonce" + context, 12)
    return enc + AESGCM(key).encrypt(nonce, body, b"")


@given(st.binary(max_size=500))
def test_what_the_rfc_alone_encrypts_is_read(body: bytes) -> None:
    value = rfc_9180(body, b"referral-ingress-v1\x00" + TOPIC.encode())
    assert hpke.decrypt(PRIVATE, TOPIC, value) == body
    assert len(hpke.encrypt(PRIVATE.public_key(), TOPIC, body)) == len(value) == 32 + len(body) + 16


def test_the_lines_of_the_docstring_are_enough_for_an_agency() -> None:
    lines = re.search(r"\n\n(    from .*?)\n\Z", hpke.__doc__ or "", re.DOTALL)
    assert lines is not None
    names = {"raw": PRIVATE.public_key().public_bytes_raw(), "body": b"the submission"}
    exec(dedent(lines[1]), names)
    assert hpke.decrypt(PRIVATE, TOPIC, names["value"]) == b"the submission"


def refused(private: X25519PrivateKey, topic: str, value: bytes) -> str:
    with pytest.raises(Malformed) as error:
        hpke.decrypt(private, topic, value)
    return error.value.reason


def test_another_key_or_topic_or_changed_bytes_are_malformed() -> None:
    assert refused(X25519PrivateKey.generate(), TOPIC, VALUE) == "seal"
    assert refused(PRIVATE, "ingress.school-other", VALUE) == "seal"
    for at in range(len(VALUE)):
        assert refused(PRIVATE, TOPIC, VALUE[:at] + bytes([VALUE[at] ^ 1]) + VALUE[at + 1 :]) == "seal"
        assert refused(PRIVATE, TOPIC, VALUE[:at]) == "seal"
    assert refused(PRIVATE, TOPIC, VALUE + b"\x00") == "seal"


def test_size_is_bounded_before_decrypting() -> None:
    assert refused(PRIVATE, TOPIC, bytes(hpke.VALUE_LIMIT + 1)) == "too-large"


@given(st.binary(max_size=200))
def test_any_bytes_are_malformed(value: bytes) -> None:
    assert refused(PRIVATE, TOPIC, value) == "seal"


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_a_point_of_small_order_is_malformed(point: bytes) -> None:
    assert refused(PRIVATE, TOPIC, point + bytes(32)) == "seal"
