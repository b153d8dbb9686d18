"""Write files of which a reader sees the old or the new content and never a part, also after a crash."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from referral import file_rights
from referral.errors import Rejected

SECRET, PUBLIC = 0o600, 0o644
NEW = ".new"
"""End of the name of a file that is being written. The name is fixed, so what a crash left there is overwritten by the next write."""


def replace(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Write a file beside the old one, bring it to the disk, and rename it over the old one. The caller holds `locked` on the folder."""
    fresh, owner = path.with_name(path.name + NEW), path.parent.stat()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET), "wb") as file:
        if owner.st_uid and not os.geteuid():  # root renews what belongs to a service, which must be able to read it
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    synced(path.parent)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change a folder; others wait. The lock ends with the process that holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def secret(path: Path) -> bytes:
    """Read the file of a private key. Rejected: others than its owner may read it, or it cannot be read."""
    try:
        if file_rights.exposed(path):
            hint = f"others than its owner may read this private key: chmod 600 {path}; if somebody may have, revoke its certificate"
            raise Rejected("key-readable", str(path), hint)
        return path.read_bytes()
    except OSError as error:
        raise Rejected("no-key", str(path), f"the file of a private key cannot be read: {error.strerror}") from None


def synced(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
