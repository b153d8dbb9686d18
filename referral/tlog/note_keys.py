"""The keys of signed notes as C2SP writes them: `name+id+base64(type and public key)`, and `PRIVATE+KEY+…` with the seed instead.

Witness cosignatures, version 1 (C2SP tlog-cosignature): that at a time this was the largest tree of a log which the witness had seen.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct
from msgspec.structs import replace

from referral.errors import Malformed
from referral.tlog.strict_text import base64, unbase64, utf8

ED25519, COSIGNATURE = 0x01, 0x04
"""How a key signs: the text itself, or the text with a time, as witnesses do."""
SECRET = b"PRIVATE+KEY+"


class VerifierKey(Struct, frozen=True):
    """kind: ED25519 or COSIGNATURE. public: 32 bytes."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes by which a signature names its key: a hint, not a fingerprint."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def encode(self) -> bytes:
        """The form in which keys are published."""
        return _written(self, self.public)

    def as_kind(self, kind: int) -> VerifierKey:
        """The same key in the other encoding: some programs take a witness only as ED25519."""
        return replace(self, kind=kind)

    def holds(self, text: bytes, value: bytes) -> bool:
        """Is this the key's signature of the text of a note? value: what follows the key's id."""
        try:
            if self.kind == COSIGNATURE:
                seconds, value = unpack(value)
                text = message(text, seconds)
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, text)
        except (InvalidSignature, Malformed):
            return False
        return True


class SignerKey(Struct, frozen=True):
    """seed: 32 secret bytes."""

    name: str
    kind: int
    seed: bytes

    def __repr__(self) -> str:
        return f"SignerKey({self.verifier.encode().decode()})"

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, self.kind, self._key().public_key().public_bytes_raw())

    def encode(self) -> bytes:
        """The form in which the secret key is kept in a file."""
        return SECRET + _written(self.verifier, self.seed)

    def sign(self, text: bytes, seconds: int) -> bytes:
        """What follows the key's id in a note. seconds: Unix time, which only a COSIGNATURE says."""
        if self.kind == COSIGNATURE:
            return pack(seconds, self._key().sign(message(text, seconds)))
        return self._key().sign(text)

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def verifier(word: bytes) -> VerifierKey:
    """A published key. Malformed, also where its type is none of ours."""
    name, id_, kind, public = _parts(word)
    key = VerifierKey(name, kind, public)
    if key.id.hex().encode() != id_:
        raise Malformed("key", "its id does not follow from its name and key")
    return key


def signer(word: bytes) -> SignerKey:
    """A secret key. Malformed; no message holds it."""
    if not word.startswith(SECRET):
        raise Malformed("key", "a secret key begins with PRIVATE+KEY+")
    name, id_, kind, seed = _parts(word.removeprefix(SECRET))
    key = SignerKey(name, kind, seed)
    if key.verifier.id.hex().encode() != id_:
        raise Malformed("key", "its id does not follow from its name and key")
    return key


def named(word: bytes, reason: str, where: str) -> str:
    """The name of a key: not empty, no space of Unicode, no plus. Malformed."""
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
"""Unix seconds, in the year 4147 (ours): a later time is a lie, and no calendar has to show it."""


def message(text: bytes, seconds: int) -> bytes:
    """What a witness signs. text: the checkpoint without its signatures. seconds: Unix time."""
    return b"cosignature/v1\ntime %d\n%s" % (seconds, text)


def pack(seconds: int, signature: bytes) -> bytes:
    """What stands in a note after the key's id."""
    return seconds.to_bytes(8, "big") + signature


def unpack(value: bytes) -> tuple[int, bytes]:
    """Unix seconds and the signature. Malformed."""
    if len(value) != SIZE:
        raise Malformed("cosignature", f"it has {len(value)} bytes instead of {SIZE}")
    seconds = int.from_bytes(value[:8], "big")
    if seconds >= LATEST:
        raise Malformed("cosignature", "its time is not below 2^36")
    return seconds, value[8:]
