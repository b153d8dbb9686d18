"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum

from referral.domain.events.facts import Facts
from referral.domain.value import Value


class CauseKind(StrEnum):
    """A record, the case's own alarm, or a record that was lost."""

    UNKNOWN = "UNKNOWN"
    RECORD = "RECORD"
    DUE = "DUE"
    LOST = "LOST"


class Head(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First event of an input: what was decided upon. Replay fetches the input by position."""

    kind: CauseKind
    """A record, the case's own alarm, or a record that was lost."""
    topic: str
    """Topic of the record; empty for an alarm."""
    partition: int
    """Its partition, -1 for an alarm."""
    offset: int
    """Its offset, -1 for an alarm."""
    due: int | None = None
    """Due time of an alarm."""
    lost_seq: int | None = None
    """Sequence of a lost record in its topic, 0 where unknown; null where none was lost."""
    lost_reason: str | None = None
    """Why it was lost: a word of quarantine-reason, gap, fork or far; null where none was lost."""
    facts: Facts
    """The whole of it."""
