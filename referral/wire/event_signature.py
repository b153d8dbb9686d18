"""Signed records of `ingress.<agency>`, as docs/record-signature.md specifies them: a DSSE envelope in the attribute dssematerial.

The shape is that of CloudEvents' verifiability extension; what is signed is not, so its payloadType is ours.

What is signed is the SHA-256 of a list of digests: of eight attributes, of the exact record value, and of name and value of each extension
attribute that signedextattrs names. That list says nothing about a person, so it is what the log keeps.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping, Sequence

from msgspec import DecodeError, Struct, json

from referral.errors import Malformed

PAYLOAD = "urn:referral:record-signature.v1"
CORE = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time")
"""In the order of the list; after them the data, then the extension attributes."""
MANDATORY = ("topic", "key", "sequence")
"""Extension attributes that every signed record names and signs: where it belongs, and the agency's own number, dense from 1."""
EXTENSIONS = 16
"""Signed extension attributes at most (ours)."""
MATERIAL_LIMIT = 4000
"""Characters of dssematerial (ours); with one signature it has five hundred."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NAME = re.compile(r"[a-z0-9]{1,20}")


class Signature(Struct, frozen=True):
    """keyid: the key's id, a hint. sig: base64."""

    keyid: str
    sig: str


class Envelope(Struct, frozen=True, rename={"payload_type": "payloadType"}):
    """The DSSE envelope, as JSON."""

    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]


def envelope(material: str) -> tuple[bytes, str, bytes]:
    """What dssematerial says: the signed digest, the key's id, the signature. Malformed `material`: no envelope with one signature."""
    try:
        found = json.decode(_base64(material) if len(material) <= MATERIAL_LIMIT else b"", type=Envelope)
        [one] = found.signatures
        payload, signature = _base64(found.payload), _base64(one.sig)
    except (DecodeError, ValueError, UnicodeError):
        raise Malformed("material", "it is no base64 of a DSSE envelope in JSON with one signature") from None
    if found.payload_type != PAYLOAD:
        raise Malformed("material", f"its payloadType is {PAYLOAD}")
    if len(payload) != 32 or len(signature) != 64:
        raise Malformed("material", "its payload has 32 bytes, its signature 64")
    return payload, one.keyid, signature


def extensions(signedextattrs: str) -> tuple[str, ...]:
    """The names that are signed besides. Malformed `attributes`: not what the extension allows, or without one of MANDATORY."""
    names = tuple(signedextattrs.split(","))
    barred = {*CORE, "dssematerial", "signedextattrs"}
    if len(names) > EXTENSIONS or len(set(names)) != len(names) or not all(NAME.fullmatch(name) for name in names) or barred & set(names):
        raise Malformed("attributes", "it is a list of extension attributes with a comma between, each once")
    if missing := [name for name in MANDATORY if name not in names]:
        raise Malformed("attributes", f"it must name {', '.join(missing)}")
    return names


def digests(attributes: Mapping[str, str], data: bytes, names: Sequence[str]) -> bytes:
    """The list whose SHA-256 is signed. attributes: those that are set. data: the exact record value. Malformed `time`: not UTC with Z."""
    if "time" in attributes and not TIME.fullmatch(attributes["time"]):
        raise Malformed("time", "a time is written in UTC, as 2026-05-01T08:00:00Z")
    parts = [*(attributes.get(name, "").encode() for name in CORE), data]
    for name in names:
        parts += (name.encode(), attributes.get(name, "").encode())
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def named(base: bytes, name: str) -> bytes | None:
    """The digest of an attribute's value in a list of digests: one of CORE, or an extension attribute; None where it is not signed."""
    parts = [base[at : at + 32] for at in range(0, len(base), 32)]
    if name in CORE:
        return parts[CORE.index(name)]
    label = hashlib.sha256(name.encode()).digest()
    pairs = zip(parts[len(CORE) + 1 :: 2], parts[len(CORE) + 2 :: 2], strict=False)
    return next((value for found, value in pairs if found == label), None)


def encoding(payload: bytes) -> bytes:
    """What DSSE signs: its pre-authentication encoding of a payload of our type."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def signed_bytes(base: bytes) -> bytes:
    """What the key signed of a list of digests."""
    return encoding(hashlib.sha256(base).digest())


def _base64(text: str) -> bytes:
    """Standard or URL-safe, as DSSE allows. ValueError."""
    try:
        return b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except Error as error:
        raise ValueError from error
