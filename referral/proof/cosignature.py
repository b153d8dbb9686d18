"""Witness cosignatures, version 1 (C2SP tlog-cosignature): that at a time this was the largest tree of a log which the witness had seen."""

from __future__ import annotations

from referral.errors import Malformed

SIZE = 8 + 64
LATEST = 2**36
"""Unix seconds, in the year 4147 (ours): a later time is a lie, and no calendar has to show it."""


def message(text: bytes, seconds: int) -> bytes:
    """What a witness signs. text: the checkpoint without its signatures. seconds: Unix time."""
    return b"cosignature/v1\ntime %d\n%s" % (seconds, text)


def pack(seconds: int, signature: bytes) -> bytes:
    """What stands in a note after the key's id."""
    return seconds.to_bytes(8, "big") + signature


def unpack(value: bytes) -> tuple[int, bytes]:
    """Unix seconds and the signature. Malformed."""
    if len(value) != SIZE:
        raise Malformed("cosignature", f"it has {len(value)} bytes instead of {SIZE}")
    seconds = int.from_bytes(value[:8], "big")
    if seconds >= LATEST:
        raise Malformed("cosignature", "its time is not below 2^36")
    return seconds, value[8:]
