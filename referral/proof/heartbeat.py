"""The heartbeat entry that audit writes each minute, with the end offsets of the topics; its absence shows that the log has stopped."""

from __future__ import annotations

from msgspec import DecodeError, Struct, json

from referral.errors import Malformed
from referral.proof.entry import Entry

EVERY_S = 60
"""Seconds between two heartbeats (ours): 525,600 a year, some 300 bytes each beside the tree; an alarm needs no finer resolution."""
STILL_S = 5 * EVERY_S
"""Five heartbeats (ours): a log without a newer one for so long has stopped. One may be late while audit or its database restarts."""
FRESH_S = 2 * STILL_S
"""Seconds within which witnesses must have signed (ours): two beats of the log, which are five minutes each. One may be late."""


class Heartbeat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of a HEARTBEAT entry (JSON). It names no case.

    ends: topic → the end offset of each partition, as the broker reported it; null: the broker did not answer.
    unread: `topic/partition` → the offset that audit reads next, where that is below the end.
    drill: the operators of this stack may move its clock, so its times prove nothing.
    events, seal: number and Merkle root of the security events since the heartbeat before (referral/proof/security.py); empty for none.
    salt: random hexadecimal digits; without them a stranger could guess the ends, and try each guess against the public hash of the leaf.
    """

    ends: dict[str, list[int]] | None
    unread: dict[str, int]
    drill: bool
    events: int = 0
    seal: str = ""
    salt: str = ""

    def encode(self) -> bytes:
        return json.encode(self, order="sorted")

    def left(self, before: Heartbeat) -> dict[str, int]:
        """Return `topic/partition` → the largest number of records that existed at an earlier heartbeat and are unread at this one."""
        remaining = {}
        for topic, ends in (before.ends or {}).items():
            for partition, end in enumerate(ends):
                place = f"{topic}/{partition}"
                if self.unread.get(place, end) < end:
                    remaining[place] = end - self.unread[place]
        return remaining


def read(entry: Entry) -> Heartbeat:
    """Parse the value of a heartbeat entry. Malformed."""
    try:
        return json.decode(entry.value, type=Heartbeat)
    except DecodeError as error:
        raise Malformed("heartbeat", str(error)) from None
