"""The cover entry: a fixed number of random bytes. Without the entry bundles nobody can tell its hash from that of any other entry."""

from __future__ import annotations

BYTES = 16
"""Random bytes of a cover entry's value (ours): nobody can guess them, and so not the leaf's hash either. More would only cost disk."""


def fits(value: bytes) -> bool:
    """Return whether this can be the value of a cover entry: of no other length, so that nobody hides a record among them."""
    return len(value) == BYTES
