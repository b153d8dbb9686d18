"""HTTP message signatures (RFC 9421) with Ed25519, as much of them as the door takes: one signature, a closed list of components.

The signature base is made from the exact text of Signature-Input and of the covered fields, so it holds what was signed and can be kept:
ids, times and digests, never a body. Why no library: docs/decisions/0012.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from referral.errors import Malformed

COMPONENTS = (
    "@method",
    "@path",
    "@authority",
    "content-digest",
    "content-type",
    "content-length",
    "date",
    "idempotency-key",
)
"""What may be covered: nothing else is kept in the log, so that no field with words about a person gets there."""
PARAMETERS = ("created", "expires", "keyid", "alg", "nonce", "tag")
INPUT_LIMIT = 1000
"""Characters of Signature-Input (ours): eight components and every parameter take a third of it."""
BASE_LIMIT = 4000
"""Bytes of a signature base (ours)."""
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_PARAMETER = re.compile(rf";([a-z*][a-z0-9_.*-]*)=({_STRING}|[0-9]{{1,15}})")
_INPUT = re.compile(rf"([a-z*][a-z0-9_.*-]*)=(\(({_STRING}(?: {_STRING})*)?\)((?:{_PARAMETER.pattern})*))")
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):")
_DIGEST = re.compile(r"(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/]{43}=):")


class Said(Struct, frozen=True, kw_only=True):
    """A signature as it was sent. params: the exact text of @signature-params. created, expires: Unix seconds, 0 where not said; keyid,
    algorithm: empty where not said."""

    covered: tuple[str, ...]
    params: str
    created: int
    expires: int
    keyid: str
    algorithm: str
    signature: bytes


def parse(signature_input: str, signature: str) -> Said:
    """The two header fields of a signature. Malformed: `input`, `signature` or `label`, with what is wrong."""
    found = _INPUT.fullmatch(signature_input) if len(signature_input) <= INPUT_LIMIT else None
    if found is None:
        raise Malformed("input", 'one signature is expected, as sig1=("@method" "@path" …);created=…;keyid="…"')
    value = _SIGNATURE.fullmatch(signature)
    if value is None:
        raise Malformed("signature", "one signature is expected, as sig1=:base64:")
    if value[1] != found[1]:
        raise Malformed("label", f"Signature-Input says {found[1]}, Signature says {value[1]}")
    try:
        data = b64decode(value[2], validate=True)
    except Error:
        data = b""
    if len(data) != 64:
        raise Malformed("signature", "a signature of Ed25519 has 64 bytes, in base64 between two colons")
    covered = tuple(name[1:-1] for name in re.findall(_STRING, found[3] or ""))
    said = _PARAMETER.findall(found[4])
    params = dict(said)
    if len(params) != len(said) or not set(params) <= set(PARAMETERS):
        raise Malformed("input", f"each of these parameters at most once, and no other: {', '.join(PARAMETERS)}")
    return Said(
        covered=covered,
        params=found[2],
        created=_number(params.get("created", "")),
        expires=_number(params.get("expires", "")),
        keyid=_text(params.get("keyid", "")),
        algorithm=_text(params.get("alg", "")),
        signature=data,
    )


def base(said: Said, values: Mapping[str, str]) -> bytes:
    """What was signed, from the values of the request by component. Malformed: `component`, one unknown, missing or there twice."""
    lines = []
    for name in said.covered:
        if name not in COMPONENTS or said.covered.count(name) > 1:
            raise Malformed("component", f"cover each of these at most once and nothing else: {', '.join(COMPONENTS)}")
        if name not in values:
            raise Malformed("component", f"the signature covers {name}, which was not sent")
        lines.append(f'"{name}": {values[name]}')
    text = "\n".join([*lines, f'"@signature-params": {said.params}'])
    if not text.isascii() or not all(line.isprintable() for line in text.split("\n")) or len(text) > BASE_LIMIT:
        raise Malformed("component", f"what is covered is printable ASCII, at most {BASE_LIMIT} characters")
    return text.encode()


def read(data: bytes) -> dict[str, str]:
    """A base again, by component, with `@signature-params`. Malformed: it is none, or has another component than the door takes."""
    found: dict[str, str] = {}
    for line in data.decode("ascii", "replace").split("\n"):
        name, separator, value = line.partition(": ")
        name = name[1:-1] if name.startswith('"') and name.endswith('"') else ""
        if not separator or name in found or name not in (*COMPONENTS, "@signature-params") or "@signature-params" in found:
            raise Malformed("base", "it is no signature base")
        found[name] = value
    listed = re.match(r"\(([^)]*)\)", found.get("@signature-params", ""))
    if listed is None or [f'"{name}"' for name in found][:-1] != (listed[1].split(" ") if listed[1] else []):
        raise Malformed("base", "its lines are not those that its last line names")
    return found


def holds(public: bytes, signature: bytes, data: bytes) -> bool:
    """Is this the key's signature of these bytes?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def sha256(content_digest: str) -> bytes:
    """The SHA-256 that a Content-Digest (RFC 9530) names; empty where it names none or two."""
    found = _DIGEST.findall(content_digest)
    return b64decode(found[0]) if len(found) == 1 else b""


def _number(word: str) -> int:
    return int(word) if word.isdigit() else 0


def _text(string: str) -> str:
    return re.sub(r"\\(.)", r"\1", string[1:-1])
