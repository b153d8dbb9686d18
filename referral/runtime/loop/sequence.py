"""Judge a record by its case sequence: next, repeat, gap, fork or far. Pure."""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b
from typing import NamedTuple

FULL, SHORT = 16, 8
"""Stored bytes of the last record's digest, and of each earlier one's."""
DEPTH = 8
"""Records of a case whose digests are stored (ours): a decision emits about seven, and a forged one is noticed within a second."""
KEPT = FULL + (DEPTH - 2) * SHORT
"""Bytes of a memory that the next memory copies behind its own digest and the beginning of the last one."""
FAR = 1000
"""Jump of the sequence beyond which a record is not accepted (ours): a case has some tens of records, so no true gap is so large."""


class Last(NamedTuple):
    """The last record of a case in a topic. digest: the digest of its value, then the beginnings of earlier digests, newest first."""

    seq: int
    digest: bytes
    drill: bool = False

    def after(self, seq: int, digest: bytes, drill: bool = False) -> Last:
        """Return the memory after this record is applied too. A sequence that was left out is stored as missing."""
        before = self.digest
        if before and seq == self.seq + 1:  # the common case
            return Last(seq, digest + before[:SHORT] + before[FULL:KEPT], drill)
        missing = min(max(seq - self.seq - 1, 0), DEPTH)
        older = bytes(SHORT) * missing + (before[:SHORT] + before[FULL:] if self.seq else b"")
        return Last(seq, digest + older[: (DEPTH - 1) * SHORT], drill)

    def remembered(self, seq: int) -> bytes:
        """Return the stored beginning of an applied record's digest; empty for a record that is too old."""
        back = self.seq - seq
        return self.digest[:FULL] if back == 0 else self.digest[FULL + (back - 1) * SHORT : FULL + back * SHORT]


NONE = Last(0, b"")


class Verdict(Enum):
    """The relation of a record to the records that were applied; `judge` explains each."""

    NEXT = "next"
    REPEAT = "repeat"
    GAP = "gap"
    FORK = "fork"
    FAR = "far"


def judge(last: Last, seq: int, digest: bytes) -> Verdict:
    """Return the relation of a record to those that were applied.

    NEXT: it follows. REPEAT: it was applied already. GAP: an earlier record is lost for good, since a partition has one ordered writer.
    FORK: its sequence was applied with other bytes, or was counted as missing; detectable for the last DEPTH records.
    FAR: its sequence is more than FAR ahead, and no writer of ours leaves such a gap.
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
    """Return the BLAKE2b-128 digest of a record's value."""
    return blake2b(value, digest_size=16).digest()
