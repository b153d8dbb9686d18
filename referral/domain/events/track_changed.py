"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.head import Head
from referral.domain.events.why import Why
from referral.domain.value import Value


class TrackState(StrEnum):
    """What happened."""

    UNKNOWN = "UNKNOWN"
    OPENED = "OPENED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    SWITCHED = "SWITCHED"
    ENDED = "ENDED"


class TrackChanged(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pathway begins, pauses, resumes, switches or ends for the case."""

    TYPE: ClassVar[str] = "track-changed.v1"
    TOPIC: ClassVar[str] = "referral-routing"
    IDS: ClassVar[tuple[str, ...]] = ("track_id", "opened_by",)

    head: Head | None = None
    """Set on the first event of an input."""
    why: Why
    """Why."""
    track_id: str
    """Track."""
    pathway: str
    """Pathway."""
    digest: str
    """Digest of the procedure pinned for it."""
    state: TrackState
    """What happened."""
    paused_by: str
    """Pathway that pauses it; else empty."""
    opened_by: str | None = None
    """The track that opened this one by a change of its procedure; else null."""
    outcome: str
    """Outcome when it ends; else empty."""
