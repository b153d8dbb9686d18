"""Read the memory and processor time of processes, as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path


def peak(pid: int | None) -> float:
    """Return the largest resident memory of a process, MB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) / 1000


def proportional(pid: int) -> float:
    """Return the resident memory of a process, MiB; a page that n processes share counts as one n-th. 0: it has ended."""
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found.group(1)) / 1024 if found else 0.0
    return 0.0


def cpu(pid: int | None, *, children: bool = False) -> float:
    """Return the seconds of processor time that a process has used. children: with those of its children that have ended."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11 : 15 if children else 13])) / os.sysconf("SC_CLK_TCK")


def parents() -> dict[int, int]:
    """Return every process and its parent."""
    found = dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def tree(root: int) -> float:
    """Return the processor seconds of a process and all its descendants, those that have ended too."""
    above, total = parents(), 0.0
    wanted = grown = {root}
    while grown:
        for pid in grown:
            with contextlib.suppress(OSError):
                total += cpu(pid, children=True)
        grown = {pid for pid, parent in above.items() if parent in grown} - wanted
        wanted = wanted | grown
    return total
