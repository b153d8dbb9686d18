"""The programs of deploy/postgres as they run: an archive that begins again when it ends, backups, restores."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

POSTGRES = Path(__file__).parents[2] / "deploy" / "postgres"
SETTING = re.compile(
    r"^(wal_level|summarize_wal|wal_summary_keep_time|max_slot_wal_keep_size|synchronous_commit|log_\w+) = '?([^'\n]*)'?$", re.M
)
"""Settings of deploy/postgres/postgresql.conf that a server of a test has too."""
UNROOT = ("unshare", "--user", "--map-user=65534") if os.geteuid() == 0 else ()
"""PostgreSQL's server does not run as root."""
AGAIN = 'while true; do "$0" "$1"; sleep 1; done'
"""As systemd does."""


@dataclass(frozen=True)
class Backups:
    """The backups of a server. folder: as archive.sh and backup.sh make it. environment: who takes them, and where the server is."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str, *words: str, unroot: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one of deploy/postgres. more: further variables."""
        command = [*(UNROOT if unroot else ()), str(POSTGRES / script), *words]
        return subprocess.run(command, env={**self.environment, **more}, capture_output=True, text=True, check=False)

    def take(self, kind: str, **more: str) -> Path:
        """Take a backup, which is checked, and return its folder."""
        done = self.run("backup.sh", kind, str(self.folder), **more)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return Path(done.stdout.strip())

    def refused(self, why: str, kind: str, **more: str) -> None:
        """A backup is refused with these words, and nothing that counts has changed."""
        there = self.counted()
        done = self.run("backup.sh", kind, str(self.folder), **more)
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert self.counted() == there

    def counted(self) -> list[str]:
        """Return the names of the backups that count."""
        return sorted(path.name for path in self.folder.glob("*Z-*"))

    def restore(self, data: Path, *until: str) -> subprocess.CompletedProcess[str]:
        return self.run("restore.sh", str(self.folder), str(data), *until, unroot=True)

    def not_restored(self, data: Path, until: str, why: str) -> None:
        """A restore is refused with these words before anything is written."""
        there = sorted(data.iterdir()) if data.exists() else None
        done = self.restore(data, until)
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert (sorted(data.iterdir()) if data.exists() else None) == there

    @contextmanager
    def received(self) -> Iterator[None]:
        """The server's log is received as it is written, within a block."""
        command = ["bash", "-c", AGAIN, str(POSTGRES / "archive.sh"), str(self.folder)]
        receiver = subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(receiver.pid, signal.SIGTERM)
            receiver.wait()
