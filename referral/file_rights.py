"""Decide by its rights whether a secret's file is one that nobody else can read."""

from __future__ import annotations

import os
from pathlib import Path

OTHERS = 0o077
"""Every right of others than the owner."""
HANDED = 0o027
"""Rights that must not stand on a file that root hands to a program: to change it, or any of everybody."""


def exposed(path: Path) -> bool:
    """Return whether others than this program may use a secret's file. OSError: there is none.

    A file of ours has no right for anybody else. A file of root's is handed to us by its group or an access list, whose right to read
    stands in the group's place: systemd's credentials and Kubernetes' secrets have mode 0440.
    """
    found = path.stat()
    return bool(found.st_mode & (HANDED if found.st_uid == 0 and os.geteuid() != 0 else OTHERS))
