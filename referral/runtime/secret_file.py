"""Write the file of a secret key, for every command that makes one."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, secret: bytes) -> None:
    """Write a secret to a new file that only its owner may read; it is on the disk before anything uses it.

    FileExistsError: there is one, and it is never overwritten.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
