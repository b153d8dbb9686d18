"""What a sequence number proves. Pure: the last records that were applied, and the one that came."""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b
from typing import NamedTuple

FULL, SHORT = 16, 8
"""Bytes that are kept of the last record's digest, and of each one before it."""
DEPTH = 8
"""Records of a case whose bytes are remembered (ours): a decision emits about seven, and a forged one is noticed within a second."""
KEPT = FULL + (DEPTH - 2) * SHORT
"""Bytes of a memory that the next one takes over behind its own digest and the beginning of the last."""
FAR = 1000
"""A jump of the sequence beyond which a record is not believed (ours): a case has some tens of records, so no such gap is a true one."""


class Last(NamedTuple):
    """The last record of a case in a topic. digest: of its value, and behind it the beginnings of those before, newest first."""

    seq: int
    digest: bytes
    drill: bool = False

    def after(self, seq: int, digest: bytes, drill: bool = False) -> Last:
        """Return the memory once this record is applied too. A sequence that was left out is remembered as missing."""
        before = self.digest
        if before and seq == self.seq + 1:  # as a rule
            return Last(seq, digest + before[:SHORT] + before[FULL:KEPT], drill)
        missing = min(max(seq - self.seq - 1, 0), DEPTH)
        older = bytes(SHORT) * missing + (before[:SHORT] + before[FULL:] if self.seq else b"")
        return Last(seq, digest + older[: (DEPTH - 1) * SHORT], drill)

    def remembered(self, seq: int) -> bytes:
        """Return what is remembered of an applied record's digest; empty for one that is too old."""
        back = self.seq - seq
        return self.digest[:FULL] if back == 0 else self.digest[FULL + (back - 1) * SHORT : FULL + back * SHORT]


NONE = Last(0, b"")


class Verdict(Enum):
    NEXT = "next"
    REPEAT = "repeat"
    GAP = "gap"
    FORK = "fork"
    FAR = "far"


def judge(last: Last, seq: int, digest: bytes) -> Verdict:
    """Return how a record stands to those that were applied.

    NEXT follows. REPEAT was applied already. GAP: something before it is missing for ever, since a partition has one ordered writer.
    FORK: this sequence was applied with other bytes, or was passed over as missing; that can be told of the last DEPTH records.
    FAR: no writer of ours leaves such a gap.
    """
    if seq == last.seq + 1:
        return Verdict.NEXT
    if seq > last.seq:
        return Verdict.GAP if seq <= last.seq + FAR else Verdict.FAR
    known = last.remembered(seq)
    return Verdict.FORK if known and known != digest[: len(known)] else Verdict.REPEAT


Seen = dict[tuple[str, str], Last]
"""(topic, case id) → last record"""


def fingerprint(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
