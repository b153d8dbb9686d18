"""The digest of a policy bundle: what activation, the readers of referral-policy and the auditor compare."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256, in hex, over every path and content in the order of the paths; lengths keep them apart."""
    total = hashlib.sha256()
    for path in sorted(files):
        for part in (path.encode(), files[path]):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def read(folder: Path) -> dict[str, bytes]:
    """Every YAML file below a policy folder, by its path below it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.yaml"))}


def changes(before: Mapping[str, bytes] | None, files: Mapping[str, bytes]) -> str:
    """The files that a bundle changes, adds or takes away, with their numbers of lines, in words. before: None where it is not known."""
    if before is None:
        return f"{len(files)} files"
    told = []
    for path in sorted({*before, *files}):
        old, new = Counter(before.get(path, b"").splitlines()), Counter(files.get(path, b"").splitlines())
        if before.get(path) != files.get(path):
            word = "new" if path not in before else "gone" if path not in files else "changed"
            told.append(f"{word} {path} (+{(new - old).total()} -{(old - new).total()} lines)")
    return ", ".join(told) or "nothing is changed"
