"""Keys of logs and witnesses, and what a witness's key says of the time: one spelling, and no secret in any message."""

from __future__ import annotations

from base64 import b64encode

import pytest

from referral.errors import Malformed
from referral.tlog import note, note_keys
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey, VerifierKey
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES, made

GOOD = made(7).signed()


@pytest.mark.parametrize("key", [LOG, *WITNESSES], ids=lambda key: key.name)
def test_keys_are_written_and_read(key: SignerKey) -> None:
    assert note_keys.signer(key.encode()) == key
    assert note_keys.verifier(key.verifier.encode()) == key.verifier
    assert repr(key.seed) not in repr(key)
    assert b64encode(key.seed)[:8].decode() not in repr(key)


def test_a_witness_has_one_key_in_two_encodings_that_sign_differently() -> None:
    key = WITNESSES[0].verifier
    plain = key.as_kind(ED25519)
    assert plain.public == key.public
    assert plain.id != key.id
    signed = note.sign(GOOD.text, WITNESSES[0], NOW)
    assert key.holds(GOOD.text, signed.value)
    assert not plain.holds(GOOD.text, signed.value)
    assert not plain.holds(GOOD.text, signed.value[8:])


@pytest.mark.parametrize("value", [b"", bytes(71), bytes(73), b"\x80" + bytes(71), b"\0\0\0\x10" + bytes(68)])
def test_a_cosignature_of_another_length_or_age_does_not_hold(value: bytes) -> None:
    with pytest.raises(Malformed):
        note_keys.unpack(value)
    assert not WITNESSES[0].verifier.holds(GOOD.text, value)


def test_the_time_of_a_cosignature_is_signed() -> None:
    seconds, signature = note_keys.unpack(GOOD.signatures[1].value)
    assert seconds == NOW
    assert note_keys.message(b"text\n", NOW) == b"cosignature/v1\ntime 1800000000\ntext\n"
    assert not WITNESSES[0].verifier.holds(GOOD.text, note_keys.pack(NOW + 1, signature))


KEY = LOG.verifier.encode()
NAME, ID, BASE = KEY.split(b"+", 2)


@pytest.mark.parametrize(
    "word",
    [
        NAME + b"+" + ID,
        NAME + b"+" + ID.upper().replace(b"0", b"O") + b"+" + BASE,
        NAME + b"+" + bytes([ID[0] ^ 1]) + ID[1:] + b"+" + BASE,
        b"x" + KEY,
        b"+" + ID + b"+" + BASE,
        b"a b+" + ID + b"+" + BASE,
        KEY + b"\n",
        KEY[:-1],
        VerifierKey(ORIGIN, 6, bytes(32)).encode(),
        VerifierKey(ORIGIN, ED25519, bytes(31)).encode(),
        VerifierKey(ORIGIN, COSIGNATURE, bytes(33)).encode(),
        NAME + b"+" + ID + b"+",
    ],
)
def test_a_key_that_is_spelled_otherwise_is_refused(word: bytes) -> None:
    with pytest.raises(Malformed, match="key: "):
        note_keys.verifier(word)
    with pytest.raises(Malformed, match="key: "):
        note_keys.signer(b"PRIVATE+KEY+" + word)


def test_a_secret_key_is_not_told_by_its_refusal() -> None:
    word = LOG.encode().replace(ORIGIN.encode(), b"another.example")
    with pytest.raises(Malformed) as found:
        note_keys.signer(word)
    assert word.rpartition(b"+")[2].decode() not in str(found.value)
    with pytest.raises(Malformed, match="PRIVATE"):
        note_keys.signer(LOG.verifier.encode())
