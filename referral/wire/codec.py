"""Encode and decode the Avro bodies of events: struct ↔ exact bytes.

Decoding is strict: it accepts only bytes that encoding would write again. Trailing bytes, an index out of range, a number longer than
necessary, text that is no code and every other deviation are Malformed. The generated package `compiled` does the work.
"""

from __future__ import annotations

from msgspec import Struct

from referral.domain.events import Meta, PolicyActivated, Quarantined
from referral.errors import Malformed, NewerVersion
from referral.wire.compiled import FINGERPRINTS, OLDER, READERS, WRITERS, shared

# A body is a few hundred bytes: 32 candidates, 200 seats and every list of codes at its longest stay below this.
BODY_LIMIT = 128 * 1024
# A policy bundle contains files (topics.yaml: referral-policy takes 8 MiB). A quarantine record has 256 KiB of a value; in v1 all of it.
BUNDLE_LIMIT = 8 * 1024 * 1024
BODY_LIMITS = {
    **dict.fromkeys((PolicyActivated.TYPE, "policy-activated.v1"), BUNDLE_LIMIT),
    Quarantined.TYPE: 512 * 1024,
    "quarantined.v1": 2 * 1024 * 1024,
}
STEMS = frozenset(type_.rpartition(".v")[0] for type_ in READERS)


def fingerprint(type: str) -> int:
    """Return the CRC-64-AVRO of a shipped type, e.g. offer-opened.v1 or sealed.v1, as in Meta.fingerprint. KeyError: not shipped."""
    return FINGERPRINTS[type]


def encode(body: Struct) -> bytes:
    """Return the exact Avro body of a generated struct. ValueError: a value that no reader would accept, which is a bug of ours."""
    try:
        return WRITERS[type(body)](body)
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{type(body).__name__}: a field has a value of another type, or a symbol that its enum lacks") from None


def encode_oldest(body: Struct) -> tuple[str, bytes]:
    """Return (type, exact body) in the oldest version that says all of it. An engine of earlier rules can read it, and what was digested
    before a type had its newest version has the same digest. ValueError as of `encode`."""
    for type_, write in OLDER.get(type(body), ()):
        try:
            data = write(body)
        except (KeyError, TypeError, AttributeError):
            continue
        if READERS[type_][1](data, 0)[0] == body:
            return type_, data
    return type(body).TYPE, encode(body)  # type: ignore[attr-defined]


def versions(type: str) -> tuple[str, ...]:
    """Return every version of a shipped type that we read, by its name."""
    stem = type.rpartition(".v")[0]
    return tuple(known for known in READERS if known.rpartition(".v")[0] == stem)


def decode(type: str, fingerprint: int, data: bytes) -> Struct:
    """Return the body as the newest struct of its type.

    Malformed: unknown-type, fingerprint (not of this version's schema), too-large, body. NewerVersion: a newer version of a known type.
    """
    known = READERS.get(type)
    if known is None:
        raise _unknown(type)
    if known[0] != fingerprint:
        raise Malformed("fingerprint", type)
    if len(data) > BODY_LIMITS.get(type, BODY_LIMIT):
        raise Malformed("too-large", type)
    try:
        body, end = known[1](data, 0)
    except (ValueError, IndexError, KeyError) as error:
        raise Malformed("body", f"{type}: {reason(error)}") from None
    if end != len(data):
        raise Malformed("body", f"{type}: bytes are missing or left over")
    return body


def decode_meta(value: bytes) -> tuple[Meta, int]:
    """Return the Meta at the beginning of a record value, and the position after it. Malformed("envelope")."""
    try:
        return shared.read_meta_v1(value, 0)
    except (ValueError, IndexError, KeyError) as error:
        raise Malformed("envelope", f"meta: {reason(error)}") from None


def _unknown(type_: str) -> Malformed | NewerVersion:
    stem, _, version = type_.rpartition(".v")
    if stem in STEMS and version.isascii() and version.isdecimal() and not version.startswith("0") and len(version) < 6:
        return NewerVersion(f"{type_} is newer than this program: deploy its readers first")
    return Malformed("unknown-type")


def reason(error: Exception) -> str:
    """Return the text of a decoding error. Texts of `avro` never contain a value that was read; those of other errors may."""
    match error:
        case IndexError():
            return "truncated"
        case KeyError():
            return "an index out of range"
        case _:
            return str(error)
