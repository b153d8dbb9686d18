"""Read the file that names whom a process believes, once, at its start."""

from __future__ import annotations

from pathlib import Path

from referral.errors import Malformed, Rejected
from referral.runtime.settings import Settings
from referral.wire.signed import trust
from referral.wire.signed.trust import Trust

NAME = "REFERRAL_TRUST"


def read(settings: Settings) -> Trust:
    """Return whom this process believes. Rejected: no file is set, it cannot be read, or a line of it is malformed."""
    if settings.trust is None:
        hint = "set it to `trust.toml`, which names the log's witnesses and everybody's keys (docs/operators.md, Whom to believe)"
        raise Rejected("missing", NAME, f"without it nobody is believed: {hint}")
    return at(settings.trust)


def at(path: Path) -> Trust:
    """Return whom this file says to believe. Rejected."""
    try:
        return trust.read(path.read_bytes())
    except OSError as error:
        raise Rejected("missing", NAME, f"{path} cannot be read: {error.strerror}") from None
    except Malformed as error:
        raise Rejected("trust", NAME, f"{path}: {error}") from None
