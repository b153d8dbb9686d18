"""Read what other programs take of the processors: a comparison beside them says little."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

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


def tree(root: int) -> float:
    """Return the processor seconds of a process and all its descendants, those that have ended too."""
    parents, own = dict[int, int](), dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[pid], own[pid] = int(words[1]), sum(map(int, words[11:15]))
    wanted, total = {root}, own.get(root, 0)
    while grown := {pid for pid, parent in parents.items() if parent in wanted and pid not in wanted}:
        wanted |= grown
        total += sum(own[pid] for pid in grown)
    return total / TICK


def others() -> float:
    """Return the cores that other programs take now, watched for LOOK_S."""
    before = spent()
    time.sleep(LOOK_S)
    return spent().others(before)
