"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class CaseErased(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The case's key and rows are destroyed. Travels unsealed, because its key is gone."""

    TYPE: ClassVar[str] = "case-erased.v1"
    TOPIC: ClassVar[str] = "referral-intake"
