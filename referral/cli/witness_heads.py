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
TABLE = "CREATE TABLE IF NOT EXISTS head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB) STRICT"
COLUMNS = "SELECT name FROM pragma_table_info('head')"
NOTE = "ALTER TABLE head ADD COLUMN note BLOB"
"""Files of the first release have none: until the next cosignature nothing can be shown."""
LAST = "SELECT origin, size, root FROM head"
KEEP = (
    "INSERT INTO head (origin, size, root, note) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note"
)


class Heads:
    """The newest head of each log. sqlite3.Error from any call: nothing may be signed; what was kept is told by the next answer 409."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA synchronous = EXTRA")
        self._file.execute(TABLE)
        if ("note",) not in self._file.execute(COLUMNS).fetchall():
            self._file.execute(NOTE)

    def answer(self, body: bytes, logs: Mapping[str, Sequence[VerifierKey]], keys: Sequence[SignerKey], seconds: int) -> Answer:
        """To what a log has posted. logs: origin → keys. seconds: Unix time."""
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                last = {origin: Checkpoint(origin, size, root) for origin, size, root in self._file.execute(LAST)}
                found = witness.answer(body, logs, last, keys, seconds)
                if found.keep is not None:
                    self._file.execute(KEEP, (found.keep.origin, found.keep.size, found.keep.root, found.note))
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise
        return found

    def all(self) -> list[Checkpoint]:
        """For people: what was cosigned last, of each log."""
        with self._lock:
            return [Checkpoint(*row) for row in self._file.execute(f"{LAST} ORDER BY origin")]

    def notes(self) -> dict[str, bytes]:
        """Origin → the newest checkpoint with the log's signature and ours."""
        with self._lock:
            return dict(self._file.execute("SELECT origin, note FROM head WHERE note IS NOT NULL"))

    def close(self) -> None:
        with self._lock:
            self._file.close()
