"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum

from referral.domain.value import Value


class Scheme(StrEnum):
    """HTTP: RFC 9421. CLOUDEVENT: docs/record-signature.md, over a record of ingress.*."""

    UNKNOWN = "UNKNOWN"
    HTTP = "HTTP"
    CLOUDEVENT = "CLOUDEVENT"


class Signed(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency's signature of what it sent, as far as it can be kept: digests and ids, never a body. Checked again by audit verify."""

    agency: str
    """Who signed."""
    public: bytes
    """The Ed25519 key, as the directory lists it."""
    scheme: Scheme
    """HTTP: RFC 9421. CLOUDEVENT: docs/record-signature.md, over a record of ingress.*."""
    base: bytes
    """HTTP: the signature base, whose content-digest is the body's. CLOUDEVENT: the list of digests of attributes and value."""
    signature: bytes
    """Over the base; over the DSSE envelope of the base's SHA-256 for CLOUDEVENT."""
    sequence: int
    """The agency's own number of a signed record of ingress.*, dense from 1; 0 by HTTP."""
