"""Compute the digest of a policy bundle, which activation, the readers of referral-policy and the auditor compare."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path


def digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256, in hex, over every path and content in the order of the paths; each is preceded by its length."""
    total = hashlib.sha256()
    for path in sorted(files):
        for part in (path.encode(), files[path]):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def read(folder: Path) -> dict[str, bytes]:
    """Return every file of a policy below its folder, by its path below it: YAML, and the texts of guidance/."""
    paths = [*folder.rglob("*.yaml"), *folder.glob("guidance/*.md")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths)}


def changes(before: Mapping[str, bytes] | None, files: Mapping[str, bytes]) -> str:
    """Describe the files that a bundle changes, adds or removes, with their numbers of lines. before: None if not known."""
    if before is None:
        return f"{len(files)} files"
    lines = []
    for path in sorted({*before, *files}):
        old, new = Counter(before.get(path, b"").splitlines()), Counter(files.get(path, b"").splitlines())
        if before.get(path) != files.get(path):
            word = "new" if path not in before else "gone" if path not in files else "changed"
            lines.append(f"{word} {path} (+{(new - old).total()} -{(old - new).total()} lines)")
    return ", ".join(lines) or "nothing is changed"
