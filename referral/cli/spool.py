"""Entries put aside by case on the disk, so that a log of any length is judged case by case without being held."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from zlib import crc32

from msgspec import msgpack

from referral.proof.entry import Entry

BUCKETS = 64
"""Files (ours): of a log of a million entries each holds some 10 MB, and that much is held at a time by each process."""
_ENCODER, _DECODER = msgpack.Encoder(), msgpack.Decoder(Entry)


class Spool:
    """Entries go in in the order of the log. A context: its folder is gone afterwards."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="referral-audit-")
        self.folder = Path(self._folder.name)
        self._files: dict[int, BinaryIO] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.full()
        self._folder.cleanup()

    def put(self, entry: Entry) -> None:
        data = _ENCODER.encode(entry)
        number = bucket(entry.case_id)
        if number not in self._files:
            self._files[number] = (self.folder / str(number)).open("wb")
        self._files[number].write(len(data).to_bytes(4, "big") + data)

    def full(self) -> None:
        """All are in; others may read."""
        for file in self._files.values():
            file.close()


def bucket(case_id: str) -> int:
    """Where a case stands."""
    return crc32(case_id.encode()) % BUCKETS


def cases(folder: Path, number: int) -> dict[str, list[Entry]]:
    """The cases of one bucket, each with its entries in the order of the log."""
    found: dict[str, list[Entry]] = {}
    path, at = folder / str(number), 0
    data = path.read_bytes() if path.exists() else b""
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        entry = _DECODER.decode(data[at + 4 : end])
        found.setdefault(entry.case_id, []).append(entry)
        at = end
    return found


def of(folder: Path, wanted: set[str]) -> Iterator[Entry]:
    """The entries of some cases, in the order of the log."""
    buckets = {bucket(case_id) for case_id in wanted}
    yield from sorted((e for n in buckets for c, es in cases(folder, n).items() if c in wanted for e in es), key=lambda e: e.idx)
