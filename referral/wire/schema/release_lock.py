"""Refuse edits of released schemas: `schemas/avro/released.lock` has the SHA-256 of every file that was ever part of a release.

`python -m referral.wire.schema.release_lock` adds the new files of a release; it never changes an existing line.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from referral.wire.schema.definition import SchemaError

LOCK = "released.lock"


def check(folder: Path) -> None:
    """Compare the released files with the lock. Raises SchemaError naming a released file that is missing or was edited."""
    for name, digest in locked(folder).items():
        path = folder / name
        if not path.exists():
            raise SchemaError(f"{name}: was released and is gone; records written with it are still there. Bring it back")
        if _digest(path) != digest:
            raise SchemaError(f"{name}: was released and is never edited; bring it back, and write the change as the next version")


def lock(folder: Path) -> list[str]:
    """Add every file that is not locked yet and return their names. Raises SchemaError as `check` does."""
    check(folder)
    known = locked(folder)
    new = [path.name for path in sorted(folder.glob("*.avsc")) if path.name not in known]
    lines = sorted([*known.items(), *((name, _digest(folder / name)) for name in new)])
    (folder / LOCK).write_text("".join(f"{digest}  {name}\n" for name, digest in lines), "utf-8")
    return new


def locked(folder: Path) -> dict[str, str]:
    """Return file name → SHA-256 of every released file."""
    path = folder / LOCK
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    pairs = [line.split("  ") for line in lines]
    if any(len(pair) != 2 for pair in pairs):
        raise SchemaError(f"{LOCK}: a line is a SHA-256, two spaces and a file name")
    return {name: digest for digest, name in pairs}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    for name in lock(Path(__file__).parents[3] / "schemas" / "avro"):
        sys.stdout.write(f"released {name}\n")
