"""Install npm packages that only tests need, each for its lock: once on a machine, and shared by later runs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from referral.local.data_folder import default_jars

LIMIT_S = 280
"""Seconds for one installation (ours): below the limit of a test."""


def installed(lock: Path) -> Path:
    """Return the folder that holds `node_modules`. lock: a folder with package.json and package-lock.json; no script of a package runs."""
    locked = (lock / "package-lock.json").read_bytes()
    folder = default_jars().parent / f"{lock.name}-{hashlib.sha256(locked).hexdigest()[:16]}"
    if not (folder / "node_modules").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as made:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(lock / name, Path(made) / name)
            command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
            ran = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=LIMIT_S, check=False)
            assert ran.returncode == 0, ran.stderr[-2000:]
            with suppress(OSError):  # another process was first
                Path(made).rename(folder)
            Path(made).mkdir(exist_ok=True)
    return folder
