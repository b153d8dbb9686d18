"""Keys of signed notes and witness cosignatures, as C2SP writes them (signed-note, tlog-cosignature version 1).

A public key is `name+id+base64(type and public key)`; a secret key is `PRIVATE+KEY+…` with the seed instead.
A cosignature states that, at its time, this checkpoint was the largest tree of the log that the witness had seen.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct
from msgspec.structs import replace
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from referral.errors import Malformed
from referral.tlog.strict_text import base64, unbase64, utf8

ED25519, COSIGNATURE = 0x01, 0x04
"""The type of a key: ED25519 signs the text itself; COSIGNATURE signs the text with a time, as witnesses do."""
SECRET = b"PRIVATE+KEY+"
SEED = 32
"""Bytes of a seed, and of a public key (RFC 8032)."""


class VerifierKey(Struct, frozen=True):
    """A public key. kind: ED25519 or COSIGNATURE. public: 32 bytes."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key: a hint, not a fingerprint."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def encode(self) -> bytes:
        """Return the published form of the key."""
        return _written(self, self.public)

    def as_kind(self, kind: int) -> VerifierKey:
        """Return the same key as another type: some programs accept a witness key only as ED25519."""
        return replace(self, kind=kind)

    def holds(self, text: bytes, value: bytes) -> bool:
        """Return True if this key signed the text of a note. value: the bytes after the key's id."""
        try:
            if self.kind == COSIGNATURE:
                seconds, value = unpack(value)
                text = message(text, seconds)
            VerifyKey(self.public).verify(text, value)
        except (BadSignatureError, ValueError, Malformed):
            return False
        return True


class SignerKey(Struct, frozen=True):
    """A secret key. seed: 32 secret bytes; repr shows the public key only."""

    name: str
    kind: int
    seed: bytes

    def __repr__(self) -> str:
        return f"SignerKey({self.verifier.encode().decode()})"

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, self.kind, bytes(self._key().verify_key))

    def encode(self) -> bytes:
        """Return the form in which a file stores the secret key."""
        return SECRET + _written(self.verifier, self.seed)

    def sign(self, text: bytes, seconds: int) -> bytes:
        """Return the bytes that follow the key's id in a note. seconds: Unix time, included only by a COSIGNATURE key."""
        if self.kind == COSIGNATURE:
            return pack(seconds, self._key().sign(message(text, seconds)).signature)
        return self._key().sign(text).signature

    def _key(self) -> SigningKey:
        return SigningKey(self.seed)


def verifier(word: bytes) -> VerifierKey:
    """Parse a public key. Malformed, also for a type other than the two above."""
    name, id_, kind, public = _parts(word)
    key = VerifierKey(name, kind, public)
    if key.id.hex().encode() != id_:
        raise Malformed("key", "its id does not follow from its name and key")
    return key


def signer(word: bytes) -> SignerKey:
    """Parse a secret key. Malformed; the message never contains the key."""
    if not word.startswith(SECRET):
        raise Malformed("key", "a secret key begins with PRIVATE+KEY+")
    name, id_, kind, seed = _parts(word.removeprefix(SECRET))
    key = SignerKey(name, kind, seed)
    if key.verifier.id.hex().encode() != id_:
        raise Malformed("key", "its id does not follow from its name and key")
    return key


def named(word: bytes, reason: str, where: str) -> str:
    """Parse the name of a key: not empty, no Unicode space, no plus. Malformed."""
    name = utf8(word, reason, where)
    if not name or "+" in name or any(character.isspace() for character in name):
        raise Malformed(reason, f"{where} is no name of a key: empty, or with a space or plus in it")
    return name


def _parts(word: bytes) -> tuple[str, bytes, int, bytes]:
    parts = word.split(b"+", 2)
    if len(parts) != 3:
        raise Malformed("key", "it is not name+id+base64")
    name, data = named(parts[0], "key", "the name"), unbase64(parts[2], "key", "the key")
    if not data or data[0] not in (ED25519, COSIGNATURE):
        raise Malformed("key", "it is neither Ed25519 (type 1) nor a cosignature key (type 4)")
    if len(data) != 33:
        raise Malformed("key", f"an Ed25519 key has 32 bytes, this one {len(data) - 1}")
    return name, parts[1], data[0], data[1:]


def _written(key: VerifierKey, bytes_: bytes) -> bytes:
    return b"+".join((key.name.encode(), key.id.hex().encode(), base64(bytes([key.kind]) + bytes_)))


SIZE = 8 + 64
LATEST = 2**36
"""Limit of a cosignature's time in Unix seconds: the year 4147 (our choice). A later time is false, and no calendar has to display it."""


def message(text: bytes, seconds: int) -> bytes:
    """Return the bytes that a witness signs. text: the checkpoint without its signatures. seconds: Unix time."""
    return b"cosignature/v1\ntime %d\n%s" % (seconds, text)


def pack(seconds: int, signature: bytes) -> bytes:
    """Return the bytes of a cosignature that follow the key's id in a note."""
    return seconds.to_bytes(8, "big") + signature


def unpack(value: bytes) -> tuple[int, bytes]:
    """Return the Unix seconds and the signature of a cosignature. Malformed."""
    if len(value) != SIZE:
        raise Malformed("cosignature", f"it has {len(value)} bytes instead of {SIZE}")
    seconds = int.from_bytes(value[:8], "big")
    if seconds >= LATEST:
        raise Malformed("cosignature", "its time is not below 2^36")
    return seconds, value[8:]
