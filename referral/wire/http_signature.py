"""Parse and check HTTP message signatures (RFC 9421) with Ed25519, as the door accepts them: one signature, a closed list of components.

The signature base consists of the exact text of Signature-Input and of the covered fields. It contains ids, times and digests, never a
body, so the log can store it. docs/decisions/0012 explains why no library is used.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping

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
    "referral-event-salt",
    "referral-event-digest",
)
"""Components that a signature may cover. The log stores no other, so that no field with words about a person gets into it."""
PARAMETERS = ("created", "expires", "keyid", "alg", "nonce", "tag")
INPUT_LIMIT = 1000
"""Longest Signature-Input in characters (ours): ten components and all parameters take a third of it."""
BASE_LIMIT = 4000
"""Longest signature base in bytes (ours)."""
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_PARAMETER = re.compile(rf";([a-z*][a-z0-9_.*-]*)=({_STRING}|[0-9]{{1,15}})")
_INPUT = re.compile(rf"([a-z*][a-z0-9_.*-]*)=(\(({_STRING}(?: {_STRING})*)?\)((?:{_PARAMETER.pattern})*))")
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):")
_DIGEST = re.compile(r"(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/]{43}=):")


class Said(Struct, frozen=True, kw_only=True):
    """A signature as it was sent.

    covered: names of the covered components.
    params: the exact text of @signature-params.
    created, expires: Unix seconds; 0 if absent.
    keyid, algorithm: empty if absent.
    signature: 64 bytes.
    """

    covered: tuple[str, ...]
    params: str
    created: int
    expires: int
    keyid: str
    algorithm: str
    signature: bytes


def parse(signature_input: str, signature: str) -> Said:
    """Parse the two header fields of a signature. Malformed: `input`, `signature` or `label`, with the reason."""
    match = _INPUT.fullmatch(signature_input) if len(signature_input) <= INPUT_LIMIT else None
    if match is None:
        raise Malformed("input", 'one signature is expected, as sig1=("@method" "@path" …);created=…;keyid="…"')
    value = _SIGNATURE.fullmatch(signature)
    if value is None:
        raise Malformed("signature", "one signature is expected, as sig1=:base64:")
    if value[1] != match[1]:
        raise Malformed("label", f"Signature-Input says {match[1]}, Signature says {value[1]}")
    try:
        data = b64decode(value[2], validate=True)
    except Error:
        data = b""
    if len(data) != 64:
        raise Malformed("signature", "a signature of Ed25519 has 64 bytes, in base64 between two colons")
    covered = tuple(name[1:-1] for name in re.findall(_STRING, match[3] or ""))
    pairs = _PARAMETER.findall(match[4])
    params = dict(pairs)
    if len(params) != len(pairs) or not set(params) <= set(PARAMETERS):
        raise Malformed("input", f"each of these parameters at most once, and no other: {', '.join(PARAMETERS)}")
    return Said(
        covered=covered,
        params=match[2],
        created=_number(params.get("created", "")),
        expires=_number(params.get("expires", "")),
        keyid=_text(params.get("keyid", "")),
        algorithm=_text(params.get("alg", "")),
        signature=data,
    )


def base(said: Said, values: Mapping[str, str]) -> bytes:
    """Return the signature base. values: component → value in the request. Malformed: `component`: unknown, missing or repeated."""
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
    """Parse a signature base: component → value, with `@signature-params`. Malformed: it is none, or the door accepts no such component."""
    values: dict[str, str] = {}
    for line in data.decode("ascii", "replace").split("\n"):
        name, separator, value = line.partition(": ")
        name = name[1:-1] if name.startswith('"') and name.endswith('"') else ""
        if not separator or name in values or name not in (*COMPONENTS, "@signature-params") or "@signature-params" in values:
            raise Malformed("base", "it is no signature base")
        values[name] = value
    listed = re.match(r"\(([^)]*)\)", values.get("@signature-params", ""))
    if listed is None or [f'"{name}"' for name in values][:-1] != (listed[1].split(" ") if listed[1] else []):
        raise Malformed("base", "its components are not those in @signature-params")
    return values


def sha256(content_digest: str) -> bytes:
    """Return the SHA-256 in a Content-Digest (RFC 9530); empty if it has none or two."""
    values = _DIGEST.findall(content_digest)
    return b64decode(values[0]) if len(values) == 1 else b""


def _number(word: str) -> int:
    return int(word) if word.isdigit() else 0


def _text(string: str) -> str:
    return re.sub(r"\\(.)", r"\1", string[1:-1])
