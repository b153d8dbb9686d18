"""Seal and open a record value: clear meta, encrypted body (schemas/avro/sealed.v1.avsc).

value = Avro(Meta) ‖ nonce (12) ‖ length (Avro long) ‖ sealed. sealed = AES-256-GCM under the case's key over the Avro body, with
topic ‖ Avro(Meta) as additional data; topic is the name without a stack's prefix. `case-erased` travels unsealed: its key will be gone.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed
from referral.wire import avro, codec
from referral.wire.compiled import READERS

# Limit of a case topic (topics.yaml, max.message.bytes), less room for key, headers and batch framing.
VALUE_LIMIT = 1_000_000
NONCE = 12
TAG = 16
# Every version of case-erased: it contains nothing about a person, and its key is destroyed.
UNSEALED = frozenset(type_ for type_ in READERS if type_.rpartition(".v")[0] == CaseErased.TYPE.rpartition(".v")[0])
# These types have no fields, so a body with bytes is refused.
EMPTY = frozenset({"case-erased.v1"})
BLANK = bytes(NONCE)
SCHEMA = "sealed.v1"
"""The schema of a record value, whatever the type of its body."""


class Key(bytes):
    """A case's key with its cipher, because creating a cipher takes longer than sealing a body. No other object refers to the cipher."""

    @cached_property
    def cipher(self) -> AESGCM:
        """Create the cipher at first use, from a copy of the key: the cipher refers to its bytes, and a cycle would outlive the batch."""
        return AESGCM(bytes(self))


def cipher(key: bytes) -> AESGCM:
    """Return the cipher of a key of 32 bytes."""
    return key.cipher if isinstance(key, Key) else AESGCM(key)


class Metas:
    """Encode the meta of a batch's records, of which each part that recurs is encoded once: writing it all takes longer than sealing.

    source: the service that writes them. at: when they are recorded, µs UTC.
    """

    def __init__(self, source: str, at: int) -> None:
        end = avro.LONGS[at] + avro.CODES[source]
        self._ends, self._ids = {drill: end + avro.BOOLEAN_BYTES[drill] for drill in (False, True)}, avro.Idents()

    def encode(self, event_id: str, case_id: str, case_seq: int, type_: str, cause_id: str, drill: bool) -> bytes:
        """Return the bytes of `codec.encode` for this Meta. event_id: as `derived` writes it."""
        ids = self._ids
        event = b"\x48" + event_id.encode()
        return b"".join((event, ids[case_id], avro.LONGS[case_seq], _type(type_), ids[cause_id], self._ends[drill]))


@lru_cache(256)  # more than there are types
def _type(type_: str) -> bytes:
    """Return type and fingerprint as a meta has them."""
    return avro.CODES[type_] + avro.LONGS[codec.fingerprint(type_)]


class Envelope(Struct, frozen=True, kw_only=True):
    """A record value, parsed but not decrypted. meta_bytes: the exact bytes that the seal covers."""

    meta: Meta
    meta_bytes: bytes
    nonce: bytes
    sealed: bytes

    def __repr__(self) -> str:
        return f"Envelope({self.meta.type} {self.meta.event_id} case={self.meta.case_id} seq={self.meta.case_seq})"


def seal(key: bytes | None, topic: str, meta: Meta, body: bytes, nonce: bytes) -> bytes:
    """Return the whole record value.

    key: 32 bytes; None only for an unsealed type.
    topic: its name without a stack's prefix.
    body: Avro.
    nonce: 12 random bytes, never used again with this key.
    """
    return seal_encoded(key, topic.encode(), meta.type, codec.encode(meta), body, nonce)


def seal_encoded(key: bytes | None, topic: bytes, type_: str, meta: bytes, body: bytes, nonce: bytes) -> bytes:
    """Return the whole record value of a meta that is encoded already. type_: the one in meta."""
    if type_ in UNSEALED:
        if body and type_ in EMPTY:
            raise ValueError(f"{type_} is empty")
        return b"".join((meta, BLANK, avro.LONGS[len(body)], body))
    if key is None or len(nonce) != NONCE:
        raise ValueError("a sealed record needs the case's key and a nonce of 12 bytes")
    sealed = cipher(key).encrypt(nonce, body, topic + meta)
    return b"".join((meta, nonce, avro.LONGS[len(sealed)], sealed))


def open(value: bytes) -> Envelope:
    """Parse a record value; no key is needed. Malformed: truncated, trailing bytes, too large, or no valid meta."""
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
    """Return the Avro body. key: None is enough for an unsealed type. Malformed("seal"): another key, topic or meta, or changed bytes."""
    if envelope.meta.type in UNSEALED:
        if envelope.nonce != BLANK or (envelope.sealed and envelope.meta.type in EMPTY):
            raise Malformed("seal", f"{envelope.meta.type} is never encrypted: its nonce must be zero, and an empty type has no body")
        return envelope.sealed
    if key is None:
        raise Malformed("seal", "no key for this case")
    try:
        return cipher(key).decrypt(envelope.nonce, envelope.sealed, topic.encode() + envelope.meta_bytes)
    except InvalidTag:
        raise Malformed("seal", "not sealed with this key for this topic and meta") from None
