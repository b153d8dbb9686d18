"""Seeded random numbers by name: the same seed and name always give the same numbers, whatever was drawn before and in whatever order.

So a changed policy meets the same world: the name of the occasion decides who sleeps, declines or comes late.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from hashlib import blake2b

Throw = tuple[float, float, float, float]
"""Four numbers in [0, 1), evenly spread (BLAKE2b)."""
NUMBERS = struct.Struct("<4Q")
UNIT = 2.0**-53
EDGE = 0.0025
"""Share that is cut off at either end (a quarter of a percent), so that no delay is more than twenty times the median."""


class Dice:
    """All random numbers of one seed."""

    __slots__ = ("_key",)

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()[:64]

    def throw(self, name: str) -> Throw:
        """Return the numbers of this occasion."""
        a, b, c, d = NUMBERS.unpack(blake2b(name.encode(), key=self._key, digest_size=32).digest())
        return (a >> 11) * UNIT, (b >> 11) * UNIT, (c >> 11) * UNIT, (d >> 11) * UNIT


def one_of(weights: Mapping[str, float], number: float) -> str:
    """Return the word that the number selects, by weight; empty where there is none."""
    left, last = number * sum(weights.values()), ""
    for word, weight in weights.items():
        left, last = left - weight, word
        if left < 0:
            return word
    return last


def around(median: int, number: float) -> int:
    """Return a length of time: half are shorter than the median, a few are up to twenty times as long (log-logistic, shape 2)."""
    number = min(max(number, EDGE), 1 - EDGE)
    return int(median * math.sqrt(number / (1 - number)))
