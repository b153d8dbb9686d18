"""What a sequence number proves. Pure: the last one that was applied, and the one that came."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Last(NamedTuple):
    """The last record of a case in a topic. digest: of its value."""

    seq: int
    digest: bytes
    drill: bool = False


NONE = Last(0, b"")


class Verdict(Enum):
    NEXT = "next"
    REPEAT = "repeat"
    GAP = "gap"
    FORK = "fork"


def judge(last: Last, seq: int, digest: bytes) -> Verdict:
    """NEXT follows; REPEAT was applied already; GAP: something before it is missing for ever, since a partition has one ordered writer;
    FORK: this sequence was applied with other bytes (that can be told for the last one only)."""
    if seq == last.seq + 1:
        return Verdict.NEXT
    if seq > last.seq:
        return Verdict.GAP
    if seq == last.seq and digest != last.digest:
        return Verdict.FORK
    return Verdict.REPEAT
