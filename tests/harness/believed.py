"""`trust.toml` as tests write it, from the lines by which a log names the same."""

from __future__ import annotations

from pathlib import Path

from referral.runtime.settings import Settings
from referral.wire.signed import trust


def file(path: Path, lines: bytes) -> Path:
    """Write `trust.toml` with whom a policy file in the log's form names. path: the file. Return it."""
    path.write_bytes(trust.imported(lines).written())
    return path


def also(settings: Settings, path: Path, lines: bytes) -> Path:
    """Write `trust.toml` with whom a stack believes, and more. lines: in the log's form."""
    assert settings.trust is not None
    return file(path, lines + trust.read(settings.trust.read_bytes()).logged())
