"""List the kinds of statement that somebody signs, write the bytes of one, and check an Ed25519 signature of it (RFC 8032). Pure.

Every statement is its kind, its fields, each on a line of its own, and then bytes where a part of it is no text:

    referral-case-erased-v4
    <case id>
    <the body in Avro>

docs/log-format.md, section 12, lists the fields of each kind. `key.sign(write(…))` signs one. Two kinds have forms of their own, because
others define them and agencies sign them with libraries of theirs: the signature base of RFC 9421 (`http_signature.py`) and the encoding
of DSSE (`event_signature.py`). `holds` checks them too.

libsodium checks twice as fast as OpenSSL, and refuses keys of small order, with which one signature would hold for every text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey


class Kind(StrEnum):
    """What is stated: the first line of the signed bytes, so that no signature fits a statement of another kind."""

    POLICY = "referral-policy-bundle-v1"
    AGENCY_KEY = "referral-agency-key-v1"
    RECORDS = "referral-records-v1"
    OPERATOR_WORD = "referral-operator-word-v1"
    OPERATOR_ACT = "referral-operator-act-v1"
    ERASURE_REQUEST = "referral-erasure-request-v1"
    ERASURE_APPROVAL = "referral-erasure-approval-v1"
    ERASED_V3 = "referral-case-erased-v3"
    ERASED = "referral-case-erased-v4"
    RECEIPT = "referral-receipt-v1"
    EVENT_RECEIPT = "referral-event-receipt-v1"


def write(kind: Kind, *fields: object, rest: bytes = b"") -> bytes:
    """Return the bytes that are signed. rest: what is no text, after the fields."""
    return "".join(f"{line}\n" for line in (kind, *fields)).encode() + rest


def holds(public: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether this is the key's signature of these bytes; False also where either has another length than 32 and 64."""
    try:
        VerifyKey(public).verify(data, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def holds_by_any(keys: Iterable[bytes], signature: bytes, data: bytes) -> bool:
    """Return whether one of these public keys signed these bytes."""
    return any(holds(public, signature, data) for public in keys)


def signer(keys: Mapping[str, bytes], signature: bytes | None, data: bytes) -> str:
    """Return the name of whose signature of these bytes it is; empty: nobody's. keys: name → public key."""
    return next((name for name, public in keys.items() if signature is not None and holds(public, signature, data)), "")
