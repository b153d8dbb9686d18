"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.value import Value


class Counted(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a release met and did not guess about; the data dictionary says of each word what is counted."""

    what: str
    """What, e.g. unreadable, gap, repeat, late, erased, drill."""
    count: int | None = None
    """How many, down to a multiple of k; null where it is below k, and for cases also where it is none."""
