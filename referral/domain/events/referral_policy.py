"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from referral.domain.events.shared import PolicySignature
from referral.domain.value import Value


class PolicyActivated(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy bundle comes into force. Not sealed: policy is public. Two signers have signed number, digest, valid_from and before; no reader believes it otherwise."""

    TYPE: ClassVar[str] = "policy-activated.v2"
    TOPIC: ClassVar[str] = "referral-policy"

    number: int
    """Activation number, dense from 1."""
    digest: str
    """SHA-256 of the bundle."""
    at: int
    """When it came into force, by routing's clock; not signed."""
    files: Mapping[str, bytes]
    """Path below policy/ -> exact bytes."""
    valid_from: int
    """Earliest time at which it may come into force; 0 in a bundle of before there were signatures."""
    before: str
    """Digest of the bundle before it; empty for the first."""
    signatures: tuple[PolicySignature, ...] = ()
    """At least two, of two signers; empty in a bundle of before there were signatures."""
