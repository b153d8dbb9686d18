"""What a witness has cosigned, in one SQLite file: deciding and keeping are one transaction, on the disk before an answer leaves."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from referral.proof import witness
from referral.proof.checkpoint import Checkpoint
from referral.proof.note_keys import SignerKey, VerifierKey
from referral.proof.witness import Answer

WAIT_S = 5.0
"""How long one process waits for another at the same file (ours)."""
TABLE = "CREATE TABLE IF NOT EXISTS head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT"
KEEP = "INSERT INTO head VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root"


class Heads:
    """The newest head of each log. sqlite3.Error from any call: nothing may be signed; what was kept is told by the next answer 409."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA synchronous = EXTRA")
        self._file.execute(TABLE)

    def answer(self, body: bytes, logs: Mapping[str, Sequence[VerifierKey]], keys: Sequence[SignerKey], seconds: int) -> Answer:
        """To what a log has posted. logs: origin → keys. seconds: Unix time."""
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                last = {origin: Checkpoint(origin, size, root) for origin, size, root in self._file.execute("SELECT * FROM head")}
                found = witness.answer(body, logs, last, keys, seconds)
                if found.keep is not None:
                    self._file.execute(KEEP, (found.keep.origin, found.keep.size, found.keep.root))
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise
        return found

    def all(self) -> list[Checkpoint]:
        """For people: what was cosigned last, of each log."""
        with self._lock:
            return [Checkpoint(*row) for row in self._file.execute("SELECT * FROM head ORDER BY origin")]

    def close(self) -> None:
        with self._lock:
            self._file.close()
