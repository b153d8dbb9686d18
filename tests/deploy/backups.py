"""The programs of deploy/postgres as they run: an archive that begins again when it ends, backups, restores."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.servers import MEMORY

ENCRYPTS = pytest.mark.skipif(shutil.which("age") is None, reason="needs apt-get install age, which encrypts backups")
POSTGRES = Path(__file__).parents[2] / "deploy" / "postgres"
SETTING = re.compile(
    r"^(wal_level|summarize_wal|wal_summary_keep_time|max_slot_wal_keep_size|synchronous_commit|log_\w+) = '?([^'\n]*)'?$", re.M
)
"""Settings of deploy/postgres/postgresql.conf that a server of a test has too."""
UNROOT = ("unshare", "--user", "--map-user=65534") if os.geteuid() == 0 else ()
"""PostgreSQL's server does not run as root."""
AGAIN = 'trap "kill \\$! 2>/dev/null; wait; exit" TERM; while true; do "$0" "$1" & wait; sleep 1; done'
"""As systemd does: one is told to end, and ends what it has begun."""


def keys(place: Path, *names: str) -> list[Path]:
    """Make a key of each operator, as each does on a machine of their own, and the file of those to whom backups are encrypted."""
    made = [place / f"{name}.key" for name in names]
    for key in made:
        subprocess.run(["age-keygen", "--output", str(key)], check=True, capture_output=True)
    public = [subprocess.run(["age-keygen", "-y", str(key)], check=True, capture_output=True, text=True).stdout for key in made]
    (place / "recipients").write_text("".join(f"# {name}\n{line}" for name, line in zip(names, public, strict=True)))
    return made


def in_clear(folder: Path, *words: str) -> set[str]:
    """Return those words that some file of a folder has in clear."""
    data = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {word for word in words if any(word.encode() in one for one in data)}


@dataclass(frozen=True)
class Backups:
    """The backups of a server. folder: as archive.sh and backup.sh make it. environment: who takes them, and where the server is.

    keys: of the two operators, who are elsewhere. memory: the folder into which the log is received.
    """

    folder: Path
    environment: dict[str, str]
    keys: list[Path]
    memory: Path

    @classmethod
    def made(cls, folder: Path, environment: dict[str, str]) -> Backups:
        """Make the keys and the folders beside the one of the backups, which archive.sh makes."""
        safe = folder.with_name(f"safe-{folder.name}")
        safe.mkdir()
        memory = Path(tempfile.mkdtemp(prefix="archive-", dir=MEMORY))
        settings = {"RECIPIENTS": str(safe / "recipients"), "RUNTIME_DIRECTORY": str(memory)}
        return cls(folder, {**environment, **settings}, keys(safe, "besa", "arta"), memory)

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

    def restore(self, data: Path, *until: str, key: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Restore with a key: the first operator's, if nobody says another one."""
        return self.run("restore.sh", str(self.folder), str(key or self.keys[0]), str(data), *until, unroot=True)

    def not_restored(self, data: Path, until: str, why: str) -> None:
        """A restore is refused with these words before anything is written."""
        there = sorted(data.iterdir()) if data.exists() else None
        done = self.restore(data, until)
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert (sorted(data.iterdir()) if data.exists() else None) == there

    @contextmanager
    def received(self) -> Iterator[None]:
        """The server's log is received as it is written, within a block. Then the machine is off: its memory is lost."""
        self.memory.mkdir(exist_ok=True)
        command = ["bash", "-c", AGAIN, str(POSTGRES / "archive.sh"), str(self.folder)]
        receiver = subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield
        finally:
            receiver.terminate()
            receiver.wait()
            shutil.rmtree(self.memory, ignore_errors=True)
