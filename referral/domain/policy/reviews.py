"""Values of the reviews: who has read a text of guidance or a procedure, as `policy/reviews.yaml` says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """State of a file's reading, from least to most."""

    DRAFTED = "drafted"
    READ = "read"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Review:
    """Record of who has read one file as it stands.

    read: day on which a native reader of its language read it, ISO 8601. confirmed: day on which an office confirmed that it is right;
    office: its name. Empty: nobody did.
    """

    read: str = ""
    confirmed: str = ""
    office: str = ""

    @property
    def state(self) -> State:
        """Return how far the file has come."""
        return State.CONFIRMED if self.confirmed else State.READ if self.read else State.DRAFTED
