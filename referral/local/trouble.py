"""What keeps a local server from starting, in one line that says what to do."""

from __future__ import annotations

import errno
from pathlib import Path


class Trouble(Exception):
    """The environment is not good enough to start: the text says what is wrong and what to do. Nothing is left running."""


def of_os(error: OSError, folder: Path) -> Trouble:
    """The operating system's refusal, in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble(f"the disk that holds {folder} is full; free some space or name another folder")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Trouble(f"{folder} cannot be written; name another folder")
    return Trouble(f"{folder}: {error.strerror or error}")
