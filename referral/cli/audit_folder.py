"""An export as a folder: read as an archive, and written so that one which was interrupted is never taken for a whole one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import typer

from referral.proof.archive import CHECKPOINT


class Folder:
    """An exported log. It ends at its checkpoint."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def opened(root: Path) -> Folder:
    """A finished export. typer.BadParameter: there is none."""
    if not root.is_dir():
        raise typer.BadParameter(f"{root}: no such folder")
    if not (root / CHECKPOINT).is_file():
        raise typer.BadParameter(f"{root} holds no checkpoint: it is no export, or one that was not finished; export again")
    return Folder(root)


def put(root: Path, path: str, data: bytes) -> None:
    """A file appears under its name with all its bytes, or not at all."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    part.write_bytes(data)
    part.replace(place)


def finish(root: Path, files: Mapping[str, bytes]) -> None:
    """The last files, in this order, once all others are on the disk; the checkpoint makes it an export."""
    os.sync()
    for path, data in files.items():
        put(root, path, data)
        for name in (root / path, root):
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
