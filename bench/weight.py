"""Read the memory and processor time of a process, as the kernel counts them."""

from __future__ import annotations

import os
import re
from pathlib import Path


def peak(pid: int | None) -> float:
    """Return the largest resident memory of a process, MB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) / 1000


def cpu(pid: int | None) -> float:
    """Return the seconds of processor time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
