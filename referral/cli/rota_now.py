"""Asks the notifier's own rules who is on duty: the answer of `referral duty` and of the machine is one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from referral.errors import Unavailable


def ask(*arguments: str) -> dict[str, Any]:
    """What `python -m services.notifier.history` prints. Unavailable: it could not; its own message is on standard error."""
    result = subprocess.run([sys.executable, "-m", "services.notifier.history", *arguments], stdout=subprocess.PIPE, check=False)
    if result.returncode:
        raise Unavailable("what the notifier's rules need (their own message is above)")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def bare(rungs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rungs with shifts that name nobody now: a hole, or a rota that has run out."""
    return [{"agency": r["agency"], "rung": r["rung"], "now": r["said"]} for r in rungs if r["bare"]]
