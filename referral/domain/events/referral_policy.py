"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from referral.domain.value import Value


class PolicyActivated(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy bundle comes into force. Not sealed: policy is public."""

    TYPE: ClassVar[str] = "policy-activated.v1"
    TOPIC: ClassVar[str] = "referral-policy"

    number: int
    """Activation number, dense from 1."""
    digest: str
    """SHA-256 of the bundle."""
    at: int
    """When."""
    files: Mapping[str, bytes]
    """Path below policy/ -> exact bytes."""
