"""Read what other programs take of the processors: a comparison beside them says little."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from bench.weight import tree

NOT_BUSY = (3, 4)
"""Positions of idle and iowait in the first line of /proc/stat (Linux, proc(5))."""
COUNTED = 8
"""Numbers of that line before guest time, which user time contains already."""
QUIET = 0.2
"""Cores (ours) that others may take: more is a tenth of two cores, and ratios of one round begin to move."""
LOOK_S = 3.0
"""Seconds (ours) for which a machine is watched before the first run."""
TICK = os.sysconf("SC_CLK_TCK")


class Spent(NamedTuple):
    """Processor seconds at a moment. machine: of everything. ours: of this process and all that it started. at: seconds of a clock."""

    machine: float
    ours: float
    at: float

    def others(self, before: Spent) -> float:
        """Return the cores that other programs took since then."""
        return max(0.0, (self.machine - before.machine - self.ours + before.ours) / (self.at - before.at))


def spent() -> Spent:
    """Return what has been spent until now."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1 : 1 + COUNTED]]
    busy = sum(number for position, number in enumerate(numbers) if position not in NOT_BUSY)
    return Spent(busy / TICK, tree(os.getpid()), time.monotonic())


def others() -> float:
    """Return the cores that other programs take now, watched for LOOK_S."""
    before = spent()
    time.sleep(LOOK_S)
    return spent().others(before)
