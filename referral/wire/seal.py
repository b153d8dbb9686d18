"""One record value: clear meta, sealed body (schemas/avro/sealed.v1.avsc).

value = Avro(Meta) ‖ nonce (12) ‖ length (Avro long) ‖ sealed. sealed = AES-256-GCM under the case's key over the Avro body, with
topic ‖ Avro(Meta) as additional data; topic is the name without a stack's prefix. `case-erased` travels unsealed: its key will be gone.
"""

from __future__ import annotations

from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed
from referral.wire import avro, codec
from referral.wire.compiled import READERS

# What a case topic takes (topics.yaml, max.message.bytes) less room for key, headers and batch framing.
VALUE_LIMIT = 1_000_000
NONCE = 12
TAG = 16
# Nothing about a person, and no key left to protect it with. Every version of it.
UNSEALED = frozenset(type_ for type_ in READERS if type_.rpartition(".v")[0] == CaseErased.TYPE.rpartition(".v")[0])
# These have no fields at all, so nothing can hide in them.
EMPTY = frozenset({"case-erased.v1"})
BLANK = bytes(NONCE)


class Key(bytes):
    """A case's key with its cipher, which takes longer to make than a body to seal. The cipher ends with the key: nothing else holds it."""

    @cached_property
    def cipher(self) -> AESGCM:
        """Made at first use, of a copy: it refers to what it is made of, and a circle of the two would outlive the batch."""
        return AESGCM(bytes(self))


def cipher(key: bytes) -> AESGCM:
    """The cipher of a key of 32 bytes."""
    return key.cipher if isinstance(key, Key) else AESGCM(key)


class Envelope(Struct, frozen=True, kw_only=True):
    """A record value, opened but not unsealed. meta_bytes: the exact bytes that the seal covers."""

    meta: Meta
    meta_bytes: bytes
    nonce: bytes
    sealed: bytes

    def __repr__(self) -> str:
        return f"Envelope({self.meta.type} {self.meta.event_id} case={self.meta.case_id} seq={self.meta.case_seq})"


def seal(key: bytes | None, topic: str, meta: Meta, body: bytes, nonce: bytes) -> bytes:
    """The whole record value. key: 32 bytes, None only for an unsealed type. nonce: 12 random bytes, never used again with this key."""
    head = codec.encode(meta)
    if meta.type in UNSEALED:
        if body and meta.type in EMPTY:
            raise ValueError(f"{meta.type} is empty")
        return b"".join((head, BLANK, avro.LONGS[len(body)], body))
    if key is None or len(nonce) != NONCE:
        raise ValueError("a sealed record needs the case's key and a nonce of 12 bytes")
    sealed = cipher(key).encrypt(nonce, body, topic.encode() + head)
    return b"".join((head, nonce, avro.LONGS[len(sealed)], sealed))


def open(value: bytes) -> Envelope:
    """Take a record value apart; needs no key. Malformed: truncated, trailing bytes, too large, or no valid meta."""
    if len(value) > VALUE_LIMIT:
        raise Malformed("too-large", "record value")
    meta, at = codec.decode_meta(value)
    try:
        size, start = avro.size(value, at + NONCE)
    except (ValueError, IndexError):
        raise Malformed("envelope", "length of the sealed part") from None
    if start + size != len(value):
        raise Malformed("envelope", "trailing bytes")
    return Envelope(meta=meta, meta_bytes=value[:at], nonce=value[at : at + NONCE], sealed=value[start:])


def unseal(key: bytes | None, topic: str, envelope: Envelope) -> bytes:
    """The Avro body. Malformed("seal"): another key, topic or meta, or changed bytes. key may be None for an unsealed type."""
    if envelope.meta.type in UNSEALED:
        if envelope.nonce != BLANK or (envelope.sealed and envelope.meta.type in EMPTY):
            raise Malformed("seal", f"{envelope.meta.type} travels unsealed, and nothing hides in it")
        return envelope.sealed
    if key is None:
        raise Malformed("seal", "no key for this case")
    try:
        return cipher(key).decrypt(envelope.nonce, envelope.sealed, topic.encode() + envelope.meta_bytes)
    except InvalidTag:
        raise Malformed("seal", "not sealed with this key for this topic and meta") from None
