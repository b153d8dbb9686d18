"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.claim import Claim
from referral.domain.events.signed import Signed
from referral.domain.value import Value


class ActorKind(StrEnum):
    """What is excluded."""

    UNKNOWN = "UNKNOWN"
    AGENCY = "AGENCY"
    STAFF = "STAFF"
    RELATION = "RELATION"


class ActorExcluded(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency, a member of staff or a relative must neither be asked nor see anything."""

    TYPE: ClassVar[str] = "actor-excluded.v1"
    TOPIC: ClassVar[str] = "referral-intake"
    IDS: ClassVar[tuple[str, ...]] = ("by",)

    agency: str
    """Who recorded it."""
    by: str | None = None
    """Account of the person."""
    kind: ActorKind
    """What is excluded."""
    actor: str
    """Agency id, account id, or a relation such as parent."""
    received_at: int
    """When the door took it."""
    claim: Claim | None = None
    """The key that it was sent under; null where it had none."""
    signed: Signed | None = None
    """The agency's signature of what it sent; null where it did not sign, or a person did it."""
