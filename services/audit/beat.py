"""Decide when the log is signed and how far it is filled up, so that its size and its times tell a stranger nothing. Pure.

Everybody may poll the published checkpoint, and each witness shows its own. A checkpoint for each batch told them to the second when a
child was referred, and the number of entries told by which procedure (docs/decisions/0044).
"""

from __future__ import annotations

from referral.domain.durations import SECOND_US

BLOCK = 96
"""Entries between two signed sizes (ours). In five minutes audit appends five heartbeats, and a referral of a child some eleven entries: so
eight referrals of one beat look like none."""


def due(size: int, signed: int, signed_at: int, now: int, beat_s: int) -> bool:
    """Return whether the log is to be signed now.

    size: entries of the log. signed, signed_at: of the last checkpoint, µs UTC. now: µs UTC.
    beat_s: seconds from one checkpoint to the next, whether anything was logged or not. 0: as soon as anything was, for exercises.
    """
    if not beat_s:
        return size > signed
    return now // (beat_s * SECOND_US) != signed_at // (beat_s * SECOND_US)


def cover(size: int, signed: int) -> int:
    """Return the number of cover entries that fill up the last block. Each checkpoint is at least one block above the one before."""
    return -max(size, signed + 1) % BLOCK + max(0, signed + 1 - size)


def left(now: int, beat_s: int) -> float:
    """Return the seconds until the next beat. now: µs UTC."""
    beat = beat_s * SECOND_US
    return (beat - now % beat) / SECOND_US
