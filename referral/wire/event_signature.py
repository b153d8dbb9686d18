"""Parse and check signed records of `ingress.<agency>` (docs/record-signature.md): a DSSE envelope in the attribute dssematerial.

The envelope has the form of CloudEvents' verifiability extension; the signed payload does not, so its payloadType is ours.

The payload is the SHA-256 of a list of digests: of eight attributes, of the exact record value, and of name and value of each extension
attribute in signedextattrs. That list contains nothing about a person, so the log stores it.
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
"""Attributes in the order of the list; after them the data, then the extension attributes."""
MANDATORY = ("topic", "key", "sequence")
"""Extension attributes that every signed record signs: its topic and key, and the agency's own number, dense from 1."""
EXTENSIONS = 16
"""Most signed extension attributes (ours)."""
MATERIAL_LIMIT = 4000
"""Longest dssematerial in characters (ours); with one signature it has five hundred."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NAME = re.compile(r"[a-z0-9]{1,20}")


class Signature(Struct, frozen=True):
    """A signature of the envelope. keyid: the key's id, a hint. sig: base64."""

    keyid: str
    sig: str


class Envelope(Struct, frozen=True, rename={"payload_type": "payloadType"}):
    """The DSSE envelope, in JSON."""

    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]


def envelope(material: str) -> tuple[bytes, str, bytes]:
    """Parse dssematerial. Return (signed digest, key id, signature). Malformed `material`: no envelope with one signature."""
    try:
        parsed = json.decode(_base64(material) if len(material) <= MATERIAL_LIMIT else b"", type=Envelope)
        [single] = parsed.signatures
        payload, signature = _base64(parsed.payload), _base64(single.sig)
    except (DecodeError, ValueError, UnicodeError):
        raise Malformed("material", "it is no base64 of a DSSE envelope in JSON with one signature") from None
    if parsed.payload_type != PAYLOAD:
        raise Malformed("material", f"its payloadType is {PAYLOAD}")
    if len(payload) != 32 or len(signature) != 64:
        raise Malformed("material", "its payload has 32 bytes, its signature 64")
    return payload, single.keyid, signature


def extensions(signedextattrs: str) -> tuple[str, ...]:
    """Return the names of the signed extension attributes. Malformed `attributes`: a bad list, or one of MANDATORY is missing."""
    names = tuple(signedextattrs.split(","))
    barred = {*CORE, "dssematerial", "signedextattrs"}
    if len(names) > EXTENSIONS or len(set(names)) != len(names) or not all(NAME.fullmatch(name) for name in names) or barred & set(names):
        raise Malformed("attributes", "it is a list of extension attributes with a comma between, each once")
    if missing := [name for name in MANDATORY if name not in names]:
        raise Malformed("attributes", f"it must name {', '.join(missing)}")
    return names


def digests(attributes: Mapping[str, str], data: bytes, names: Sequence[str]) -> bytes:
    """Return the list of digests whose SHA-256 is signed.

    attributes: name → value of those that are set.
    data: the exact record value.
    names: the signed extension attributes.

    Malformed `time`: not in UTC with Z.
    """
    if "time" in attributes and not TIME.fullmatch(attributes["time"]):
        raise Malformed("time", "a time is written in UTC, as 2026-05-01T08:00:00Z")
    parts = [*(attributes.get(name, "").encode() for name in CORE), data]
    for name in names:
        parts += (name.encode(), attributes.get(name, "").encode())
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def named(base: bytes, name: str) -> bytes | None:
    """Return the digest of an attribute's value from a list of digests; None: not signed. name: of CORE, or an extension attribute."""
    parts = [base[at : at + 32] for at in range(0, len(base), 32)]
    if name in CORE:
        return parts[CORE.index(name)]
    label = hashlib.sha256(name.encode()).digest()
    pairs = zip(parts[len(CORE) + 1 :: 2], parts[len(CORE) + 2 :: 2], strict=False)
    return next((value for digest, value in pairs if digest == label), None)


def encoding(payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of a payload of our type."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def signed_bytes(base: bytes) -> bytes:
    """Return the bytes that a key signs for a list of digests."""
    return encoding(hashlib.sha256(base).digest())


def _base64(text: str) -> bytes:
    """Decode base64, standard or URL-safe, as DSSE allows. ValueError."""
    try:
        return b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except Error as error:
        raise ValueError from error
